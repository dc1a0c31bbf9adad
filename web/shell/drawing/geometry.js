/** Where things are and where they snap. Pure; a box is `{x, y, width, height}` in world coordinates. */

export const GRID = 8;

export const snapped = (value) => Math.round(value / GRID) * GRID;

export const centre = ({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 });

export const contains = (box, { x, y }) =>
  x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

export const encloses = (outer, inner) =>
  contains(outer, inner) && contains(outer, { x: inner.x + inner.width, y: inner.y + inner.height });

export const touches = (a, b) =>
  a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;

/** The box between two corners, whichever they are. */
export const between = (a, b) => ({
  x: Math.min(a.x, b.x),
  y: Math.min(a.y, b.y),
  width: Math.abs(a.x - b.x),
  height: Math.abs(a.y - b.y),
});

/** The smallest box around all of them, of which any may be missing; null around nothing. */
export function around(boxes) {
  const found = boxes.filter(Boolean);
  if (found.length === 0) return null;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of found) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** A box pulled by `(dx, dy)` at a handle (`n`, `se` …): never smaller than `least`, its pulled sides `on` the grid. */
export function pulled({ x, y, width, height }, handle, dx, dy, least, on = snapped) {
  const box = { x, y, width, height };
  if (handle.includes("e")) box.width = Math.max(least.width, on(x + width + dx) - x);
  if (handle.includes("s")) box.height = Math.max(least.height, on(y + height + dy) - y);
  if (handle.includes("w")) {
    box.x = Math.min(x + width - least.width, on(x + dx));
    box.width = x + width - box.x;
  }
  if (handle.includes("n")) {
    box.y = Math.min(y + height - least.height, on(y + dy));
    box.height = y + height - box.y;
  }
  return box;
}

/** A part of a box when the box becomes another: in whole numbers, where it lies on a side it still does. */
export function stretched(part, before, after) {
  return { ...along(part, before, after, "x", "width"), ...along(part, before, after, "y", "height") };
}

function along(part, before, after, at, size) {
  if (after[at] === before[at] && after[size] === before[size]) return { [at]: part[at], [size]: part[size] };
  const place = (from) => {
    if (from === before[at]) return after[at];
    if (from === before[at] + before[size]) return after[at] + after[size];
    return Math.round(after[at] + ((from - before[at]) * after[size]) / before[size]);
  };
  const start = place(part[at]);
  return { [at]: start, [size]: place(part[at] + part[size]) - start };
}

const EDGES = [0, 0.5, 1];

/**
 * Lines on which a moving box would stand in line with others, no further than `reach` away.
 * @returns `{dx, dy, guides}`: how far to move it on, and the lines to show `{x}` or `{y}` with `from` and `to`
 */
export function aligned(box, others, reach) {
  const across = nearest(box, others, reach, "x", "width");
  const down = nearest(box, others, reach, "y", "height");
  const moved = { ...box, x: box.x + (across?.by ?? 0), y: box.y + (down?.by ?? 0) };
  const guides = [];
  if (across) guides.push({ x: across.at, ...span(moved, across.other, "y", "height") });
  if (down) guides.push({ y: down.at, ...span(moved, down.other, "x", "width") });
  return { dx: across?.by, dy: down?.by, guides };
}

function nearest(box, others, reach, at, size) {
  let best = null;
  for (const other of others) {
    for (const part of EDGES) {
      for (const own of EDGES) {
        const line = other[at] + other[size] * part;
        const by = line - (box[at] + box[size] * own);
        if (Math.abs(by) <= reach && (!best || Math.abs(by) < Math.abs(best.by))) best = { by, at: line, other };
      }
    }
  }
  return best;
}

const span = (a, b, at, size) => ({ from: Math.min(a[at], b[at]), to: Math.max(a[at] + a[size], b[at] + b[size]) });
