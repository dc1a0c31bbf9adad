/** A small picture of cells, for what has no diagram yet. Labels are left out: they could not be read. */

import { isEdge } from "../../sdk/cells.js";
import { s } from "../dom.js";
import { around } from "../drawing/geometry.js";

const MARGIN = 24;

export function sketch(cells) {
  const boxes = new Map(cells.filter((cell) => !isEdge(cell)).map((box) => [box.id, box]));
  const all = [...boxes.values()];
  const { x, y, width, height } = around(all);
  return s(
    "svg",
    {
      class: "miniature",
      viewBox: `${x - MARGIN} ${y - MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`,
      "aria-hidden": "true",
    },
    all.filter(({ shape }) => shape === "security-boundary").map(outline),
    cells.filter(isEdge).map(({ source, target }) => line(boxes.get(source.cell), boxes.get(target.cell))),
    all.filter(({ shape }) => shape !== "security-boundary").map(outline),
  );
}

function outline({ shape, x, y, width, height }) {
  if (shape !== "process") return s("rect", { class: shape, x, y, width, height, rx: shape === "security-boundary" ? 14 : 3 });
  return s("ellipse", { class: shape, cx: x + width / 2, cy: y + height / 2, rx: width / 2, ry: height / 2 });
}

function line(from, to) {
  const [x1, y1, x2, y2] = [from, to].flatMap(({ x, y, width, height }) => [x + width / 2, y + height / 2]);
  return s("line", { x1, y1, x2, y2 });
}
