/** Ties a diagram library to a live diagram: what the server says is drawn, what the user does is sent, once. */

import { spelled } from "./cells.js";
import { canonicalChanges, isEdge, mergeCell, uuid } from "./codraw.js";
import { canonicalJson } from "./statehash.js";

const SEND_EVERY_MS = 50;
const AT_FULL_PACE = 200; // operations of a gesture
const PACE_HALVES_EVERY = 25; // operations after those
const MOST_STEPS = 400; // the server takes 500 operations of a group for one step of undo: room for the end of it

/** @param editor `draw(cell)`, `erase(id)`, `read(id)` and perhaps `order(ids)`, `failed(error)`: see binding.d.ts */
export function bind(diagram, editor, options) {
  return new Binding(diagram, editor, options);
}

/**
 * The library reports that a cell may have changed, not how: it is read when it is time to send, and compared with what
 * the library made of the cell when it was last drawn. So it does not matter who caused a report, when it comes, how
 * often, or that the library rounds numbers: an echo is no difference, and what is no difference is not sent.
 */
class Binding {
  #diagram;
  #editor;
  #theirs = new Map(); // id -> the library's own spelling of it
  #sendEveryMs;
  #drawn = new Map(); // id -> the replica's cell that the library shows
  #made = new Map(); // id -> what the library made of it
  #touched = new Set(); // ids reported and not yet looked at
  #unsent = new Map(); // id -> what the user has done to a cell that we are drawing
  #echoes = null; // ids reported while we draw
  #own = new Map(); // id -> the cell as the edit that is being made leaves it: the library shows that already
  #groupId;
  #inGroup = 0; // operations that have been sent of it
  #sentAt = 0;
  #isDue = false; // a flush is
  #flushing; // timers
  #ending;
  #order = "";
  #stop;
  #isOver = false;

  constructor(diagram, editor, { sendEveryMs = SEND_EVERY_MS } = {}) {
    this.#diagram = diagram;
    this.#editor = inTheirSpelling(editor, this.#theirs);
    this.#sendEveryMs = sendEveryMs;
    this.#stop = diagram.on("change", ({ ids }) => this.#follow(ids));
    this.#follow(Array.from(diagram.replica.cells(), ({ id }) => id));
  }

  /** Vue makes no proxy, which would lack the private members, of what has a name of its own. */
  get [Symbol.toStringTag]() {
    return "Binding";
  }

