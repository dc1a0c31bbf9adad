/** What can be done to cells, as changes of them. Pure: a `look` is anything with `get(id)` and `cells()`. */

import { isEdge, uuid } from "../../sdk/codraw.js";
import { around, centre, contains, encloses, snapped } from "./geometry.js";

/** What the palette offers: `key` is the letter that takes it up. */
export const SHAPES = {
  __proto__: null,
  process: { name: "Process", width: 128, height: 80, key: "p" },
  store: { name: "Store", width: 144, height: 64, key: "s" },
  actor: { name: "Actor", width: 128, height: 64, key: "a" },
  "security-boundary": { name: "Boundary", width: 320, height: 240, key: "b" },
  "text-box": { name: "Text", width: 160, height: 48, key: "t" },
};

export const SMALLEST = { width: 40, height: 30 };
const PORTS = { items: ["top", "right", "bottom", "left"].map((side) => ({ id: side, group: side })) };
const HAS_PORTS = new Set(["process", "store", "actor"]);

const update = (id, data) => ({ id, operation: "update", data });
const present = (look, ids) => ids.map((id) => look.get(id)).filter(Boolean);
const nodesAmong = (look, ids) => present(look, ids).filter((cell) => !isEdge(cell));

// -- making -----------------------------------------------------------------------------------------------------------

/** A new node with its middle at a point. */
export function added(look, shape, point) {
  const { name, width, height } = SHAPES[shape];
  const box = { x: snapped(point.x - width / 2), y: snapped(point.y - height / 2), width, height };
  const id = uuid();
  const parent = boundaryUnder(look, { ...box, id, shape });
  const data = {
    shape,
    ...box,
    attrs: { text: { text: name } },
    zIndex: topOf(look, shape),
    ...(HAS_PORTS.has(shape) && { ports: PORTS }),
    ...(parent && { parent }),
  };
  return { id, changes: [{ id, operation: "add", data }] };
}

/** Boundaries lie behind what they may contain. */
function topOf(look, shape) {
  if (shape === "security-boundary") return -1;
  return (
    Math.max(
      0,
      ...nodesIn(look)
        .filter((cell) => cell.shape !== "security-boundary")
        .map(({ zIndex = 1 }) => zIndex),
    ) + 1
  );
}

const nodesIn = (look) => [...look.cells()].filter((cell) => !isEdge(cell));

export function connected(source, target) {
  const id = uuid();
  return {
    id,
    changes: [
      { id, operation: "add", data: { shape: "flow", source: { cell: source }, target: { cell: target }, zIndex: 0 } },
    ],
  };
}

export function removed(look, ids) {
  return present(look, ids).map(({ id }) => ({ id, operation: "remove" }));
}

// -- kinship ----------------------------------------------------------------------------------------------------------

/** The nodes and all that moves with them: what boundaries contain. */
export function withChildren(look, ids) {
  const children = new Map();
  for (const cell of look.cells()) {
    if (!cell.parent || isEdge(cell)) continue;
    if (!children.has(cell.parent)) children.set(cell.parent, []);
    children.get(cell.parent).push(cell.id);
  }
  const family = new Set();
  const waiting = nodesAmong(look, ids).map(({ id }) => id);
  for (let id = waiting.pop(); id; id = waiting.pop()) {
    if (family.has(id)) continue;
    family.add(id);
    waiting.push(...(children.get(id) ?? []));
  }
  return [...family];
}

/** The boundary that a node stands in: the smallest around its middle; around all of it if it is a boundary itself. */
export function boundaryUnder(look, node, without) {
  const isAround = (other) =>
    node.shape === "security-boundary" ? encloses(other, node) : contains(other, centre(node));
  const around = [...look.cells()].filter(
    (other) => other.shape === "security-boundary" && other.id !== node.id && isAround(other),
  );
  const isOwn = ({ id }) => (without ? without.has(id) : isWithin(look, id, node.id));
  const boundaries = around.filter((one) => !isOwn(one)).sort((a, b) => a.width * a.height - b.width * b.height);
  return boundaries[0]?.id;
}

