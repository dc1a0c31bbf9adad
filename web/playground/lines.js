/** How the lines of edges run. Pure; a box is `{x, y, width, height}`. */

import { centre } from "../shell/drawing/geometry.js";

/** Where the line from the middle of a box towards a point leaves it. */
export function border(box, isRound, towards) {
  const from = centre(box);
  const dx = towards.x - from.x;
  const dy = towards.y - from.y;
  if (dx === 0 && dy === 0) return from;
  const [a, b] = [box.width / 2, box.height / 2];
  const scale = isRound ? 1 / Math.hypot(dx / a, dy / b) : Math.min(a / Math.abs(dx), b / Math.abs(dy));
  return { x: from.x + dx * scale, y: from.y + dy * scale };
}

const BOW = 36;
const ARROW = 10;

/**
 * The line of an edge. `lane` bends lines between the same two boxes apart: 0 is straight.
 * @returns `{line, arrow, middle}`: two path texts and the place of the label
 */
export function route(source, target, { vertices = [], lane = 0, isLoop = false }) {
  if (isLoop) return loop(source);
  const bend = lane === 0 || vertices.length > 0 ? [] : [bent(centre(source), centre(target), lane * BOW)];
  const between = vertices.length > 0 ? vertices : bend;
  const start = border(source, source.isRound, between[0] ?? centre(target));
  const end = border(target, target.isRound, between.at(-1) ?? centre(source));
  const line =
    bend.length > 0
      ? `M${at(start)}Q${at(bend[0])} ${at(end)}`
      : [start, ...between, end].map((point, index) => (index ? "L" : "M") + at(point)).join("");
  const middle = bend.length > 0 ? quadratic(start, bend[0], end) : halfway([start, ...between, end]);
  return { line, middle, arrow: arrowhead(between.at(-1) ?? start, end) };
}

function loop({ x, y, width, height }) {
  const start = { x: x + width * 0.75, y: y + height * 0.12 };
  const end = { x: x + width * 0.97, y: y + height * 0.36 };
  const [c1, c2] = [
    { x: start.x, y: y - 50 },
    { x: x + width + 60, y: end.y - 20 },
  ];
  return {
    line: `M${at(start)}C${at(c1)} ${at(c2)} ${at(end)}`,
    arrow: arrowhead(c2, end),
    middle: { x: x + width + 10, y: y - 18 },
  };
}

/** A point beside the middle of a line; the side does not depend on the line's direction. */
function bent(from, to, distance) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const sign = from.x < to.x || (from.x === to.x && from.y < to.y) ? 1 : -1;
  const [nx, ny] = [(sign * (to.y - from.y)) / length, (-sign * (to.x - from.x)) / length];
  return { x: (from.x + to.x) / 2 + nx * distance, y: (from.y + to.y) / 2 + ny * distance };
}

const quadratic = (a, b, c) => ({ x: (a.x + 2 * b.x + c.x) / 4, y: (a.y + 2 * b.y + c.y) / 4 });

function halfway(points) {
  const lengths = points
    .slice(1)
    .map((point, index) => Math.hypot(point.x - points[index].x, point.y - points[index].y));
  let left = lengths.reduce((sum, length) => sum + length, 0) / 2;
  for (const [index, length] of lengths.entries()) {
    if (left <= length && length > 0) {
      const [a, b] = [points[index], points[index + 1]];
      return { x: a.x + ((b.x - a.x) * left) / length, y: a.y + ((b.y - a.y) * left) / length };
    }
    left -= length;
  }
  return points[0];
}

function arrowhead(from, tip) {
  const angle = Math.atan2(tip.y - from.y, tip.x - from.x);
  const wing = (turn) => ({ x: tip.x - ARROW * Math.cos(angle + turn), y: tip.y - ARROW * Math.sin(angle + turn) });
  return `M${at(wing(0.42))}L${at(tip)}L${at(wing(-0.42))}Z`;
}

const at = ({ x, y }) => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`;
