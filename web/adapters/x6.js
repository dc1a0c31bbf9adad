/** Cells on an AntV X6 graph, both ways: `registerShapes(X6)` once, then `bindGraph(diagram, graph)`. */

import { isEdge } from "../sdk/codraw.js";
import { bind } from "../sdk/binding.js";
import { caption, colourOr, inkOn, SHAPES, SIDES } from "./x6-shapes.js";

export { caption, LAYING, registerShapes } from "./x6-shapes.js";

const MARKERS = new Set(["block", "classic", "diamond", "cross", "circle", "ellipse", "async"]);
const CONNECTORS = new Set(["normal", "rounded", "smooth", "jumpover"]);
const ROUTERS = { __proto__: null, orth: "orth", manhattan: "orth", metro: "orth", er: "er", oneSide: "oneSide" };
const BEHIND = { "security-boundary": -1 };
const SILENT = new Set(["tools", "markup", "children", "ports", "labels"]); // changes that `read` does not look at

/**
 * Ties a graph to a live diagram. What X6 changes by itself (a move, a resize, a new connection, a vertex, a parent, a
 * colour) is sent; labels and all else go by `diagram.edit` and are drawn here like everybody else's. `begin` and `end`
 * of what it returns make a gesture one step of undo.
 */
export function bindGraph(diagram, graph, { failed } = {}) {
  const cells = new GraphCells(graph);
  const binding = bind(diagram, {
    draw: (cell) => cells.draw(cell),
    erase: (id) => cells.erase(id),
    read: (id) => cells.read(id),
    failed,
  });
  const told = ({ cell, key }) => {
    // X6 lifts a flow to the front while an end of it is being pulled: nobody else's business.
    if (cell.isEdge()) cell.toFront = () => cell;
    if (!SILENT.has(key)) binding.changed(cell.id);
  };
  const events = ["cell:added", "cell:removed", "cell:change:*"];
  for (const event of events) graph.model.on(event, told);
  const tied = ({ edge }) => cells.tied(edge);
  graph.on("edge:connected", tied);
  const stop = () => {
    for (const event of events) graph.model.off(event, told);
    graph.off("edge:connected", tied);
    binding.stop();
  };
  return { begin: () => binding.begin(), end: () => binding.end(), flush: () => binding.flush(), stop };
}

/** Draws, erases, reads. Only what is known here gets into X6, which would interpret markup, events and links. */
export class GraphCells {
  #graph;
  #shapes = new Map(); // id -> the cell's own shape, which X6 may not know
  #ends = new Map(); // id -> where a flow was tied before it was pulled off

  constructor(graph) {
    this.#graph = graph;
  }

  draw(cell) {
    const known = this.#graph.getCellById(cell.id);
    const wanted = metadataOf(cell);
    this.#shapes.set(cell.id, cell.shape);
    if (isEdge(cell)) this.#ends.set(cell.id, { source: cell.source, target: cell.target });
    if (!known) this.#create(wanted);
    else if (known.shape === wanted.shape) update(known, wanted);
    else this.#replace(known, wanted);
    if (!isEdge(cell)) this.#adopt(cell);
  }

  erase(id) {
    const known = this.#graph.getCellById(id);
    if (known?.isNode()) for (const edge of this.#graph.getConnectedEdges(known)) this.#untie(edge);
    if (known) this.#remove(known);
    this.#shapes.delete(id);
    this.#ends.delete(id);
  }

  /** By the user, who sees it so: it is not drawn. */
  tied(edge) {
    const [source, target] = [endOf(edge.source), endOf(edge.target)];
    if (source && target) this.#ends.set(edge.id, { source, target });
  }

  /** In the words of the protocol; nothing for a flow that is not tied to anything yet. */
  read(id) {
    const known = this.#graph.getCellById(id);
    if (!known) return undefined;
    const shape = this.#shapes.get(id) ?? known.shape;
    const seen = { id, shape, zIndex: known.getZIndex() };
    const attrs = ownAttrs(known);
    if (Object.keys(attrs).length > 0) seen.attrs = attrs;
    return known.isNode() ? { ...seen, ...this.#box(known) } : this.#line(known, seen);
  }

  #box(node) {
    const parent = node.getParentId();
    const angle = node.getAngle();
    return { ...node.getPosition(), ...node.getSize(), ...(parent && { parent }), ...(angle !== 0 && { angle }) };
  }

  /** While an end is being pulled about, it is where it was. */
  #line(edge, seen) {
    const before = this.#ends.get(edge.id);
    const [source, target] = ["source", "target"].map((end) => endOf(edge[end]) ?? before?.[end]);
    if (!source || !target) return undefined;
    const vertices = edge.getVertices().map(({ x, y }) => ({ x, y }));
    return { ...seen, source, target, ...(vertices.length > 0 && { vertices }) };
  }

