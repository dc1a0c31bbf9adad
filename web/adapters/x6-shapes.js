/** How the protocol's shapes look in X6. Colours are custom properties, so that light and dark need no redrawing. */

export const SIDES = ["top", "right", "bottom", "left"];

const body = (name, more = {}) => ({
  fill: `var(--${name})`,
  stroke: `var(--${name}-line)`,
  strokeWidth: 1.6,
  refWidth: "100%",
  refHeight: "100%",
  ...more,
});
const text = (more = {}) => ({ fill: "var(--ink)", fontSize: 14, fontWeight: 500, textAnchor: "middle", ...more });

/** Attributes by selector, as every cell of a shape has them. */
export const SHAPES = {
  actor: { body: body("actor", { rx: 4 }), text: text() },
  process: {
    body: body("process", { refWidth: null, refHeight: null, refCx: "50%", refCy: "50%", refRx: "50%", refRy: "50%" }),
    text: text(),
  },
  store: { body: body("store", { openSides: true, strokeWidth: 2.2 }), text: text() },
  "security-boundary": {
    body: body("boundary", { rx: 14, strokeDasharray: "7 5" }),
    text: text({ fill: "var(--boundary-line)", fontSize: 13, fontWeight: 600, textAnchor: "start" }),
  },
  "text-box": {
    body: body("text-box", { fill: "transparent", stroke: "transparent", rx: 4 }),
    text: text({ fontWeight: 400 }),
  },
  box: { body: body("box", { fill: "var(--surface)", stroke: "var(--edge)", rx: 8 }), text: text() },
  flow: {
    wrap: { connection: true, fill: "none", stroke: "none", strokeWidth: 16, pointerEvents: "stroke" },
    line: {
      stroke: "var(--edge)",
      strokeWidth: 1.7,
      connection: true,
      fill: "none",
      targetMarker: { name: "block", width: 10, height: 8 },
    },
  },
};

const TAGS = { process: "ellipse" };

/** Tells X6 the shapes, and how flows are laid. Once per page, before the first graph. */
export function registerShapes(X6) {
  // A content security policy forbids the <style> elements of X6; what is needed of them is in a style sheet.
  X6.Config.autoInsertCSS = false;
  // With selectors of CSS every change of a node would draw its ports anew.
  X6.Config.useCSSSelector = false;
  const { Graph } = X6;
  Graph.registerAttr(
    "caption",
    { set: (value, { elem, refBBox, view, attrs }) => write(elem, value, refBBox, view.cell, attrs) },
    true,
  );
  Graph.registerAttr(
    "openSides",
    { set: (_, { refBBox }) => ({ "stroke-dasharray": `${refBBox.width} ${refBBox.height}` }) },
    true,
  );
  registerLines(X6);
  for (const [shape, attrs] of Object.entries(SHAPES)) {
    if (shape !== "flow")
      Graph.registerNode(
        shape,
        { markup: markupOf(shape), portMarkup: PORT, ports: { groups: groups() }, attrs },
        true,
      );
  }
  Graph.registerEdge("flow", { markup: FLOW, attrs: SHAPES.flow, defaultLabel: LABEL }, true);
}

const markupOf = (shape) => [
  { tagName: TAGS[shape] ?? "rect", selector: "body", className: "x6-body" },
  { tagName: "text", selector: "text", className: "caption" },
];
const PORT = [{ tagName: "circle", selector: "port", className: "port", attrs: { r: 5, magnet: "true" } }];
const groups = () => Object.fromEntries(SIDES.map((side) => [side, { position: side, markup: PORT }]));
const FLOW = [
  { tagName: "path", selector: "wrap" },
  { tagName: "path", selector: "line", className: "x6-line", attrs: { "pointer-events": "none" } },
];
const LABEL = {
  markup: [{ tagName: "text", selector: "text", className: "caption" }],
  attrs: { text: { fill: "var(--ink)", fontSize: 12.5, fontWeight: 500, textAnchor: "middle" } },
  position: { distance: 0.5 },
};

// -- lines: from the model alone, so that a flow is right where its boxes are not drawn (and nothing is measured) -----

/** Options of a graph that lays flows so; `connecting` of `new X6.Graph`. */
export const LAYING = { anchor: "port", connectionPoint: "border", router: "lanes", connector: "rounded" };
const LANE = 36;
const LABEL_STEP = 46; // two lines of text, and a little