function isWithin(look, id, outer) {
  const line = new Set();
  for (let at = id; at && !line.has(at); at = look.get(at)?.parent) {
    if (at === outer) return true;
    line.add(at);
  }
  return false;
}

// -- text -------------------------------------------------------------------------------------------------------------

const TEXTS = ["attrs/text/text", "attrs/label/text"];

/** Wherever the editor that drew the cell keeps its text, there the new one goes: others may look there first. */
export function renamed(cell, label) {
  const data = {};
  if (typeof cell.label === "string") data.label = label;
  for (const path of TEXTS) {
    const [, outer, inner] = path.split("/");
    if (typeof cell.attrs?.[outer]?.[inner] === "string") data[path] = label;
  }
  const [first, ...others] = cell.labels ?? [];
  if (first) data.labels = [relabelled(first, label), ...others];
  if (Object.keys(data).length === 0) {
    if (isEdge(cell)) data.labels = [{ attrs: { text: { text: label } }, position: 0.5 }];
    else data["attrs/text/text"] = label;
  }
  return [update(cell.id, data)];
}

/** What was typed over the text that stood there when the field was opened. The same is no change, whatever others wrote meanwhile. */
export function retyped(cell, opened, typed) {
  const text = typed.trim();
  return cell && text !== opened.trim() ? renamed(cell, text) : [];
}

function relabelled(first, text) {
  const holding = ["text", "label", "labelText"].filter((one) => typeof first.attrs?.[one]?.text === "string");
  const attrs = { ...first.attrs };
  for (const key of holding.length > 0 ? holding : ["text"]) attrs[key] = { ...attrs[key], text };
  return { ...first, attrs };
}

// -- looks ------------------------------------------------------------------------------------------------------------

/** `value` null: as the theme has it. */
export function painted(look, ids, path, value) {
  return present(look, ids).map(({ id }) => update(id, { [path]: value }));
}

export const DASHES = { solid: null, dashed: "8 6", dotted: "2 5" };

export const ARROWS = {
  "to the end": { source: null, target: null },
  "to the start": { source: { name: "block" }, target: { name: "" } },
  both: { source: { name: "block" }, target: null },
  none: { source: null, target: { name: "" } },
};

export function arrowsOf({ attrs }) {
  const { sourceMarker, targetMarker } = attrs?.line ?? {};
  const has = (marker, usually) => (marker == null ? usually : Boolean(marker.name ?? marker));
  const [start, end] = [has(sourceMarker, false), has(targetMarker, true)];
  return start ? (end ? "both" : "to the start") : end ? "to the end" : "none";
}

export function pointed(look, ids, arrows) {
  const { source, target } = ARROWS[arrows];
  const edges = present(look, ids).filter(isEdge);
  return edges.map(({ id }) => update(id, { "attrs/line/sourceMarker": source, "attrs/line/targetMarker": target }));
}

/** The flow begins (`end` "source") or ends ("target") at another node; which of its dots, the drawing decides. */
export function retied(look, id, end, node) {
  return look.get(node) ? present(look, [id]).map(() => update(id, { [end]: { cell: node } })) : [];
}

// -- bends of a flow --------------------------------------------------------------------------------------------------

/** What of a flow's vertices are points; what other editors may have left there besides is not drawn either. */
export const bendsOf = ({ vertices }) => (Array.isArray(vertices) ? vertices : []).filter(isPoint);

const isPoint = (bend) => Number.isFinite(bend?.x) && Number.isFinite(bend?.y);

/** One bend more, in the middle of the longest piece; a quarter of it beside, so that it can be seen. */
export function bent(look, id) {
  return present(look, [id]).flatMap((cell) => {
    const ends = [cell.source, cell.target].map((end) => look.get(end?.cell));
    if (!ends.every(Boolean)) return [];
    const bends = bendsOf(cell);
    const points = [centre(ends[0]), ...bends, centre(ends[1])];
    const lengths = points.slice(1).map((point, at) => Math.hypot(point.x - points[at].x, point.y - points[at].y));
    const at = lengths.indexOf(Math.max(...lengths));
    const [from, to] = points.slice(at, at + 2);
    const middle = { x: (from.x + to.x) / 2 - (to.y - from.y) / 4, y: (from.y + to.y) / 2 + (to.x - from.x) / 4 };
    return [update(id, { vertices: bends.toSpliced(at, 0, { x: snapped(middle.x), y: snapped(middle.y) }) })];
  });
}