  #create(wanted) {
    // X6 would sort all cells for every one that comes; what is in front it knows without.
    if (wanted.source) this.#graph.addEdge(wanted, { sort: false });
    else this.#graph.addNode(wanted, { sort: false });
  }

  /** X6 would take the flows and the children of a node along; what goes with it is the server's to say. */
  #remove(known) {
    for (const child of known.getChildren() ?? []) known.unembed(child);
    // X6 would take it off the page with its next frame, and forget to if the cell is back by then.
    const view = this.#graph.findViewByCell(known);
    known.remove({ clear: true, deep: false });
    view?.remove();
  }

  /** A flow that is being pulled to a node when that goes: back to where it was, or away if it was nowhere. */
  #untie(edge) {
    const before = this.#ends.get(edge.id);
    if (!before) return void edge.remove();
    edge.setSource(before.source);
    edge.setTarget(before.target);
  }

  #replace(known, wanted) {
    const tied = this.#graph.getConnectedEdges(known).map((edge) => edge.toJSON());
    for (const { id } of tied) this.#remove(this.#graph.getCellById(id));
    this.#remove(known);
    this.#create(wanted);
    for (const edge of tied) this.#graph.addEdge(edge, { sort: false });
  }

  #adopt({ id, parent }) {
    const node = this.#graph.getCellById(id);
    const before = node.getParentId();
    if (before === parent) return;
    if (before) this.#graph.getCellById(before)?.unembed(node);
    const boundary = parent && this.#graph.getCellById(parent);
    if (boundary && !boundary.isDescendantOf(node)) boundary.addChild(node);
  }
}

function endOf({ cell, port } = {}) {
  return cell ? { cell, ...(port && { port }) } : undefined;
}

/** X6 tells only what differs from before. */
function update(known, { id, shape, x, y, width, height, ...wanted }) {
  if (x !== undefined) {
    known.setPosition(x, y);
    known.setProp("size", { width, height });
  }
  if (wanted.ports) wanted.ports = { ...known.getProp("ports"), ...wanted.ports };
  for (const [key, value] of Object.entries(wanted)) known.setProp(key, value);
}

// -- from a cell to X6 ------------------------------------------------------------------------------------------------

/** What X6 is told of a cell. */
export function metadataOf(cell) {
  const visible = cell.visible !== false;
  return isEdge(cell) ? flowOf(cell, visible) : nodeOf(cell, visible);
}

function nodeOf(cell, visible) {
  const shape = Object.hasOwn(SHAPES, cell.shape) ? cell.shape : "box";
  const { x = 0, y = 0, width = 40, height = 30, angle = 0 } = cell;
  const zIndex = cell.zIndex ?? BEHIND[cell.shape] ?? 1;
  return {
    id: cell.id,
    shape,
    x,
    y,
    width,
    height,
    angle,
    zIndex,
    visible,
    attrs: paint(cell, shape),
    ports: portsOf(cell),
  };
}

function paint(cell, shape) {
  const { body = {}, text = {} } = objects(cell.attrs);
  const fill = colourOr(body.fill);
  const usual = SHAPES[shape];
  return {
    body: {
      ...usual.body,
      ...(fill && { fill, fillOpacity: shape === "security-boundary" ? 0.18 : 1 }),
      ...plain(body, {
        stroke: colourOr,
        strokeWidth: within(0, 20),
        fillOpacity: within(0, 1),
        strokeDasharray: dashes,
      }),
    },
    text: {
      ...usual.text,
      ...(fill && shape !== "security-boundary" && { fill: inkOn(fill) }),
      ...plain(text, { fill: colourOr, fontSize: within(6, 96) }),
      caption: caption(cell),
    },
  };
}

