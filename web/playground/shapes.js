/** One cell as SVG. */

import { caption, colourOr, inkOn, wrapped } from "../adapters/x6-shapes.js";
import { isEdge } from "../sdk/codraw.js";
import { assign, s } from "../shell/dom.js";
import { SHAPES } from "../shell/drawing/commands.js";

const FONT = "500 14px system-ui, sans-serif";
const LINE = 17;

export const isRound = ({ shape }) => shape === "process";

/** An empty group for a cell; `drawNode` and `drawEdge` fill it as often as the cell changes. */
export function groupFor(cell) {
  const edge = isEdge(cell);
  const parts = edge
    ? [
        s("path", { class: "grip" }),
        s("path", { class: "line" }),
        s("path", { class: "arrow" }),
        s("text", { class: "label" }),
      ]
    : [s("title"), ...outline(cell), s("text", { class: "label" })];
  return s(
    "g",
    { class: `cell ${edge ? "edge" : "node"} ${known(cell.shape)}`, "data-id": cell.id, tabindex: 0 },
    parts,
  );
}

const known = (shape) => (shape in SHAPES ? shape : "other");

function outline({ shape }) {
  if (isRound({ shape })) return [s("ellipse", { class: "body" })];
  if (shape === "store") return [s("rect", { class: "area" }), s("path", { class: "body" })];
  return [s("rect", { class: "body", rx: { "security-boundary": 14, actor: 3, "text-box": 4 }[shape] ?? 8 })];
}

export function drawNode(group, cell, box) {
  const body = group.querySelector(".body");
  const { width, height } = box;
  assign(group, {
    transform: `translate(${box.x} ${box.y})`,
    "aria-label": `${SHAPES[cell.shape]?.name ?? cell.shape} ${caption(cell)}`,
  });
  if (body.tagName === "ellipse") assign(body, { cx: width / 2, cy: height / 2, rx: width / 2, ry: height / 2 });
  else if (body.tagName === "path") assign(body, { d: `M0 0H${width}M0 ${height}H${width}` });
  for (const rect of group.querySelectorAll("rect")) assign(rect, { width, height });
  paint(group, cell);
  group.querySelector("title").textContent = caption(cell);
  drawLabel(group.querySelector(".label"), cell, box);
}

/** A word that only looks like a colour would leave the cell black. */
function paint(group, cell) {
  const given = colourOr(isEdge(cell) ? cell.attrs?.line?.stroke : cell.attrs?.body?.fill, "");
  const colour = CSS.supports("color", given) ? given : null;
  group.classList.toggle("painted", colour !== null);
  group.style.setProperty("--paint", colour ?? "");
  group.style.setProperty("--paint-ink", colour ? inkOn(colour) : "");
}

function drawLabel(text, cell, { width, height }) {
  const isBoundary = cell.shape === "security-boundary";
  const room = isRound(cell) ? width * 0.78 : width - 16;
  const most = isBoundary ? 1 : Math.max(1, Math.floor((height - 8) / LINE));
  const lines = wrapped(caption(cell), FONT, room, most);
  const x = isBoundary ? 14 : width / 2;
  const first = isBoundary ? 24 : height / 2 - ((lines.length - 1) * LINE) / 2 + 5;
  text.replaceChildren(...lines.map((line, index) => s("tspan", { x, y: first + index * LINE }, line)));
}

export function drawEdge(group, cell, { line, arrow, middle }, ends) {
  const [grip, drawn, head] = group.children;
  assign(grip, { d: line });
  assign(drawn, { d: line });
  assign(head, { d: arrow });
  assign(group, { "aria-label": `Flow ${caption(cell)} from ${caption(ends.source)} to ${caption(ends.target)}` });
  paint(group, cell);
  const text = group.querySelector(".label");
  text.replaceChildren(s("tspan", { x: middle.x, y: middle.y - 6 }, caption(cell).slice(0, 80)));
}

/** A frame around what is selected. */
export function frameOf(box) {
  const pad = 6;
  return s(
    "g",
    { class: "frame" },
    s("rect", { x: box.x - pad, y: box.y - pad, width: box.width + 2 * pad, height: box.height + 2 * pad, rx: 6 }),
  );
}