/** One bend elsewhere: `place` has the `x` or the `y` that changes. */
export function rebent(look, id, at, place) {
  return rebending(look, id, at, (bends) => bends.with(at, { ...bends[at], ...place }));
}

export function unbent(look, id, at) {
  return rebending(look, id, at, (bends) => bends.toSpliced(at, 1));
}

/** Nothing, where somebody has taken the bend away meanwhile. */
function rebending(look, id, at, after) {
  const cells = present(look, [id]).filter((cell) => at < bendsOf(cell).length);
  return cells.map((cell) => update(id, { vertices: after(bendsOf(cell)) }));
}

/** In front of all others, or behind them; among themselves they stay as they are. */
export function raised(look, ids, isToFront) {
  const moved = present(look, ids).sort((a, b) => layer(a) - layer(b));
  const own = new Set(ids);
  const others = [...look.cells()].filter(({ id }) => !own.has(id)).map(layer);
  if (others.length === 0) return [];
  const first = isToFront ? Math.max(...others) + 1 : Math.min(...others) - moved.length;
  return moved.map(({ id }, at) => update(id, { zIndex: first + at }));
}

const layer = (cell) => cell.zIndex ?? (isEdge(cell) ? 0 : cell.shape === "security-boundary" ? -1 : 1);

// -- places -----------------------------------------------------------------------------------------------------------

/** Cells at their new boxes: those that somebody has removed meanwhile are left out. */
export function placed(look, boxes) {
  return [...boxes].filter(([id]) => look.get(id)).map(([id, box]) => update(id, { ...box }));
}

/** The same, with the boundaries that nodes have been dropped into or taken out of. */
export function dropped(look, boxes) {
  const before = [...look.cells()].filter(({ shape }) => shape === "security-boundary");
  const boundaries = before.map((cell) => ({ ...cell, ...boxes.get(cell.id) }));
  const after = { get: (id) => look.get(id), cells: () => boundaries };
  return placed(look, boxes).map(({ id, data }) => {
    const cell = { ...look.get(id), ...data };
    if (isEdge(cell) || boxes.has(cell.parent)) return update(id, data);
    const parent = boundaryUnder(after, cell) ?? null;
    return update(id, parent === (cell.parent ?? null) ? data : { ...data, parent });
  });
}

const PLACES = {
  left: (box, all) => ({ x: all.x }),
  centre: (box, all) => ({ x: all.x + (all.width - box.width) / 2 }),
  right: (box, all) => ({ x: all.x + all.width - box.width }),
  top: (box, all) => ({ y: all.y }),
  middle: (box, all) => ({ y: all.y + (all.height - box.height) / 2 }),
  bottom: (box, all) => ({ y: all.y + all.height - box.height }),
};

/** Nodes in line with each other; what stands in a boundary goes with it. */
export function lined(look, ids, where) {
  const nodes = nodesAmong(look, ids);
  const all = around(nodes);
  return shifted(
    look,
    nodes.map((node) => [node, PLACES[where](node, all)]),
  );
}

/** Nodes with equal gaps; the outermost stay. `axis` is x or y. */
export function distributed(look, ids, axis) {
  const size = axis === "x" ? "width" : "height";
  const nodes = nodesAmong(look, ids).sort((a, b) => a[axis] - b[axis]);
  if (nodes.length < 3) return [];
  const room = nodes.at(-1)[axis] + nodes.at(-1)[size] - nodes[0][axis];
  const gap = (room - nodes.reduce((sum, node) => sum + node[size], 0)) / (nodes.length - 1);
  let at = nodes[0][axis];
  return shifted(
    look,
    nodes.map((node) => {
      const place = { [axis]: Math.round(at) };
      at += node[size] + gap;
      return [node, place];
    }),
  );
}

function shifted(look, places) {
  const way = (node, { x = node.x, y = node.y }) => ({ dx: Math.round(x - node.x), dy: Math.round(y - node.y) });
  return taken(look, new Map(places.map(([node, place]) => [node.id, way(node, place)])));
}

