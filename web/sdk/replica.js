/** A diagram as one client holds it: a confirmed copy of the log's state, and its own pending operations on top. */

import { applyEffect, Overlay } from "./cells.js";
import { cellHash, hex32 } from "./statehash.js";

/**
 * A foreign event goes under the pending operations, a receipt confirms one, a rejection drops one. What is looked at
 * (`get`, `cells`) is the top; what is compared with the server (`vector`, `stateHash`) is the confirmed copy below.
 *
 * Methods that take something of the server return the ids whose looks may have changed, as a Set, or null where the
 * copy lacks something that came before: then only a `resume` helps.
 */
export class Replica {
  /** @type {string | null} null until the first full state */
  epoch = null;
  vector = 0;
  /** Operations without an outcome, oldest first: `{operationId, kind, cells}` and whatever their owner adds. */
  pending = [];

  #confirmed = new Map();
  #top = new Overlay(this.#confirmed);
  /** While events follow each other: they return no ids, and `restack()`, which ends this, those of all. */
  isBehind = false;
  #isStale = false; // the top is: it is laid anew when it is looked at
  #touched = new Set(); // ids that nobody has been told of yet
  #sum = 0n;
  #hashes = new Map();
  #unhashed = new Set();

  /** Vue makes no proxy, which would lack the private members, of what has a name of its own. */
  get [Symbol.toStringTag]() {
    return "Replica";
  }

  get(id) {
    return this.#looks.get(id);
  }

  cells() {
    return this.#looks.values();
  }

  confirmedCells() {
    return this.#confirmed.values();
  }

  /** Only cells that changed since the last call are hashed. */
  get stateHash() {
    for (const id of this.#unhashed) {
      const cell = this.#confirmed.get(id);
      const hash = cell ? cellHash(cell) : 0n;
      this.#sum += hash - (this.#hashes.get(id) ?? 0n);
      if (cell) this.#hashes.set(id, hash);
      else this.#hashes.delete(id);
    }
    this.#unhashed.clear();
    return hex32(this.#sum);
  }

  get cellHashes() {
    void this.stateHash;
    return Array.from(this.#confirmed.keys(), (id) => [id, hex32(this.#hashes.get(id)).slice(0, 16)]);
  }

  // -- what the client asks --

  ask(operation) {
    const { cells } = operation;
    const top = this.#looks;
    this.pending.push(operation);
    top.lay(cells);
    // A removal takes others with it.
    return new Set(cells.some((change) => change.operation === "remove") ? top.ids : cells.map(({ id }) => id));
  }

  /** Takes an operation off, wherever it stands: it was refused, or its outcome arrived another way. */
  drop(operationId) {
    this.pending = this.pending.filter((operation) => operation.operationId !== operationId);
    return this.restack();
  }

  // -- what the server says --

  show({ epoch, update_vector, cells }) {
    const touched = [...this.#confirmed.keys(), ...cells.map(({ id }) => id)];
    this.#confirmed.clear();
    for (const cell of cells) this.#confirmed.set(cell.id, cell);
    return this.#jumpTo(epoch, update_vector, touched);
  }

  /** The difference to a full state. */
  repair({ epoch, update_vector, cells, removed, order }) {
    for (const id of removed) this.#confirmed.delete(id);
    for (const cell of cells) this.#confirmed.set(cell.id, cell);
    applyEffect(this.#confirmed, { cells: [], order });
    return this.#jumpTo(epoch, update_vector, [...removed, ...cells.map(({ id }) => id)]);
  }

  /** An operation of the log. One of our own comes back this way after a lost connection: of an edit, its receipt. */
  happened({ epoch, update_vector, operation_id, by, operation }, me) {
    const place = this.#place(epoch, update_vector);
    if (place === "gap") return null;
    const isReceipted = (own) => own.operationId === operation_id && !awaitsReceipt(own);
    if (by.id === me) this.pending = this.pending.filter((own) => !isReceipted(own));
    if (place === "known") return this.restack();
    return this.#moveTo(epoch, update_vector, applyEffect(this.#confirmed, operation));
  }

  /** The receipt of an own operation: it becomes part of the confirmed copy, in the effective form if one is given. */
  accepted({ operation_id, epoch, update_vector, changed, cells }) {
    const operation = this.pending.find((own) => own.operationId === operation_id);
    if (operation) operation.isDecided = true;
    const place = changed ? this.#place(epoch, update_vector) : "known";
    if (place === "gap") return null;
    if (place === "known") return this.drop(operation_id);
    const touched = cells ? applyEffect(this.#confirmed, { cells }) : this.#settle(operation);
    if (!touched) return null;
    const isSeen = !cells && operation === this.pending[0]; // as it will stay, below the others
    this.pending = this.pending.filter((own) => own !== operation);
    return this.#moveTo(epoch, update_vector, touched, isSeen && this.pending.length > 0);
  }

  #place(epoch, vector) {
    if (epoch !== this.epoch || vector > this.vector + 1) return "gap";
    return vector === this.vector + 1 ? "next" : "known";
  }

  /** Without an effective form what was asked is what happened. */
  #settle(operation) {
    const overlay = new Overlay(this.#confirmed);
    return operation && overlay.lay(operation.cells) ? overlay.settle() : null;
  }

  /** Past what was accepted and could not be followed. */
  #jumpTo(...state) {
    this.isBehind = false;
    this.pending = this.pending.filter(({ isDecided }) => !isDecided);
    return this.#moveTo(...state);
  }

  #moveTo(epoch, vector, touched, isSeen) {
    this.epoch = epoch;
    this.vector = vector;
    for (const id of touched) this.#unhashed.add(id);
    if (isSeen) return new Set();
    for (const id of touched) this.#touched.add(id);
    this.#isStale = true;
    return this.isBehind ? new Set() : this.restack();
  }

  get #looks() {
    if (this.#isStale) this.#lay();
    return this.#top;
  }

  /** Lays the pending operations anew over the confirmed copy. */
  restack() {
    this.isBehind = false;
    this.#lay();
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }

  #lay() {
    const before = this.#top.ids;
    this.#isStale = false;
    this.#top = new Overlay(this.#confirmed);
    for (const { cells } of this.pending) this.#top.lay(cells);
    for (const id of [...before, ...this.#top.ids]) this.#touched.add(id);
  }
}

/** It is sent (again) even if it has happened: only its receipt says what an undo has left alone. */
export function awaitsReceipt({ kind, isSent, isDecided }) {
  return (kind === "undo" || kind === "redo") && !isSent && !isDecided;
}
