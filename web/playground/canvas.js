/** The drawing: cells as SVG, where the window looks, what is selected. It shows; it changes nothing. */

import { isEdge } from "../sdk/codraw.js";
import { assign, s } from "../shell/dom.js";
import { bendsOf } from "../shell/drawing/commands.js";
import { around, centre, encloses } from "../shell/drawing/geometry.js";
import { route } from "./lines.js";
import { drawEdge, drawNode, frameOf, groupFor, isRound } from "./shapes.js";

const ZOOM = { least: 0.01, most: 3 }; // what stands far apart must fit into a window, too
const CORNERS = [
  ["nw", 0, 0],
  ["ne", 1, 0],
  ["se", 1, 1],
  ["sw", 0, 1],
];

export class Canvas {
  /** Boxes that a gesture is moving: drawn here, not yet where the cells are. */
  held = new Map();
  selection = new Set();
  view = { x: 0, y: 0, scale: 1 };

  #look;
  #groups = new Map();
  #edgesAt = new Map(); // node id -> ids of its edges
  #lanes = new Map(); // both ends -> ids of the edges between them
  #drawn = new Map(); // edge id -> its ends as they were drawn
  #layers = Object.fromEntries(
    ["boundaries", "nodes", "edges", "marks"].map((name) => [name, s("g", { class: name })]),
  );
  #world = s("g", { class: "world" }, Object.values(this.#layers));
  #dots = s(
    "pattern",
    { id: "dots", width: 24, height: 24, patternUnits: "userSpaceOnUse" },
    s("circle", { cx: 1, cy: 1, r: 1 }),
  );
  #tell;
  #size = null;

  /** @param look `get(id)` and `cells()`. @param tell `(type, detail)`: `view`, `hand` and `selection` of Stage */
  constructor(look, tell) {
    this.#look = look;
    this.#tell = tell;
    this.root = s(
      "svg",
      {
        class: "canvas",
        role: "application",
        tabindex: 0,
        "aria-label": "Diagram. Tab goes through its cells, arrow keys move, Enter renames, Delete removes.",
      },
      s("defs", this.#dots),
      s("rect", { class: "paper", width: "100%", height: "100%", fill: "url(#dots)" }),
      this.#world,
    );
    new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect)).observe(this.root);
  }

  /** Everything is drawn at all times. */
  get printed() {
    return { svg: this.root, world: this.#world, whole: () => () => {} };
  }

  // -- cells ---------------------------------------------------------------------------------------------------------

  renderAll() {
    for (const group of this.#groups.values()) group.remove();
    for (const index of [this.#groups, this.#edgesAt, this.#lanes, this.#drawn]) index.clear();
    const cells = [...this.#look.cells()];
    for (const cell of cells) if (isEdge(cell)) this.#tie(cell);
    for (const cell of cells) this.#draw(cell.id);
    this.#prune();
  }

  /** Draws these cells and the edges that hang on them. */
  render(ids) {
    const stale = new Set(ids);
    for (const id of ids) this.#retie(id, stale);
    for (const id of [...stale]) for (const edge of this.#edgesAt.get(id) ?? []) stale.add(edge);
    for (const id of stale) this.#draw(id);
    this.#prune();
  }

  boxOf(id) {
    const { x, y, width, height, ...cell } = this.#look.get(id) ?? {};
    return { x, y, width, height, ...this.held.get(id), isRound: isRound(cell) };
  }

  /** The box of a node, or the one around a line; null where there is none. */
  extentOf(id) {
    const cell = this.#look.get(id);
    if (!cell) return null;
    const { x, y, width, height } = isEdge(cell) ? this.#groups.get(id).querySelector(".line").getBBox() : this.boxOf(id);
    return { x, y, width, height };
  }

  get #nodes() {
    return [...this.#look.cells()].filter((cell) => !isEdge(cell)).map(({ id }) => id);
  }

  #nodesAmong(ids) {
    return [...ids].filter((id) => this.#look.get(id) && !isEdge(this.#look.get(id)));
  }

  #draw(id) {
    const cell = this.#look.get(id);
    let group = this.#groups.get(id);
    if (group && (!cell || group.dataset.shape !== cell.shape)) {
      group.remove();
      this.#groups.delete(id);
      group = null;
    }
    if (!cell) return;
    if (!group) this.#groups.set(id, (group = this.#place(cell)));
    if (isEdge(cell)) this.#drawEdge(group, cell);
    else drawNode(group, cell, this.boxOf(id));
    group.classList.toggle("selected", this.selection.has(id));
  }

  #place(cell) {
    const group = groupFor(cell);
    group.dataset.shape = cell.shape;
    group.dataset.z = cell.zIndex ?? 0;
    const layer = this.#layers[isEdge(cell) ? "edges" : cell.shape === "security-boundary" ? "boundaries" : "nodes"];
    let after = layer.lastElementChild;
    while (after && Number(after.dataset.z) > Number(group.dataset.z)) after = after.previousElementSibling;
    layer.insertBefore(group, after ? after.nextSibling : layer.firstChild);
    return group;
  }

  #drawEdge(group, cell) {
    const [source, target] = [this.#look.get(cell.source?.cell), this.#look.get(cell.target?.cell)];
    group.classList.toggle("loose", !source || !target);
    if (!source || !target) return;
    const lane = this.#laneOf(cell);
    const ends = [this.boxOf(source.id), this.boxOf(target.id)];
    drawEdge(group, cell, route(...ends, { vertices: bendsOf(cell), lane, isLoop: source === target }), {
      source,
      target,
    });
  }

  /** 0 for the only edge between its ends, else ±0.6, ±1.8 …, so that lines lie side by side. */
  #laneOf(cell) {
    const lanes = [...(this.#lanes.get(pairOf(cell)) ?? [])];
    if (lanes.length < 2) return 0;
    const at = lanes.indexOf(cell.id);
    return (at % 2 ? -1 : 1) * (Math.floor(at / 2) * 1.2 + 0.6);
  }

  #tie(cell) {
    this.#drawn.set(cell.id, cell);
    for (const end of [cell.source?.cell, cell.target?.cell]) {
      if (!this.#edgesAt.has(end)) this.#edgesAt.set(end, new Set());
      this.#edgesAt.get(end).add(cell.id);
    }
    const pair = pairOf(cell);
    if (!this.#lanes.has(pair)) this.#lanes.set(pair, new Set());
    this.#lanes.get(pair).add(cell.id);
  }

  /** An edge that comes, goes or is led elsewhere moves those beside it. */
  #retie(id, stale) {
    const [before, after] = [this.#drawn.get(id), this.#look.get(id)];
    const isTied = after && isEdge(after);
    if (before && isTied && before.source?.cell === after.source?.cell && before.target?.cell === after.target?.cell)
      return;
    if (before) {
      for (const end of [before.source?.cell, before.target?.cell]) this.#edgesAt.get(end)?.delete(id);
      this.#lanes.get(pairOf(before))?.delete(id);
      this.#drawn.delete(id);
    }
    if (isTied) this.#tie(after);
    for (const cell of [before, isTied && after]) {
      if (cell) for (const beside of this.#lanes.get(pairOf(cell)) ?? []) stale.add(beside);
    }
  }

  // -- selection -----------------------------------------------------------------------------------------------------

  get selectedNodes() {
    return this.#nodesAmong(this.selection);
  }

  select(ids) {
    for (const id of this.selection) this.#groups.get(id)?.classList.remove("selected");
    this.selection = new Set(ids);
    for (const id of this.selection) this.#groups.get(id)?.classList.add("selected");
    this.drawMarks();
    this.#tell("selection", [...this.selection]);
  }

  #prune() {
    const gone = [...this.selection].filter((id) => !this.#look.get(id));
    if (gone.length > 0) this.select([...this.selection].filter((id) => !gone.includes(id)));
    else this.drawMarks();
  }

  /** Handles of what is selected: corners of a single box, and where a flow starts. */
  drawMarks() {
    const ids = this.selectedNodes;
    const marks = ids.map((id) => frameOf(this.boxOf(id)));
    if (ids.length === 1) marks.push(...this.#handles(this.boxOf(ids[0])));
    this.#layers.marks.replaceChildren(...marks);
  }

  #handles({ x, y, width, height }) {
    const unit = 1 / this.view.scale; // handles keep their size however near one looks
    const size = 9 * unit;
    const out = 6;
    const corners = CORNERS.map(([name, right, low]) =>
      s("rect", {
        class: `handle ${name}`,
        "data-corner": name,
        width: size,
        height: size,
        rx: 2 * unit,
        x: x + right * width + (right ? out : -out) - size / 2,
        y: y + low * height + (low ? out : -out) - size / 2,
      }),
    );
    const start = s(
      "g",
      {
        class: "handle start",
        "data-start": true,
        transform: `translate(${x + width + out + 16 * unit} ${y + height / 2}) scale(${unit})`,
      },
      s("title", "Drag to another box to connect"),
      s("circle", { r: 10 }),
      s("path", { d: "M-4 0H4M1-3.5L4.5 0L1 3.5" }),
    );
    return [...corners, start];
  }

  within(box) {
    return this.#nodes.filter((id) => encloses(box, this.boxOf(id)));
  }

  // -- the view ------------------------------------------------------------------------------------------------------

  toWorld({ clientX, clientY }) {
    const { left, top } = this.root.getBoundingClientRect();
    return { x: (clientX - left - this.view.x) / this.view.scale, y: (clientY - top - this.view.y) / this.view.scale };
  }

  /** Relative to the drawing's upper left corner. */
  toScreen({ x, y }) {
    return { x: x * this.view.scale + this.view.x, y: y * this.view.scale + this.view.y };
  }

  /** The part of the world that is seen. */
  get seen() {
    const { width, height } = this.#size ?? this.root.getBoundingClientRect();
    const { x, y, scale } = this.view;
    return { x: -x / scale, y: -y / scale, width: width / scale, height: height / scale, zoom: scale };
  }

  /** Moves and zooms so that all of this part is seen, in the middle. */
  show({ x, y, width, height }) {
    const { width: across, height: down } = this.root.getBoundingClientRect();
    const scale = clamped(ZOOM, Math.min(across / width, down / height));
    this.#see({ scale, x: across / 2 - (x + width / 2) * scale, y: down / 2 - (y + height / 2) * scale });
  }

  /** Selects a cell, and brings it into view where it is not. */
  reveal(id) {
    const box = this.extentOf(id);
    if (!box) return;
    const { zoom, ...seen } = this.seen;
    const middle = centre(box);
    const part = { x: middle.x - seen.width / 2, y: middle.y - seen.height / 2, width: seen.width, height: seen.height };
    if (!encloses(seen, box)) this.show(part);
    this.select([id]);
  }

  pan(dx, dy) {
    this.#shift(dx, dy);
    this.#tell("hand");
  }

  #shift(dx, dy) {
    this.#see({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  /** What was in the middle stays there. */
  #resized({ width, height }) {
    if (this.#size && width > 0) this.#shift((width - this.#size.width) / 2, (height - this.#size.height) / 2);
    this.#size = width > 0 ? { width, height } : this.#size;
  }

  /** Around a point of the window, by default the middle. */
  zoom(factor, { clientX, clientY } = this.#middle) {
    const { left, top } = this.root.getBoundingClientRect();
    const scale = clamped(ZOOM, this.view.scale * factor);
    const ratio = scale / this.view.scale;
    const [px, py] = [clientX - left, clientY - top];
    this.#see({ scale, x: px - (px - this.view.x) * ratio, y: py - (py - this.view.y) * ratio });
    this.#tell("hand");
  }

  fit() {
    const box = around(this.#nodes.map((id) => this.boxOf(id)));
    const { width, height } = this.root.getBoundingClientRect();
    if (!box) return this.#see({ x: width / 2, y: height / 2, scale: 1 });
    const scale = Math.max(ZOOM.least, Math.min(1, (width - 120) / box.width, (height - 140) / box.height));
    this.#see({
      scale,
      x: width / 2 - (box.x + box.width / 2) * scale,
      y: height / 2 - (box.y + box.height / 2) * scale,
    });
  }

  get middle() {
    return this.toWorld(this.#middle);
  }

  get #middle() {
    const { left, top, width, height } = this.root.getBoundingClientRect();
    return { clientX: left + width / 2, clientY: top + height / 2 };
  }

  #see(view) {
    this.view = view;
    const { x, y, scale } = view;
    assign(this.#world, { transform: `translate(${x} ${y}) scale(${scale})` });
    assign(this.#dots, { patternTransform: `translate(${x} ${y}) scale(${Math.max(scale, 0.15)})` });
    this.drawMarks();
    this.#tell("view");
  }

  // -- while a gesture goes on ---------------------------------------------------------------------------------------

  /** A line that is being drawn, or a frame that is being pulled; null takes it away. */
  sketch(element) {
    this.root.querySelector(".sketch")?.remove();
    if (!element) return;
    element.classList.add("sketch");
    this.#world.append(element);
  }

  idAt(event) {
    return event.target.closest?.("[data-id]")?.dataset.id;
  }

  /** The node under a point of the window, whatever captured the pointer. */
  nodeAt({ clientX, clientY }) {
    const id = document.elementFromPoint(clientX, clientY)?.closest?.("[data-id]")?.dataset.id;
    return id && this.#look.get(id) && !isEdge(this.#look.get(id)) ? id : null;
  }
}

const pairOf = ({ source, target }) => [source?.cell, target?.cell].sort().join(" ");

const clamped = ({ least, most }, value) => Math.min(most, Math.max(least, value));
