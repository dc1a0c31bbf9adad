/**
 * Cells on the client's side: canonical spelling of a change, the merge rule of `update`, and changes laid over cells.
 */

import { canonicalJson } from "./statehash.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NODES = new Set(["actor", "process", "store", "security-boundary", "text-box"]);
const SHAPES = {
  datastore: "store",
  "data-store": "store",
  edge: "flow",
  link: "flow",
  "data-flow": "flow",
  dataflow: "flow",
  textbox: "text-box",
  boundary: "security-boundary",
  "trust-boundary": "security-boundary",
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const spelled = (id) => (typeof id === "string" && UUID.test(id) ? id.toLowerCase() : id);

export function isEdge(cell) {
  return cell.shape === "flow" || (!NODES.has(cell.shape) && ("source" in cell || "target" in cell));
}

/**
 * The changes of one operation as the server would spell them: geometry flat, ids lower-case, ends as `{cell, port?}`.
 * A copy: later changes to the argument have no effect. It judges nothing; that is the server's part.
 */
export function canonicalChanges(changes) {
  return JSON.parse(JSON.stringify(changes)).map(({ id, operation, data }) => {
    const change = { id: spelled(id), operation };
    if (operation !== "remove" && isObject(data)) change.data = canonicalData(data, operation === "add");
    return change;
  });
}

function canonicalData({ id, position, size, ...given }, isWhole) {
  const data = {};
  const paths = {};
  for (const key of Object.keys(given).sort()) {
    const isAbsent = isWhole && given[key] === null; // what null means in an `add`
    if (!isAbsent) (isPath(key) ? paths : data)[key] = given[key];
  }
  flatten(data, position, ["x", "y"]);
  flatten(data, size, ["width", "height"]);
  if (isWhole && data.shape == null && data.type != null) data.shape = data.type;
  if (Object.hasOwn(SHAPES, data.shape)) data.shape = SHAPES[data.shape];
  for (const key of ["source", "target"]) if (data[key] != null) data[key] = canonicalEnd(data[key]);
  if ("parent" in data) data.parent = spelled(data.parent);
  if (Array.isArray(data.children)) data.children = data.children.map(spelled);
  // Paths come last, each after the paths it continues: the order in which keys were written does not matter.
  return isWhole ? mergeCell({}, { ...data, ...paths }) : { ...data, ...paths };
}

const isPath = (key) => /^(attrs|data)\//.test(key);

/** For each number the flat key wins over the nested one. */
function flatten(data, nested, keys) {
  if (isObject(nested)) for (const key of keys) if (key in nested && !(key in data)) data[key] = nested[key];
}

function canonicalEnd(end) {
  if (!isObject(end)) return { cell: spelled(end) };
  const { id, port, ...rest } = end;
  const canonical = "cell" in end ? { ...rest, ...("id" in end && { id }) } : { ...rest, cell: id };
  return { ...canonical, cell: spelled(canonical.cell), ...(port != null && { port }) };
}

/** The merge rule of `update` (OP12): keys overwrite, `attrs` and `data` merge, null deletes, `attrs/a` is a path. */
export function mergeCell(cell, patch) {
  const merged = { ...cell };
  for (const [key, value] of Object.entries(patch)) {
    if (isPath(key)) mergePath(merged, key.split("/"), value);
    else if (value === null) delete merged[key];
    else if ((key === "attrs" || key === "data") && isObject(value)) merged[key] = mergeDeep(merged[key], value);
    else merged[key] = value;
  }
  return merged;
}

function mergeDeep(before, patch) {
  if (!isObject(patch)) return patch;
  const merged = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergeDeep(merged[key], value);
  }
  return merged;
}

function mergePath(object, [key, ...rest], value) {
  if (rest.length > 0) {
    if (value === null && !isObject(object[key])) return;
    object[key] = isObject(object[key]) ? { ...object[key] } : {};
    mergePath(object[key], rest, value);
  } else if (value === null) delete object[key];
  else object[key] = mergeDeep({}, value);
}

/** Applies the effective form of an operation to a Map of cells (OP13): assign keys, null deletes. Returns the ids. */
export function applyEffect(cells, { cells: entries, order }) {
  for (const { id, operation, data } of entries) {
    if (operation === "remove") cells.delete(id);
    else if (operation === "add") cells.set(id, data);
    else {
      const cell = { ...cells.get(id), ...data };
      for (const key in data) if (data[key] === null) delete cell[key];
      cells.set(id, cell);
    }
  }
  if (order) {
    const former = new Map(cells);
    cells.clear();
    // What it does not name, as in a copy that diverged, stands behind: the state hash shows it.
    for (const id of [...order, ...former.keys()]) if (former.has(id)) cells.set(id, former.get(id));
  }
  return entries.map(({ id }) => id);
}