/** All of them, what stands in them and the bends of flows between them, by so much. */
export function nudged(look, ids, dx, dy) {
  return taken(look, new Map(nodesAmong(look, ids).map(({ id }) => [id, { dx, dy }])));
}

/** Nodes on their ways, `{dx, dy}` by id, each with what stands in it; bends, where both ends of their flow go so. */
function taken(look, ways) {
  const places = new Map();
  for (const cell of look.cells()) {
    const way = wayOf(look, ways, isEdge(cell) ? cell.source?.cell : cell.id);
    const other = isEdge(cell) ? wayOf(look, ways, cell.target?.cell) : way;
    if (!way || way.dx !== other?.dx || way.dy !== other.dy || (way.dx === 0 && way.dy === 0)) continue;
    const by = ({ x, y }) => ({ x: x + way.dx, y: y + way.dy });
    // Only what changes: an undo that is under way may give the other back.
    const along = { ...(way.dx !== 0 && { x: cell.x + way.dx }), ...(way.dy !== 0 && { y: cell.y + way.dy }) };
    if (!isEdge(cell)) places.set(cell.id, along);
    else if (bendsOf(cell).length > 0) places.set(cell.id, { vertices: bendsOf(cell).map(by) });
  }
  return dropped(look, places);
}

/** Its own, else that of the innermost box that it stands in and that has one; null where it stays. */
function wayOf(look, ways, id) {
  const passed = new Set();
  for (let cell = look.get(id); cell && !passed.has(cell.id); cell = look.get(cell.parent)) {
    if (ways.has(cell.id)) return ways.get(cell.id);
    passed.add(cell.id);
  }
  return null;
}

// -- copies -----------------------------------------------------------------------------------------------------------

/** The cells with all that is in them, and the flows among them, in order. */
export function copied(look, ids) {
  const own = new Set([...withChildren(look, ids), ...ids]);
  return [...look.cells()].filter((cell) =>
    isEdge(cell) ? own.has(cell.source?.cell) && own.has(cell.target?.cell) : own.has(cell.id),
  );
}

/** Copies under new ids, moved on, in the boundaries where they then stand; ties to other cells are left behind. */
export function pasted(look, cells, { dx, dy }) {
  const ids = new Map(cells.map(({ id }) => [id, uuid()]));
  const boundaries = [...look.cells()].filter(({ shape }) => shape === "security-boundary");
  const under = (cell) => (isEdge(cell) ? null : boundaryUnder({ cells: () => boundaries }, cell, new Set()));
  const isWhole = (cell) => !isEdge(cell) || [cell.source, cell.target].every((end) => ids.has(end?.cell));
  const changes = parentsFirst(cells.filter(isWhole)).map(({ id, parent, children, ...cell }) => {
    const data = isEdge(cell) ? { ...cell } : { ...cell, x: cell.x + dx, y: cell.y + dy };
    const outer = ids.get(parent) ?? under(data);
    if (outer) data.parent = outer;
    const kept = (children ?? []).filter((child) => ids.has(child)).map((child) => ids.get(child));
    if (kept.length > 0) data.children = kept;
    if (isEdge(cell)) {
      for (const end of ["source", "target"]) data[end] = { ...cell[end], cell: ids.get(cell[end].cell) };
      if (cell.vertices) data.vertices = bendsOf(cell).map(({ x, y }) => ({ x: x + dx, y: y + dy }));
    }
    return { id: ids.get(id), operation: "add", data };
  });
  return { ids: changes.map(({ id }) => id), changes };
}

/** So that nothing is missing should they not fit into one operation; flows come last. */
function parentsFirst(cells) {
  const nodes = new Map(cells.filter((cell) => !isEdge(cell)).map((cell) => [cell.id, cell]));
  const sorted = new Set();
  const visit = (cell, depth) => {
    const parent = nodes.get(cell.parent);
    if (parent && !sorted.has(parent) && depth < nodes.size) visit(parent, depth + 1);
    sorted.add(cell);
  };
  for (const node of nodes.values()) visit(node, 0);
  return [...sorted, ...cells.filter(isEdge)];
}
