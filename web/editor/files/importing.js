/** A file becomes cells to add: judged before anything is sent, with every problem named. Pure. */

import { canonicalChanges, isEdge, uuid } from "../../sdk/codraw.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const SHAPE = /^[a-z0-9][a-z0-9-]{0,63}$/;
const SIZED = new Set(["actor", "process", "store", "security-boundary", "text-box"]);
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const GEOMETRY = ["x", "y", "width", "height"];
const DEEPEST = 26; // of the 32 levels of a message
const LONGEST_LABEL = 1024;
const MOST_ENTRIES = 1000;
const GAP = 80;
const MOST_SHOWN = 12;

/** `message` for people, `problems`: one line each, the first of them. */
export class NotImported extends Error {
  constructor(message, problems = []) {
    super(message);
    this.problems = problems;
  }
}

/**
 * What a text holds: our own file, a list of cells, or a diagram as TMI and REST show it.
 * @returns `{name, changes}`: an `add` for every cell, as the server would spell it
 * @throws {NotImported}
 */
export function read(text) {
  const given = parsed(text);
  const cells = [given, given?.cells, given?.diagram_json?.cells, given?.diagram?.cells].find(Array.isArray);
  if (!cells)
    throw new NotImported("There are no cells in this file. It must hold a list of cells, or an object with “cells”.");
  if (cells.length === 0) throw new NotImported("The diagram in this file is empty.");
  if (given.codraw > 1) throw new NotImported("This file was written by a newer version of codraw.");
  const outside = cells.flatMap((cell, at) => shapeless(cell, at));
  refuse(outside);
  const changes = canonicalChanges(cells.map(({ id, ...data }) => ({ id, operation: "add", data })));
  refuse([...changes.flatMap((change, at) => problemsOf(change, at)), ...problemsBetween(changes)]);
  return { name: typeof given.name === "string" ? given.name : "", changes };
}

function parsed(text) {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new NotImported(`This is not JSON: ${error.message}`);
  }
}

function refuse(problems) {
  if (problems.length === 0) return;
  const more = problems.length - MOST_SHOWN;
  const shown = problems.slice(0, MOST_SHOWN);
  if (more > 0) shown.push(`and ${more} more`);
  throw new NotImported("Nothing was imported.", shown);
}

// -- one cell ----------------------------------------------------------------------------------------------------------

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isNumber = (value) => typeof value === "number";
const isList = (value, isEntry = () => true) => Array.isArray(value) && value.length <= MOST_ENTRIES && value.every(isEntry);

/** What the server asks of keys that a cell may have; an `add` has none that is null. */
const FORMS = {
  label: [(value) => typeof value === "string" && value.length <= LONGEST_LABEL, "is no text or too long"],
  attrs: [isObject, "is no object"],
  data: [isObject, "is no object"],
  zIndex: [isNumber, "is no number"],
  angle: [isNumber, "is no number"],
  visible: [(value) => typeof value === "boolean", "is neither true nor false"],
  vertices: [(value) => isList(value, (point) => isNumber(point?.x) && isNumber(point.y)), "is no list of points or too long"],
  labels: [(value) => isList(value, isObject), "is no list of objects or too long"],
  children: [(value) => isList(value), "is no list or too long"],
  ports: [(value) => isList(isObject(value) ? (value.items ?? []) : value), "is no list or too long"],
};

const named = (at, id) => `Cell ${at + 1}${typeof id === "string" ? ` (${id.slice(0, 60)})` : ""}`;

function shapeless(cell, at) {
  if (!isObject(cell)) return [`${named(at)} is not an object.`];
  const name = named(at, cell.id);
  const wrong = faultIn(cell, 0);
  if (wrong) return [`${name} ${wrong}.`];
  if (typeof cell.id !== "string" || !ID.test(cell.id)) return [`${name} has no usable “id”.`];
  return [];
}

/** What no message may hold. */
function faultIn(value, depth) {
  if (depth > DEEPEST) return "is nested too deeply";
  if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER) return "holds a number that is too large";
  if (typeof value === "string" && (value.includes("\0") || /\p{Surrogate}/u.test(value))) return "holds a broken text";
  if (Array.isArray(value)) return firstOf(value, (one) => faultIn(one, depth + 1));
  if (!isObject(value)) return null;
  const key = Object.keys(value).find((one) => FORBIDDEN.has(one));
  return key ? `has the key “${key}”` : firstOf(Object.values(value), (one) => faultIn(one, depth + 1));
}

function firstOf(values, fault) {
  for (const value of values) {
    const found = fault(value);
    if (found) return found;
  }
  return null;
}

function problemsOf({ id, data }, at) {
  const problems = [];
  const say = (words) => problems.push(`${named(at, id)}: ${words}.`);
  if (typeof data.shape !== "string" || !SHAPE.test(data.shape)) say("“shape” is missing or no shape’s name");
  else if (isEdge(data))
    for (const end of ["source", "target"]) typeof data[end]?.cell !== "string" && say(`“${end}” names no cell`);
  else judgeBox(data, say);
  for (const [key, [holds, words]] of Object.entries(FORMS)) {
    if (Object.hasOwn(data, key) && !holds(data[key])) say(`“${key}” ${words}`);
  }
  return problems;
}