function registerLines({ Graph, Point }) {
  Graph.registerAnchor(
    "port",
    function (view, _magnet, _ref, _args, type) {
      return Point.create(anchorOf(view.cell, this.cell[type].port));
    },
    true,
  );
  Graph.registerConnectionPoint(
    "border",
    function (line, view, _magnet, _args, type) {
      return this.cell[type].port && view.cell.hasPort(this.cell[type].port)
        ? line.end
        : Point.create(border(view.cell, line.start));
    },
    true,
  );
  Graph.registerRouter("lanes", (vertices, _args, view) => (vertices.length > 0 ? vertices : bend(view.cell)), true);
}

function anchorOf(node, portId) {
  const { x, y, width, height } = node.getBBox();
  const port = portId && node.getPort(portId);
  if (!port) return { x: x + width / 2, y: y + height / 2 };
  const { position } = node.getPortsPosition(port.group)[portId];
  return { x: x + position.x, y: y + position.y };
}

/** Where the line from a point to the middle of a node meets its border. */
function border(node, from) {
  const { x, y, width, height } = node.getBBox();
  const [a, b] = [width / 2, height / 2];
  const [dx, dy] = [from.x - x - a, from.y - y - b];
  const reach = node.shape === "process" ? Math.hypot(dx / a, dy / b) : Math.max(Math.abs(dx) / a, Math.abs(dy) / b);
  return reach <= 1 ? { x: x + a, y: y + b } : { x: x + a + dx / reach, y: y + b + dy / reach };
}

/** A flow from a node to itself goes around its corner. */
function around({ x, y, width, height }) {
  const [right, top] = [x + width + 32, y - 32];
  return [
    { x: x + width * 0.7, y: top },
    { x: right, y: top },
    { x: right, y: y + height * 0.25 },
  ];
}

/** Flows between the same two nodes lie beside each other. */
function bend(edge) {
  const [source, target] = [edge.getSourceCell(), edge.getTargetCell()];
  if (source && source === target) return around(source.getBBox());
  const lane = laneOf(edge);
  if (lane === 0) return [];
  // The side must not depend on the direction of a flow.
  const [from, to] = [source, target].sort((a, b) => (a.id < b.id ? -1 : 1)).map((node) => node.getBBox().getCenter());
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const shift = (lane * LANE) / length;
  return [{ x: (from.x + to.x) / 2 + (to.y - from.y) * shift, y: (from.y + to.y) / 2 - (to.x - from.x) * shift }];
}

/** 0 for a flow that lies alone; of two -0.5 and 0.5, and so on. */
function laneOf(edge) {
  const [source, target] = [edge.getSourceCell(), edge.getTargetCell()];
  if (!source || !target || source === target || edge.source.port || edge.target.port) return 0;
  const isBeside = ({ source: { cell: from }, target: { cell: to } }) =>
    (from === source.id && to === target.id) || (from === target.id && to === source.id);
  const flows = edge.model.getConnectedEdges(source).filter((one) => isBeside(one) && one.getVertices().length === 0);
  const ids = flows.map(({ id }) => id).sort();
  return ids.includes(edge.id) ? ids.indexOf(edge.id) - (ids.length - 1) / 2 : 0;
}

/** How far up or down the label of a flow stands, so that those of upright lanes do not cover each other. */
function labelShift(edge) {
  const lane = laneOf(edge);
  if (lane === 0) return 0;
  const [from, to] = [edge.getSourceCell(), edge.getTargetCell()].map((node) => node.getBBox().getCenter());
  return Math.abs(to.y - from.y) > Math.abs(to.x - from.x) ? lane * LABEL_STEP : 0;
}

// -- text -------------------------------------------------------------------------------------------------------------

/** The text of a cell, wherever the editor that drew it keeps it. */
export function caption(cell) {
  const label = cell.labels?.[0]?.attrs;
  const texts = [
    cell.label,
    cell.attrs?.text?.text,
    cell.attrs?.label?.text,
    label?.text?.text,
    label?.label?.text,
    label?.labelText?.text,
  ];
  return texts.find((one) => typeof one === "string") ?? "";
}