  changed(theirs) {
    if (this.#isOver) return; // what is taken down with the page is nobody's removal
    const id = spelled(theirs);
    if (id !== theirs) this.#theirs.set(id, theirs);
    else this.#theirs.delete(id);
    if (this.#echoes) this.#echoes.add(id);
    else this.#touch(id);
  }

  begin() {
    clearTimeout(this.#ending);
    this.flush();
    this.#groupId = uuid();
    this.#inGroup = 0;
  }

  /** A library that reports late still reports within the gesture. */
  end() {
    this.flush();
    this.#ending = setTimeout(() => {
      this.flush();
      this.#groupId = undefined;
    }, 0);
  }

  flush() {
    clearTimeout(this.#flushing);
    this.#isDue = false;
    const changes = [...this.#touched].map((id) => this.#asked(id)).filter(Boolean);
    this.#touched.clear();
    if (changes.length === 0) return;
    this.#sentAt = Date.now();
    this.#send(inOrder(changes), this.#groupId);
  }

  stop() {
    this.flush();
    this.#isOver = true;
    this.#stop();
    clearTimeout(this.#flushing);
    clearTimeout(this.#ending);
  }

  // -- from the library --

  #touch(id) {
    this.#touched.add(id);
    const pause = stepPause(this.#inGroup, this.#sendEveryMs);
    if (this.#isDue || (this.#groupId && pause === Infinity)) return;
    this.#isDue = true;
    const wait = this.#sentAt + pause - Date.now();
    if (this.#groupId) this.#flushing = setTimeout(() => this.#step(), Math.max(0, wait));
    else queueMicrotask(() => this.flush());
  }

  /** Steps of a gesture are for those who watch: offline its end is enough. */
  #step() {
    if (this.#diagram.isLive) this.flush();
    else this.#isDue = false;
  }

  /**
   * What the user has changed since the cell was drawn or sent, or undefined. What is as it was drawn is no change,
   * though a library that renders later had not made it so when it was read last.
   */
  #difference(id, now = this.#read(id)) {
    const made = this.#made.get(id);
    const drawn = this.#drawn.get(id);
    if (!now) return made && { id, operation: "remove" };
    if (!made && !drawn) return { id, operation: "add", data: now };
    const data = made ? difference(made, now) : addition(drawn, now);
    const isDrawn = drawn && same(mergeCell(drawn, data), drawn);
    return isDrawn || Object.keys(data).length === 0 ? undefined : { id, operation: "update", data };
  }

  /** The same as a change of the replica's cell: undefined where that is so already. */
  #asked(id) {
    const now = this.#read(id);
    const change = this.#difference(id, now);
    const cell = this.#diagram.replica.get(id);
    this.#remember(id, now);
    if (!change || (!cell && change.operation !== "add")) return undefined;
    if (!cell || change.operation === "remove") return change;
    const data = change.operation === "add" ? addition(cell, change.data) : change.data;
    return same(mergeCell(cell, data), cell) ? undefined : { id, operation: "update", data };
  }

  /** What cannot be read counts as unchanged, so that it does not keep the others from being sent. */
  #read(id) {
    try {
      const data = this.#editor.read(id);
      return data ? canonicalChanges([{ id, operation: "add", data }])[0].data : undefined;
    } catch (error) {
      this.#editor.failed(error);
      return this.#made.get(id);
    }
  }

  #remember(id, now = this.#read(id)) {
    if (now) this.#made.set(id, now);
    else this.#made.delete(id);
  }

  /** Too much for one operation goes in halves, undone as one. */
  #send(changes, groupId) {
    this.#own = new Map(changes.map((change) => [change.id, this.#result(change)]));
    try {
      if (changes.length > this.#diagram.limits.max_cells_per_operation) throw new RangeError("too many cells");
      this.#diagram.edit(changes, { groupId });
      this.#inGroup++;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      if (changes.length === 1) this.#takeBack(changes[0].id, error);
      else {
        const half = changes.length >> 1;
        groupId ??= uuid();
        this.#send(changes.slice(0, half), groupId);
        this.#send(changes.slice(half), groupId);
      }
    } finally {
      this.#own.clear();
    }
  }

  #result({ id, operation, data }) {
    if (operation === "remove") return undefined;
    return operation === "add" ? { id, ...data } : mergeCell(this.#diagram.replica.get(id), data);
  }

  #isShown(id) {
    return this.#own.has(id) && same(this.#own.get(id), this.#diagram.replica.get(id));
  }

  #takeBack(id, error) {
    this.#own.clear();
    this.#drawn.set(id, null);
    this.#follow([id]);
    this.#editor.failed(error);
  }

  // -- to the library --

  /** Draws before it erases: many libraries remove with a node what is still tied to it. */
  #follow(ids) {
    const { replica } = this.#diagram;
    const isRefused = (id) => this.#own.has(id) && !this.#isShown(id);
    const stale = new Set([...ids].filter((id) => isRefused(id) || !same(replica.get(id), this.#drawn.get(id))));
    const gone = [...stale].filter((id) => !replica.get(id));
    // Looked for before the first is drawn: drawing one cell may move another.
    this.#unsent = new Map([...stale].map((id) => [id, this.#difference(id)]));
    const wasEdge = (id) => isEdge(this.#drawn.get(id) ?? {});
    const echoes = (this.#echoes = new Set());
    try {
      for (const id of stale) if (replica.get(id)) this.#draw(id, stale);
      for (const id of gone.sort((a, b) => wasEdge(b) - wasEdge(a))) this.#erase(id);
      this.#guarded(() => this.#drawOrder());
    } finally {
      this.#echoes = null;
    }
    for (const id of echoes) if (!this.#touched.has(id)) this.#remember(id);
  }

  /** First what the cell stands in or hangs on. */
  #draw(id, stale) {
    if (!stale.delete(id)) return;
    const cell = this.#diagram.replica.get(id);
    for (const tie of [cell.parent, cell.source?.cell, cell.target?.cell]) {
      if (this.#diagram.replica.get(tie)) this.#draw(tie, stale);
    }
    if (!this.#isShown(id)) this.#redraw(id, cell);
    this.#drawn.set(id, cell); // what cannot be drawn is tried again when it has changed
  }

  /** What the user has done and we have not sent stays as they see it. */
  #redraw(id, cell) {
    const unsent = this.#unsent.get(id);
    const isDrawn = this.#guarded(() => this.#editor.draw(cell));
    this.#remember(id);
    if (!unsent || !isDrawn) return;
    this.#guarded(() => {
      if (unsent.operation === "update") this.#editor.draw(mergeCell(cell, unsent.data));
      if (unsent.operation === "remove") this.#editor.erase(id);
    });
    this.#touch(id);
  }

  /** One cell that the library does not bear is told; the others are drawn. */
  #guarded(draw) {
    try {
      draw();
      return true;
    } catch (error) {
      this.#editor.failed(error);
      return false;
    }
  }

  #erase(id) {
    if (!this.#isShown(id)) this.#guarded(() => this.#editor.erase(id));
    this.#drawn.delete(id);
    this.#made.delete(id);
  }

  #drawOrder() {
    if (!this.#editor.order) return;
    const ids = Array.from(this.#diagram.replica.cells(), ({ id }) => id);
    if (ids.join() === this.#order) return;
    this.#order = ids.join();
    this.#editor.order(ids);
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const same = (a, b) => a === b || (a != null && b != null && canonicalJson(a) === canonicalJson(b));
const copyOf = (cell) => JSON.parse(JSON.stringify(cell));
const isNewNode = ({ operation, data }) => operation === "add" && !isEdge(data);

/**
 * So that nothing is missing should they not fit into one operation: new nodes come after what they stand in and before
 * all else, and what goes last.
 */
function inOrder(changes) {
  const nodes = new Map(changes.filter(isNewNode).map((change) => [change.id, change]));
  const ordered = new Set();
  for (const node of nodes.values()) {
    const line = new Set();
    for (let at = node; at && !ordered.has(at) && !line.has(at); at = nodes.get(at.data.parent)) line.add(at);
    for (const one of [...line].reverse()) ordered.add(one);
  }
  const others = changes.filter((change) => !ordered.has(change));
  const isRemoval = ({ operation }) => operation === "remove";
  return [...ordered, ...others.filter((one) => !isRemoval(one)), ...others.filter(isRemoval)];
}

/** The `data` of an `update` from `before` to `after`: only what differs, within `attrs` and `data` by path. */
export function difference(before, after) {
  const data = {};
  for (const key of keysOf(before, after)) {
    if (key === "id" || same(before[key], after[key])) continue;
    const isDeep = (key === "attrs" || key === "data") && isObject(before[key]) && isObject(after[key]);
    if (!isDeep) data[key] = after[key] ?? null;
    else if (!addPaths(data, key, before[key], after[key])) data[key] = mergePatch(before[key], after[key]);
  }
  return data;
}

/** What `after` has otherwise: keys that it lacks it need not know. */
const addition = (before, after) => difference(before, mergeCell(before, after));

/**
 * How long a gesture waits for its next step after so many operations: the longer it lasts, and the more of them a step
 * takes, the rarer they are, so that it stays one step of undo. Infinity: all that is left to send is its end.
 */
export function stepPause(sent, everyMs) {
  if (sent >= MOST_STEPS) return Infinity;
  return everyMs * 2 ** Math.ceil(Math.max(0, sent - AT_FULL_PACE) / PACE_HALVES_EVERY);
}

/**
 * UUIDs are lower-case here; a library may spell those that it brings otherwise, and goes on doing so. What it is given
 * to draw is its own, to keep and to change.
 */
function inTheirSpelling(editor, theirs) {
  const named = (id) => theirs.get(id) ?? id;
  const end = (key, { [key]: value }) => value && { [key]: { ...value, cell: named(value.cell) } };
  const spelt = (cell) => ({
    ...cell,
    id: named(cell.id),
    ...(cell.parent && { parent: named(cell.parent) }),
    ...(cell.children && { children: cell.children.map(named) }),
    ...end("source", cell),
    ...end("target", cell),
  });
  return {
    draw: (cell) => editor.draw(theirs.size > 0 ? spelt(copyOf(cell)) : copyOf(cell)),
    erase: (id) => editor.erase(named(id)),
    read: (id) => editor.read(named(id)),
    order: editor.order && ((ids) => editor.order(ids.map(named))),
    failed: (error) => (editor.failed ? editor.failed(error) : console.error(error)),
  };
}

const keysOf = (...objects) => new Set(objects.flatMap(Object.keys));

/** False: a key with a slash in it has no path. */
function addPaths(data, path, before, after) {
  const found = {};
  for (const key of keysOf(before, after)) {
    if (same(before[key], after[key])) continue;
    if (key.includes("/")) return false;
    const inner = `${path}/${key}`;
    if (!isObject(before[key]) || !isObject(after[key])) found[inner] = after[key] ?? null;
    else if (!addPaths(found, inner, before[key], after[key])) return false;
  }
  Object.assign(data, found);
  return true;
}

/** The difference of two objects as RFC 7386 has it. */
function mergePatch(before, after) {
  const patch = {};
  for (const key of keysOf(before, after)) {
    if (same(before[key], after[key])) continue;
    const isDeep = isObject(before[key]) && isObject(after[key]);
    patch[key] = isDeep ? mergePatch(before[key], after[key]) : (after[key] ?? null);
  }
  return patch;
}