function portsOf({ ports }) {
  const given = Array.isArray(ports) ? ports : ports?.items;
  const items = Array.isArray(given) ? given : SIDES.map((side) => ({ id: side, group: side }));
  const group = (port) => [port.group, port.id].find((name) => SIDES.includes(name)) ?? "right";
  const named = new Map(); // X6 throws at an id that comes twice: the first has it
  for (const port of items) {
    if (typeof port?.id === "string" && !named.has(port.id)) named.set(port.id, { id: port.id, group: group(port) });
  }
  return { items: [...named.values()] };
}

function flowOf(cell, visible) {
  const { line = {} } = objects(cell.attrs);
  const router = ROUTERS[cell.router?.name ?? cell.router];
  const connector = cell.connector?.name ?? cell.connector;
  return {
    id: cell.id,
    shape: "flow",
    source: endOf(cell.source),
    target: endOf(cell.target),
    vertices: list(cell.vertices).filter(isPoint).map(({ x, y }) => ({ x, y })),
    zIndex: cell.zIndex ?? 0,
    visible,
    router: { name: router ?? "lanes" },
    connector: { name: CONNECTORS.has(connector) ? connector : "rounded" },
    labels: labelsOf(cell),
    attrs: {
      wrap: SHAPES.flow.wrap,
      line: {
        ...SHAPES.flow.line,
        ...plain(line, { stroke: colourOr, strokeWidth: within(0.5, 20), strokeDasharray: dashes }),
        ...plain(line, { sourceMarker: marker, targetMarker: marker }),
      },
    },
  };
}

function labelsOf(cell) {
  const own = caption(cell);
  const [first, ...others] = list(cell.labels).slice(0, 20);
  const texts = [
    { ...first, text: own },
    ...others.map((label) => ({ ...label, text: caption({ labels: [label] }) })),
  ];
  return texts
    .filter(({ text }) => text !== "")
    .map(({ text, position }) => ({ attrs: { text: { caption: text } }, position: positionOf(position) }));
}

function positionOf(position) {
  const { distance, offset } = typeof position === "object" && position ? position : { distance: position };
  return { distance: Number.isFinite(distance) ? distance : 0.5, offset: Number.isFinite(offset) ? offset : 0 };
}

const list = (value) => (Array.isArray(value) ? value : []);
const isPoint = (value) => Number.isFinite(value?.x) && Number.isFinite(value?.y);
const objects = (value) => (typeof value === "object" && value !== null ? value : {});
const within = (least, most) => (value) =>
  Number.isFinite(Number(value)) ? Math.min(most, Math.max(least, Number(value))) : undefined;
const dashes = (value) => (/^[\d.,\s]{0,40}$/.test(String(value ?? "-")) ? String(value) : undefined);

function marker(value) {
  if (value === null || value === "" || value?.name === "") return "";
  const name = value?.name ?? value;
  if (!MARKERS.has(name)) return undefined;
  const size = within(2, 40)(value?.size);
  return size ? { name, size } : { name };
}

/** The keys that are there, each if its check lets something pass. */
function plain(given, checks) {
  const passed = Object.entries(checks).map(([key, check]) => [
    key,
    Object.hasOwn(objects(given), key) ? check(given[key]) : undefined,
  ]);
  return Object.fromEntries(passed.filter(([, value]) => value !== undefined));
}

const same = (a, b) => a === b || JSON.stringify(a) === JSON.stringify(b);

/** What of a cell's attrs is not as the shape has it. */
function ownAttrs(known) {
  const attrs = {};
  for (const [selector, usual] of Object.entries(SHAPES[known.shape] ?? {})) {
    for (const [key, value] of Object.entries(known.getAttrs()[selector] ?? {})) {
      if (key !== "caption" && !same(value, usual[key])) (attrs[selector] ??= {})[key] = value;
    }
  }
  return attrs;
}
