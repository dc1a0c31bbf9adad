/** What the page's user can do, as changes of cells. Pure: a `look` is anything with `get(id)` and `cells()`. */

import { isEdge, uuid } from "../sdk/codraw.js";
import { centre, contains, encloses, snapped } from "./geometry.js";

export const SHAPES = {
  process: { name: "Process", width: 128, height: 80, key: "p" },
  store: { name: "Store", width: 144, height: 64, key: "s" },
  actor: { name: "Actor", width: 128, height: 64, key: "a" },
  "security-boundary": { name: "Boundary", width: 320, height: 240, key: "b" },
  "text-box": { name: "Text", width: 144, height: 48, key: "t" },
};

export const SMALLEST = { width: 40, height: 30 };

/** A new box with its middle at a point. */
export function added(look, shape, point) {
  const { name, width, height } = SHAPES[shape];
  const box = { x: snapped(point.x - width / 2), y: snapped(point.y - height / 2), width, height };
  const id = uuid();
  const parent = boundaryUnder(look, { ...box, id, shape });
  return { id, changes: [{ id, operation: "add", data: { shape, ...box, label: name, ...(parent && { parent }) } }] };
}

export function connected(source, target) {
  const id = uuid();
  return {
    id,
    changes: [{ id, operation: "add", data: { shape: "flow", source: { cell: source }, target: { cell: target } } }],
  };
}

export function removed(look, ids) {
  return ids.filter((id) => look.get(id)).map((id) => ({ id, operation: "remove" }));
}

/** Boxes where they are now. Cells that somebody has removed meanwhile are left out: one of them would refuse all. */
export function placed(look, boxes) {
  return [...boxes].filter(([id]) => look.get(id)).map(([id, box]) => ({ id, operation: "update", data: { ...box } }));
}

/** The same, with the boundaries that the boxes have been dropped into or taken out of. */
export function dropped(look, boxes) {
  return placed(look, boxes).map((change) => {
    const cell = { ...look.get(change.id), ...change.data };
    if (boxes.has(cell.parent)) return change;
    const parent = boundaryUnder(look, cell) ?? null;
    return parent === (cell.parent ?? null) ? change : { ...change, data: { ...change.data, parent } };
  });
}

/** The cells and all that moves with them: what boundaries contain. */
export function withChildren(look, ids) {
  const family = new Set(ids.filter((id) => look.get(id) && !isEdge(look.get(id))));
  for (let grown = true; grown;) {
    const before = family.size;
    for (const cell of look.cells()) if (family.has(cell.parent) && !isEdge(cell)) family.add(cell.id);
    grown = family.size > before;
  }
  return [...family];
}

function boundaryUnder(look, cell) {
  const own = new Set(withChildren(look, [cell.id]));
  const under = [...look.cells()].filter(
    (other) =>
      other.shape === "security-boundary" &&
      other.id !== cell.id &&
      !own.has(other.id) &&
      (cell.shape === "security-boundary" ? encloses(other, cell) : contains(other, centre(cell))),
  );
  under.sort((a, b) => a.width * a.height - b.width * b.height);
  return under[0]?.id;
}

/** The text of a cell, wherever the editor that drew it keeps it. */
export function labelOf(cell) {
  const label = cell.labels?.[0]?.attrs;
  const texts = [
    cell.label,
    cell.attrs?.text?.text,
    cell.attrs?.label?.text,
    label?.label?.text,
    label?.text?.text,
    label?.labelText?.text,
  ];
  return texts.find((text) => typeof text === "string") ?? "";
}

export function renamed(cell, label) {
  const key = ["attrs/text/text", "attrs/label/text"].find((path) => {
    const [, outer, inner] = path.split("/");
    return cell.label === undefined && typeof cell.attrs?.[outer]?.[inner] === "string";
  });
  return [{ id: cell.id, operation: "update", data: { [key ?? "label"]: label } }];
}

/** null: as the theme has it. */
export function coloured(look, ids, fill) {
  return ids
    .filter((id) => look.get(id))
    .map((id) => {
      const key = isEdge(look.get(id)) ? "attrs/line/stroke" : "attrs/body/fill";
      return { id, operation: "update", data: { [key]: fill } };
    });
}

/** A colour that a stranger sent, if it is a plain one. */
export function colourOf(cell) {
  const colour = isEdge(cell) ? cell.attrs?.line?.stroke : cell.attrs?.body?.fill;
  return typeof colour === "string" && /^#[0-9a-f]{6}$/i.test(colour) ? colour : null;
}
