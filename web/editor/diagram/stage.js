/**
 * The drawing area: an X6 graph, what part of it is seen, what is selected, where the pointer is.
 *
 * What is laid around it (cursors, following, files) knows nothing of X6 and works on any page whose stage has
 * `root`, `toScreen`, `toWorld`, `boxOf`, `viewport`, `show`, `reveal`, `selection` and `on`. World coordinates are those of the
 * cells; screen coordinates are CSS pixels within `root`.
 */

import { isEdge, uuid } from "../../sdk/codraw.js";
import { bindGraph, LAYING, registerShapes } from "../../adapters/x6.js";
import { h } from "../../shell/dom.js";
import { around, GRID, touches } from "./geometry.js";

const ZOOM = { least: 0.1, most: 4 };
const MARGIN = 60;
const FAR = 0.4; // below this the text of flows cannot be read, and is not drawn
const VERY_FAR = 0.2; // nor that of nodes

export class Stage {
  selection = [];
  #diagram;
  #X6;
  #view = { x: 0, y: 0, scale: 1 };
  #size = { width: 0, height: 0 };
  #corner = null; // of `root` in the window; asking for it lays the page out, so not with every move of the pointer
  #listeners = new Map(); // type -> Set of functions
  #isGesturing = false;
  #stops = [];