/** Source, target and parent. */
function tiesOf(cell) {
  const ends = cell && isEdge(cell) ? [cell.source?.cell, cell.target?.cell] : [undefined, undefined];
  return [...ends, cell?.parent];
}

/** A Map of cells with changes laid over it. The Map below stays as it is until `settle()`. */
export class Overlay {
  #base;
  #laid = new Map(); // id -> cell, or null where it was removed
  #appended = new Set(); // ids that now stand behind those of the base

  constructor(base) {
    this.#base = base;
  }

  get(id) {
    return this.#laid.has(id) ? (this.#laid.get(id) ?? undefined) : this.#base.get(id);
  }

  /** Ids that may look different from the Map below. */
  get ids() {
    return [...this.#laid.keys()];
  }

  *values() {
    for (const [id, cell] of this.#base) {
      if (!this.#laid.has(id)) yield cell;
      else if (!this.#appended.has(id) && this.#laid.get(id)) yield this.#laid.get(id);
    }
    for (const id of this.#appended) yield this.#laid.get(id);
  }

  /**
   * Lays the asked changes of one operation over the cells, as the server will if it accepts them. Returns false, and
   * leaves everything as it was, where the server is sure to refuse.
   */
  lay(changes) {
    const before = new Map(changes.map(({ id }) => [id, this.get(id)]));
    const after = new Map(before);
    for (const { id, operation, data } of changes) {
      const cell = after.get(id);
      if (operation === "remove") after.set(id, undefined);
      else if (!data || (!cell && operation === "update")) return false;
      else if (!cell) after.set(id, { id, ...data });
      else if (operation === "update") after.set(id, mergeCell(cell, data));
      // what is there already, and just so, may be added again
      else if (canonicalJson({ id, ...data }) !== canonicalJson(cell)) return false;
    }
    for (const [id, cell] of after) if (cell && !this.#isTied(id, before.get(id), after)) return false;
    const removed = new Map();
    for (const [id, cell] of after) {
      this.#put(id, cell);
      if (!cell && before.get(id) && !isEdge(before.get(id))) removed.set(id, before.get(id));
    }
    if (removed.size > 0) this.#mend(removed);
    return true;
  }

  /** Whether what it is newly tied to is a node that is there (OP3, OP6), or it goes with an end that goes (OP4). */
  #isTied(id, before, after) {
    const now = (id) => (after.has(id) ? after.get(id) : this.get(id));
    const [ties, had] = [tiesOf(now(id)), tiesOf(before)];
    if (ties.slice(0, 2).some((end) => after.has(end) && !after.get(end))) return true;
    const isNode = (id) => now(id) !== undefined && !isEdge(now(id));
    const stands = (tie, at) => tie === undefined || tie === had[at] || isNode(tie);
    return ties.every(stands) && (ties.at(-1) === had.at(-1) || !isWithinItself(id, now));
  }

  #put(id, cell) {
    const stood = this.get(id) !== undefined;
    if (!cell) this.#appended.delete(id);
    else if (!stood) this.#appended.add(id);
    this.#laid.set(id, cell ?? null);
  }

  /** What the removal of nodes takes with it: dangling edges (OP4), and the ties of kinship (OP5). */
  #mend(removed) {
    for (const cell of [...this.values()]) {
      if (isEdge(cell) && (removed.has(cell.source?.cell) || removed.has(cell.target?.cell))) this.#put(cell.id);
      else {
        const mended = withoutKin(cell, removed);
        if (mended !== cell) this.#put(cell.id, mended);
      }
    }
  }

  /** Writes what was laid over into the Map below. Returns the ids touched. */
  settle() {
    for (const [id, cell] of this.#laid) {
      if (!cell || this.#appended.has(id)) this.#base.delete(id);
      if (cell && !this.#appended.has(id)) this.#base.set(id, cell);
    }
    for (const id of this.#appended) this.#base.set(id, this.#laid.get(id));
    return this.ids;
  }
}

function isWithinItself(id, cellOf) {
  const line = new Set();
  for (let at = id; at !== undefined; at = cellOf(at)?.parent) {
    if (line.has(at)) return true;
    line.add(at);
  }
  return false;
}

function withoutKin(cell, removed) {
  let { parent, children } = cell;
  for (let steps = removed.size; steps > 0 && removed.has(parent); steps--) parent = removed.get(parent).parent;
  if (children?.some((id) => removed.has(id))) children = children.filter((id) => !removed.has(id));
  if (parent === cell.parent && children === cell.children) return cell;
  const { parent: _, ...orphan } = { ...cell, ...(children && { children }) };
  return parent === undefined ? orphan : { ...orphan, parent };
}