function judgeBox(data, say) {
  const missing = GEOMETRY.filter((key) => typeof data[key] !== "number");
  if (missing.length > 0) return say(`${missing.map((key) => `“${key}”`).join(", ")} must be a number`);
  const [width, height] = SIZED.has(data.shape) ? [40, 30] : [Number.MIN_VALUE, Number.MIN_VALUE];
  if (data.width < width || data.height < height) say(`is smaller than ${width >= 1 ? "40 × 30" : "anything"}`);
}

// -- all of them -------------------------------------------------------------------------------------------------------

function problemsBetween(changes) {
  const cells = new Map(changes.map(({ id, data }) => [id, data]));
  const isNode = (id) => cells.has(id) && !isEdge(cells.get(id));
  const inCircles = circles(cells);
  const seen = new Set();
  const problems = [];
  for (const [at, { id, data }] of changes.entries()) {
    const say = (words) => problems.push(`${named(at, id)}: ${words}.`);
    if (seen.has(id)) say("another cell has the same “id”");
    seen.add(id);
    if (isEdge(data)) {
      for (const end of ["source", "target"]) {
        const other = data[end]?.cell;
        if (typeof other === "string" && !isNode(other))
          say(`“${end}” names ${other.slice(0, 60)}, which is no node of this file`);
      }
    }
    if (data.parent !== undefined && !isNode(data.parent)) say("“parent” names no node of this file");
    else if (inCircles.has(id)) say("lies within itself by way of “parent”");
  }
  return problems;
}

/** The cells that are their own ancestors; every cell is passed twice at most. */
function circles(cells) {
  const [found, passed] = [new Set(), new Set()];
  for (const start of cells.keys()) {
    const line = new Set();
    let at = start;
    for (; cells.has(at) && !passed.has(at); at = cells.get(at).parent) passed.add(at) && line.add(at);
    if (!line.has(at)) continue;
    for (const id of [...line].slice([...line].indexOf(at))) found.add(id);
  }
  return found;
}

// -- where they go -----------------------------------------------------------------------------------------------------

/**
 * Operations that add what was read. Into an empty diagram it comes as it is; else with new ids, to the right of
 * everything. Nodes come before what refers to them, as far as one operation does not hold all.
 * @param look `cells()`
 * @param limits as `diagram.limits`
 * @returns `{batches, count, box}`: lists of changes, one an operation; how many cells, and where they will be
 */
export function planned(changes, look, limits) {
  const there = [...look.cells()];
  const most = limits.max_cells_per_diagram ?? Infinity;
  if (there.length + changes.length > most) {
    throw new NotImported(
      `A diagram holds ${most} cells at most; with this file it would have ${there.length + changes.length}.`,
    );
  }
  const ids = new Map(changes.map(({ id }) => [id, there.length === 0 && UUID.test(id) ? id : uuid()]));
  const shift = shiftBeside(
    there,
    changes.map(({ data }) => data),
  );
  const placed = changes.map(({ id, data }) => ({
    id: ids.get(id),
    operation: "add",
    data: moved(renamed(data, ids), shift),
  }));
  const batches = batched(placed, limits);
  const box = around(placed.map(({ data }) => data));
  return { batches: batches.length > 1 ? batched(inOrder(placed), limits) : batches, count: placed.length, box };
}

function renamed(data, ids) {
  const other = { ...data };
  for (const end of ["source", "target"]) if (data[end]) other[end] = { ...data[end], cell: ids.get(data[end].cell) };
  if (data.parent !== undefined) other.parent = ids.get(data.parent);
  if (Array.isArray(data.children)) other.children = data.children.map((id) => ids.get(id)).filter(Boolean);
  return other;
}

function moved(data, { dx, dy }) {
  const other = { ...data };
  if (typeof data.x === "number" && typeof data.y === "number")
    Object.assign(other, { x: data.x + dx, y: data.y + dy });
  if (Array.isArray(data.vertices))
    other.vertices = data.vertices.map((point) => ({ ...point, x: point.x + dx, y: point.y + dy }));
  return other;
}

function shiftBeside(there, given) {
  const [old, added] = [around(there), around(given)];
  if (!old || !added) return { dx: 0, dy: 0 };
  return { dx: Math.round(old.x + old.width + GAP - added.x), dy: Math.round(old.y - added.y) };
}

/** The smallest box around all nodes, or null. */
function around(cells) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of cells) {
    if (typeof x !== "number" || typeof width !== "number") continue;
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + width), Math.max(bottom, y + height)];
  }
  return left === Infinity ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

/** What stands above comes first, flows last. */
function inOrder(changes) {
  const nodes = new Map(changes.filter(({ data }) => !isEdge(data)).map((change) => [change.id, change]));
  const ordered = new Map();
  for (const change of nodes.values()) {
    const line = [];
    for (let at = change; at && !ordered.has(at.id); at = nodes.get(at.data.parent)) line.unshift(at);
    for (const one of line) ordered.set(one.id, one);
  }
  return [...ordered.values(), ...changes.filter(({ data }) => isEdge(data))];
}

/** As many in one operation as it may hold, by number and by what a frame holds. */
function batched(changes, { max_cells_per_operation: most, max_frame_bytes: bytes }) {
  const room = bytes * 0.8;
  const batches = [];
  let left = 0;
  for (const change of changes) {
    const size = new TextEncoder().encode(JSON.stringify(change)).length;
    if (size > room)
      throw new NotImported("Nothing was imported.", [
        `${change.data.label ?? change.id} is too large for one message.`,
      ]);
    if (left < size || batches.at(-1).length === most) {
      batches.push([]);
      left = room;
    }
    batches.at(-1).push(change);
    left -= size;
  }
  return batches;
}