  constructor(diagram, X6) {
    this.#diagram = diagram;
    this.#X6 = X6;
    const surface = h("div", { class: "graph" });
    this.root = h(
      "div",
      {
        class: "stage",
        id: "stage",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "diagram",
        "aria-label": "Diagram. Tab goes through the cells, question mark shows the keys.",
      },
      surface,
    );
    registerShapes(X6);
    this.graph = new X6.Graph({
      container: surface,
      width: 100,
      height: 100,
      async: true,
      virtual: { enabled: true, margin: 200 },
      panning: false,
      mousewheel: false,
      grid: { size: GRID, visible: false },
      preventDefaultContextMenu: false,
      magnetThreshold: 4,
      scaling: { min: ZOOM.least, max: ZOOM.most },
      interacting: () => this.#interacting(),
      connecting: {
        ...LAYING,
        snap: { radius: 24 },
        highlight: true,
        allowBlank: false,
        allowEdge: false,
        allowLoop: true,
        allowMulti: true,
        createEdge: () => this.graph.createEdge({ shape: "flow", id: uuid(), zIndex: 0 }),
      },
    });
    this.binding = bindGraph(diagram, this.graph, { failed: (error) => this.#emit("failed", error) });
    this.#stops.push(diagram.on("change", ({ ids, reset }) => this.#changed(ids, reset)));
    this.#listen();
  }

  /** X6 moves nothing by itself: gestures.js does, so that many can move as one. */
  #interacting() {
    const may = this.#diagram.canWrite;
    return {
      nodeMovable: false,
      edgeMovable: false,
      edgeLabelMovable: false,
      magnetConnectable: may,
      arrowheadMovable: may,
      vertexMovable: may,
      vertexAddable: may,
      vertexDeletable: may,
    };
  }

  // -- the contract ---------------------------------------------------------------------------------------------------

  /** `view`, `hand`, `pointer`, `selection`, `gesture`; returns how to stop. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  toScreen({ x, y }) {
    return { x: x * this.#view.scale + this.#view.x, y: y * this.#view.scale + this.#view.y };
  }

  toWorld({ clientX, clientY }) {
    const { left, top } = this.#place;
    return {
      x: (clientX - left - this.#view.x) / this.#view.scale,
      y: (clientY - top - this.#view.y) / this.#view.scale,
    };
  }

  boxOf(id) {
    const cell = this.graph.getCellById(id);
    if (!cell) return null;
    const path = cell.isEdge() && this.graph.findViewByCell(cell)?.path;
    const { x, y, width, height } = (path && path.bbox()) || cell.getBBox();
    return { x, y, width, height };
  }

  /** Of a flow, the middle of its line. */
  middleOf(id) {
    const path = this.graph.findViewByCell(id)?.path;
    const { x, y } = path?.pointAt(0.5) ?? this.graph.getCellById(id).getBBox().getCenter();
    return { x, y };
  }

  get viewport() {
    const { x, y, scale } = this.#view;
    return {
      x: -x / scale,
      y: -y / scale,
      width: this.#size.width / scale,
      height: this.#size.height / scale,
      zoom: scale,
    };
  }

  /** All of this part is seen, in the middle, as large as may be; its own zoom is that of another window. */
  show({ x, y, width, height }) {
    if (!(width > 0 && height > 0)) return;
    const scale = clamped(Math.min(this.#size.width / width, this.#size.height / height));
    this.#look({
      scale,
      x: this.#size.width / 2 - (x + width / 2) * scale,
      y: this.#size.height / 2 - (y + height / 2) * scale,
    });
  }

  reveal(id) {
    const box = this.boxOf(id);
    if (!box) return;
    this.scrollTo(box);
    this.select([id]);
  }

  /** The cells as they are shown, canonical, in order. */
  cells() {
    return [...this.#diagram.replica.cells()];
  }

  // -- selecting ------------------------------------------------------------------------------------------------------

  select(ids) {
    const before = this.selection;
    const next = [...new Set(ids)].filter((id) => this.#diagram.replica.get(id));
    if (next.length === before.length && next.every((id, at) => id === before[at])) return;
    this.selection = next;
    for (const id of before) this.#mark(id, false);
    for (const id of next) this.#mark(id, true);
    this.root.classList.toggle("single", next.length === 1);
    this.#emit("selection", next);
  }

  toggle(id) {
    this.select(this.selection.includes(id) ? this.selection.filter((other) => other !== id) : [...this.selection, id]);
  }

  /** What of the selection is a node. */
  get selectedNodes() {
    return this.selection.filter((id) => !isEdge(this.#diagram.replica.get(id) ?? { shape: "flow" }));
  }

  #mark(id, isSelected) {
    const view = this.graph.findViewByCell(id);
    if (isSelected) view?.addClass("selected");
    else view?.removeClass("selected");
  }

  #changed(ids, reset) {
    const { replica } = this.#diagram;
    if (this.selection.some((id) => !replica.get(id))) this.select(this.selection);
    for (const id of this.selection) if (reset || ids.has(id)) this.#mark(id, true);
    this.#emit("change", ids);
  }

  // -- looking --------------------------------------------------------------------------------------------------------

  get scale() {
    return this.#view.scale;
  }

  /** By hand, as are `zoom`, `zoomTo` and `fit`. */
  pan(dx, dy) {
    this.#look({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy }, true);
  }

  /** Around a point of the window, by default the middle. */
  zoom(factor, point = this.#middle) {
    const scale = clamped(this.#view.scale * factor);
    const ratio = scale / this.#view.scale;
    const { left, top } = this.#place;
    const [x, y] = [point.clientX - left, point.clientY - top];
    this.#look({ scale, x: x - (x - this.#view.x) * ratio, y: y - (y - this.#view.y) * ratio }, true);
  }

  zoomTo(scale) {
    this.zoom(scale / this.#view.scale);
  }

  fit(byHand = true) {
    const box = around(this.graph.getNodes().map((node) => node.getBBox()));
    const { width, height } = this.#size;
    if (!box) return this.#look({ x: width / 2, y: height / 2, scale: 1 }, byHand);
    const scale = clamped(Math.min(1, (width - 2 * MARGIN) / box.width, (height - 2 * MARGIN) / box.height));
    this.#look(
      { scale, x: width / 2 - (box.x + box.width / 2) * scale, y: height / 2 - (box.y + box.height / 2) * scale },
      byHand,
    );
  }

  /** Moves only as far as needed to see the box. */
  scrollTo(box) {
    const { x, y } = this.toScreen(box);
    const [width, height] = [box.width * this.#view.scale, box.height * this.#view.scale];
    const dx = shift(x, width, this.#size.width);
    const dy = shift(y, height, this.#size.height);
    if (dx !== 0 || dy !== 0) this.pan(dx, dy);
  }

  get middle() {
    return this.toWorld(this.#middle);
  }

  get #middle() {
    const { left, top } = this.#place;
    return { clientX: left + this.#size.width / 2, clientY: top + this.#size.height / 2 };
  }

  get #place() {
    this.#corner ??= this.root.getBoundingClientRect();
    return this.#corner;
  }

  #look(view, byHand = false) {
    const { x, y, scale } = this.#view;
    if (view.x === x && view.y === y && view.scale === scale) return;
    this.#view = view;
    if (view.scale !== scale) this.graph.scale(view.scale);
    this.graph.translate(view.x, view.y);
    this.#drawGrid();
    this.root.classList.toggle("far", view.scale < FAR);
    this.root.classList.toggle("very-far", view.scale < VERY_FAR);
    this.#emit("view");
    if (byHand) this.#emit("hand");
  }

  #drawGrid() {
    const { x, y, scale } = this.#view;
    const step = 24 * scale * (scale < 0.5 ? 4 : 1);
    this.root.style.backgroundSize = `${step}px ${step}px`;
    this.root.style.backgroundPosition = `${x}px ${y}px`;
  }

  /** What was in the middle stays there. */
  #resized({ width, height }) {
    this.#corner = null;
    if (width === 0 || height === 0) return;
    const before = this.#size;
    this.#size = { width, height };
    this.graph.resize(width, height);
    if (before.width > 0) {
      this.#look({
        ...this.#view,
        x: this.#view.x + (width - before.width) / 2,
        y: this.#view.y + (height - before.height) / 2,
      });
    }
    this.#emit("view");
    if (before.width === 0) this.#emit("ready");
  }

  // -- what is where --------------------------------------------------------------------------------------------------

  idAt({ target }) {
    return target.closest?.("[data-cell-id]")?.dataset.cellId;
  }

  nodesIn(box) {
    return this.graph.getNodes().filter((node) => touches(box, node.getBBox()));
  }

  // -- gestures -------------------------------------------------------------------------------------------------------

  /** Between the two all that changes is one step of undo. */
  begin() {
    if (this.#isGesturing) return;
    this.#isGesturing = true;
    this.binding.begin();
    this.#emit("gesture", true);
  }

  end() {
    if (!this.#isGesturing) return;
    this.#isGesturing = false;
    this.binding.end();
    this.#emit("gesture", false);
  }

  get isGesturing() {
    return this.#isGesturing;
  }

  /** For what the user works on without changing it yet: a text that is being written. */
  busy(isBusy) {
    this.#emit("gesture", isBusy);
  }

  #emit(type, detail) {
    for (const listener of this.#listeners.get(type) ?? []) listener(detail);
  }

  #listen() {
    const { root } = this;
    for (const type of ["pointerdown", "pointerenter"])
      root.addEventListener(type, () => (this.#corner = null), { capture: true });
    root.addEventListener("pointermove", (event) => this.#emit("pointer", this.toWorld(event)));
    root.addEventListener("pointerleave", () => this.#emit("pointer", null));
    const observer = new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect));
    observer.observe(root);
    this.#stops.push(() => observer.disconnect());
    this.graph.on("edge:connected", ({ isNew, edge }) => isNew && this.#connected(edge.id));
  }

  /** The binding sends it within the gesture; it can be selected once it is there. */
  #connected(id) {
    this.binding.flush();
    this.select([id]);
    this.#emit("connected", id);
  }

  stop() {
    for (const stop of this.#stops) stop();
    this.binding.stop();
    this.graph.dispose();
  }
}

const clamped = (scale) => Math.min(ZOOM.most, Math.max(ZOOM.least, scale));

function shift(at, size, room) {
  if (at >= MARGIN && at + size <= room - MARGIN) return 0;
  return size > room - 2 * MARGIN ? room / 2 - at - size / 2 : at < MARGIN ? MARGIN - at : room - MARGIN - at - size;
}