/** As text, in lines that fit: never markup. `refBBox` is the box of the node; a flow's label has none to fit. */
function write(elem, value, refBBox, cell, { fontSize = 14, fontWeight = 500 }) {
  const line = Number(fontSize) * 1.22;
  const { width, height } = cell.isNode() ? refBBox : { width: 0, height: 2 * labelShift(cell) };
  const isBoundary = cell.shape === "security-boundary";
  const room = cell.isNode() ? width * (cell.shape === "process" ? 0.8 : 1) - 14 - (isBoundary ? 14 : 0) : 170;
  const most = isBoundary ? 1 : cell.isNode() ? Math.max(1, Math.floor((height - 6) / line)) : 4;
  const lines = wrapped(value, `${fontWeight} ${fontSize}px system-ui, sans-serif`, room, most);
  const x = isBoundary ? 14 : width / 2;
  const first = isBoundary ? 8 + line : height / 2 - ((lines.length - 1) * line) / 2 + Number(fontSize) * 0.35;
  elem.replaceChildren(...lines.map((words, at) => tspan(words, x, first + at * line)));
}

function tspan(words, x, y) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "tspan");
  element.setAttribute("x", x);
  element.setAttribute("y", y);
  element.textContent = words;
  return element;
}

let ruler;
/** Measured without the document: X6's own wrapping lays the page out for every word. */
function measured(font, words) {
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.font = font;
  return ruler.measureText(words).width;
}

// As in rest/image/measures.py: Chinese and Japanese have no spaces, and a line may end behind each letter, but for what
// closes a sentence or a bracket.
const LETTERS = "\\u2e80-\\u2fff\\u3005-\\u3007\\u3021-\\u30ff\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
const CLOSING = "\\u3001\\u3002\\u3009\\u300b\\u300d\\u300f\\u3011\\uff01\\uff09\\uff0c\\uff0e\\uff1a\\uff1b\\uff1f";
const WORD = new RegExp(`(\\s*)((?:[${LETTERS}]|[^\\s${LETTERS}${CLOSING}]+)[${CLOSING}]*|[${CLOSING}]+)`, "gu");

/** Lines no wider than `room`, at most `most`, the last one cut short if there is more. */
export function wrapped(label, font, room, most, width = measured) {
  const fits = (words) => width(font, words) <= room;
  const lines = [];
  for (const paragraph of [...label.slice(0, 1200)].slice(0, 600).join("").split("\n")) {
    let at = -1;
    for (const [, gap, word] of paragraph.trimEnd().matchAll(WORD)) {
      const longer = at < 0 ? word : lines[at] + (gap && " ") + word;
      if (at >= 0 && fits(longer)) lines[at] = longer;
      else at = lines.push(word) - 1;
    }
  }
  const shown = lines.slice(0, most);
  if (lines.length > most) shown[most - 1] += " …";
  return shown.map((line) => (fits(line) ? line : shortened(line, fits)));
}

/** By characters: half of an emoji is none. */
function shortened(line, fits) {
  const characters = [...line];
  const cut = (length) => `${characters.slice(0, length).join("")}…`;
  let [least, most] = [1, characters.length];
  while (most - least > 1) {
    const middle = (least + most) >> 1;
    if (fits(cut(middle))) least = middle;
    else most = middle;
  }
  return cut(least);
}

// -- colours ----------------------------------------------------------------------------------------------------------

const COLOUR = /^(#[0-9a-f]{3,8}|[a-z]{3,24}|(rgb|hsl)a?\([\d\s.,%/]{1,40}\))$/i;

/** A colour that a stranger sent, if it is a plain one: no `url(…)`, no `var(…)`. */
export const colourOr = (value, otherwise) => (typeof value === "string" && COLOUR.test(value) ? value : otherwise);

/** Black or white, whichever is read more easily on a colour. */
export function inkOn(colour) {
  const [r, g, b, alpha] = channels(colour);
  if (alpha < 0.5) return "var(--ink)";
  return r * 0.299 + g * 0.587 + b * 0.114 < 140 ? "#ffffff" : "#1b2430";
}

function channels(colour) {
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(colour);
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})?$/i.exec(colour);
  if (short) return [...short.slice(1).map((digit) => Number.parseInt(digit + digit, 16)), 1];
  if (long)
    return [...long.slice(1, 4).map((pair) => Number.parseInt(pair, 16)), Number.parseInt(long[4] ?? "ff", 16) / 255];
  if (typeof document === "undefined") return [255, 255, 255, 1];
  ruler ??= document.createElement("canvas").getContext("2d");
  ruler.fillStyle = "#ffffff";
  ruler.fillStyle = colour;
  const rgba = /^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/.exec(ruler.fillStyle);
  return rgba ? rgba.slice(1).map(Number) : channels(ruler.fillStyle);
}
