/** The drawing for those who do not see it: the order of cells, the way through them, each in words. */

import { caption } from "../../adapters/x6-shapes.js";
import { isEdge } from "../../sdk/codraw.js";
import { SHAPES } from "../../shell/drawing/commands.js";

/** Nodes as one reads, then flows. */
export function inReadingOrder(cells) {
  const nodes = cells.filter((cell) => !isEdge(cell)).sort((a, b) => a.y - b.y || a.x - b.x);
  return [...nodes, ...cells.filter(isEdge)].map(({ id }) => id);
}

/**
 * One step (1 or -1) through `ids` from what is selected last; what is `kept` stays selected on the way.
 * @returns `{id, at, selection}`; null past the ends
 */
export function walked(ids, selection, kept, step) {
  const from = ids.indexOf(selection.at(-1));
  const at = from < 0 && step < 0 ? ids.length - 1 : from + step;
  const id = ids[at];
  return id ? { id, at, selection: [...kept.filter((one) => one !== id), id] } : null;
}

/** A cell in words. */
export function spoken(look, id) {
  const cell = look.get(id);
  const name = (one) => (one ? `${SHAPES[one.shape]?.name ?? one.shape} ${caption(one)}`.trim() : "nothing");
  if (!isEdge(cell)) return name(cell);
  return `Flow ${caption(cell)} from ${name(look.get(cell.source.cell))} to ${name(look.get(cell.target.cell))}`;
}
