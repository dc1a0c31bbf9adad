/**
 * A small `codraw.v1` server in memory with its own, plain reading of the rules, and sockets whose wires can be held,
 * cut and made to lose frames.
 */

import { createHash } from "node:crypto";

const MODULUS = 1n << 128n;

/** Canonical JSON (RFC 8785) and SHA-256 without any of the SDK's code. */
export function stateHash(cells) {
  const sorted = (value) => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.keys(value)
        .sort()
        .map((key) => [key, sorted(value[key])]),
    );
  };
  const hash = (cell) => {
    const digest = createHash("sha256")
      .update(JSON.stringify(sorted(cell)))
      .digest("hex");
    return BigInt(`0x${digest.slice(0, 32)}`);
  };
  const sum = cells.reduce((total, cell) => total + hash(cell), 0n) % MODULUS;
  return sum.toString(16).padStart(32, "0");
}

export class FakeServer {
  epoch = "e1";
  log = []; // {vector, user, operation_id, kind, effect}
  outcomes = new Map(); // user + operation id -> answer
  sockets = new Set();
  /** Every message received, as [user, message]. */
  received = [];
  welcomeWith = {};
  resend = true;
  /** Returns a refusal to make instead of judging, or nothing. */
  refuses = () => undefined;

  constructor(cells = []) {
    this.cells = structuredClone(cells);
    this.initialCells = cells;
  }

  get vector() {
    return this.log.length;
  }

  /** A WebSocket class whose sockets belong to `user`. */
  socketsOf(user) {
    const server = this;
    return class extends FakeSocket {
      constructor(url, protocols) {
        super(url, protocols, user, server);
      }
    };
  }

  welcome(socket) {
    this.sockets.add(socket);
    const user = { provider: "test", provider_id: socket.user, email: `${socket.user}@x`, display_name: socket.user };
    socket.tell({
      message_type: "welcome",
      protocol: "codraw.v1",
      encoding: "json",
      session: {
        session_id: "s",
        threat_model_id: "t",
        diagram_id: "d",
        host: user,
        presenter: null,
        presenter_term: 1,
      },
      you: {
        user,
        connection_id: socket.connectionId,
        role: "writer",
        permissions: "writer",
        is_host: false,
        history: { undo: 0, redo: 0 },
      },
      epoch: this.epoch,
      update_vector: this.vector,
      state_hash: stateHash(this.cells),
      limits: { awareness_hz: 20 },
      heartbeat_seconds: 15,
      ...this.welcomeWith,
    });
    const [epoch, vector] = (socket.url.searchParams.get("resume") ?? ":").split(":");
    if (epoch === this.epoch) this.catchUp(socket, Number(vector));
    else this.showState(socket, epoch ? "resume_impossible" : "joined");
  }

  showState(socket, reason) {
    const { epoch, vector, cells, resend } = this;
    socket.tell({
      message_type: "state",
      epoch,
      update_vector: vector,
      state_hash: stateHash(cells),
      cells,
      resend,
      reason,
    });
  }

  catchUp(socket, from) {
    const missed = this.log.slice(from);
    socket.tell({
      message_type: "resumed",
      epoch: this.epoch,
      from,
      to: this.vector,
      count: missed.length,
      state_hash: stateHash(this.cells),
    });
    for (const row of missed) socket.tell(this.event(row));
  }

  event({ vector, user, operation_id, kind, effect }) {
    return {
      message_type: "event",
      epoch: this.epoch,
      update_vector: vector,
      operation_id,
      kind,
      by: { id: `test:${user}`, name: user },
      operation: { type: "patch", cells: effect },
      at: "2026-01-01T00:00:00Z",
    };
  }

  beat(socket) {
    socket.tell({
      message_type: "heartbeat",
      epoch: this.epoch,
      update_vector: this.vector,
      state_hash: stateHash(this.cells),
    });
  }

  hear(socket, message) {
    this.received.push([socket.user, message]);
    if (message.message_type === "operation") this.judge(socket, message);
    else if (message.message_type === "heartbeat") this.beat(socket);
    else if (message.message_type === "resume") this.resume(socket, message);
    else if (message.message_type === "undo") this.undo(socket, message);
    else if (message.message_type === "awareness") this.relay(socket, message);
  }

  resume(socket, { epoch, update_vector, state_hash, cell_hashes }) {
    if (
      epoch === this.epoch &&
      update_vector <= this.vector &&
      (!state_hash || state_hash === this.hashAt(update_vector))
    ) {
      this.catchUp(socket, update_vector);
    } else if (cell_hashes) this.repair(socket, new Map(cell_hashes));
    else this.showState(socket, "hash_mismatch");
  }

  repair(socket, held) {
    const differs = (cell) => held.get(cell.id) !== stateHash([cell]).slice(0, 16);
    socket.tell({
      message_type: "repair",
      epoch: this.epoch,
      update_vector: this.vector,
      state_hash: stateHash(this.cells),
      cells: this.cells.filter(differs),
      removed: [...held.keys()].filter((id) => !this.cells.some((cell) => cell.id === id)),
      order: this.cells.map(({ id }) => id),
    });
  }

  hashAt(vector) {
    const past = structuredClone(this.initialCells);
    for (const { effect } of this.log.slice(0, vector)) replay(past, effect);
    return stateHash(past);
  }

  judge(socket, { operation_id, operation }) {
    const key = `${socket.user} ${operation_id}`;
    const known = this.outcomes.get(key);
    if (known) return socket.tell({ ...known, duplicate: known.message_type === "operation_accepted" });
    const refusal = this.refuses(operation);
    if (refusal) return socket.tell(this.rejection(operation_id, refusal));
    const { effect, reason } = apply(this.cells, operation.cells);
    const answer = reason
      ? this.rejection(operation_id, { reason })
      : this.accept(socket, operation_id, "edit", effect, operation);
    this.outcomes.set(key, answer);
    socket.tell(answer);
  }

  rejection(operation_id, refusal) {
    return {
      message_type: "operation_rejected",
      operation_id,
      message: refusal.reason,
      update_vector: this.vector,
      affected_cells: [],
      current_cells: [],
      requires_resync: false,
      retry: false,
      details: {},
      ...refusal,
    };
  }

  accept(socket, operation_id, kind, effect, asked) {
    const changed = effect.length > 0;
    if (changed) {
      replay(this.cells, effect);
      const row = { vector: this.vector + 1, user: socket.user, operation_id, kind, effect };
      this.log.push(row);
      for (const other of this.sockets) if (other !== socket) other.tell(this.event(row));
    }
    const cells = JSON.stringify(effect) === JSON.stringify(asked?.cells) ? {} : { cells: effect };
    return {
      message_type: "operation_accepted",
      operation_id,
      epoch: this.epoch,
      update_vector: this.vector,
      changed,
      duplicate: false,
      kind,
      history: { undo: 1, redo: 0 },
      ...(changed && cells),
    };
  }

  /** Takes back the caller's newest `add`; enough to see that a client takes what it is given. */
  undo(socket, { operation_id }) {
    const own = this.log.findLast(({ user, effect }) => user === socket.user && effect[0].operation === "add");
    const effect = own ? [{ id: own.effect[0].id, operation: "remove" }] : [];
    socket.tell(this.accept(socket, operation_id, "undo", effect));
  }

  relay(socket, { message_type, ...update }) {
    const shown = { connection_id: socket.connectionId, ...update };
    for (const other of this.sockets) if (other !== socket) other.tell({ message_type, updates: [shown] });
  }
}

/** The state before and the request give the effective form, or a reason to refuse. */
function apply(cells, changes) {
  const before = structuredClone(cells);
  const after = structuredClone(cells);
  const find = (id) => after.find((cell) => cell.id === id);
  const remove = (id) =>
    after.splice(
      after.findIndex((cell) => cell.id === id),
      1,
    );
  for (const { id, operation, data } of changes) {
    if (operation === "add" && find(id)) return { reason: "conflict_detected" };
    if (operation === "add") after.push({ id, ...structuredClone(data) });
    else if (operation === "update" && !find(id)) return { reason: "conflict_detected" };
    else if (operation === "update") merge(find(id), data);
    else if (find(id)) remove(id);
  }
  const asked = new Set(changes.map(({ id }) => id));
  for (const cell of [...after]) {
    const dangles = [cell.source, cell.target].filter(Boolean).some((end) => !find(end.cell));
    if (dangles && asked.has(cell.id)) return { reason: "validation_failed" };
    if (dangles) remove(cell.id);
  }
  const ids = new Set([...asked, ...before.map(({ id }) => id)]);
  const effect = [...ids]
    .map((id) =>
      difference(
        before.find((cell) => cell.id === id),
        find(id),
      ),
    )
    .filter(Boolean);
  return { effect };
}

function merge(cell, patch) {
  for (const [key, value] of Object.entries(patch)) {
    const path = key.split("/");
    if (value === null) delete cell[key];
    else if (path[0] === "attrs" && path.length > 1) {
      let level = cell;
      for (const step of path.slice(0, -1)) level = level[step] ??= {};
      level[path.at(-1)] = value;
    } else cell[key] = value;
  }
}

function difference(before, after) {
  if (!before && !after) return null;
  if (!before) return { id: after.id, operation: "add", data: after };
  if (!after) return { id: before.id, operation: "remove" };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  if (changed.length === 0) return null;
  return {
    id: after.id,
    operation: "update",
    data: Object.fromEntries(changed.map((key) => [key, after[key] ?? null])),
  };
}

function replay(cells, effect) {
  for (const { id, operation, data } of structuredClone(effect)) {
    const at = cells.findIndex((cell) => cell.id === id);
    if (operation === "remove") cells.splice(at, 1);
    else if (operation === "add") cells.push(data);
    else merge(cells[at], data);
  }
}

/** The client's end of a wire. Frames travel when `deliver…` is called, or at once while `isDirect`. */
export class FakeSocket {
  static #count = 0;
  readyState = 0;
  isDirect = true;
  inbox = []; // to the client
  outbox = []; // to the server
  connectionId = `c${++FakeSocket.#count}`;

  constructor(url, protocols, user, server) {
    Object.assign(this, { url: new URL(url), protocols, user, server });
    server.newest = this;
    queueMicrotask(() => this.readyState === 0 && this.open());
  }

  open() {
    this.readyState = 1;
    this.onopen?.();
    this.server.welcome(this);
  }

  send(text) {
    this.outbox.push(text);
    if (this.isDirect) this.deliverOut();
  }

  tell(message) {
    this.inbox.push(JSON.stringify(message));
    if (this.isDirect) this.deliverIn();
  }

  deliverOut() {
    if (this.readyState === 1 && this.outbox.length > 0) this.server.hear(this, JSON.parse(this.outbox.shift()));
  }

  deliverIn() {
    if (this.readyState === 1 && this.inbox.length > 0) this.onmessage({ data: this.inbox.shift() });
  }

  /** The client's own close. */
  close(code = 1005) {
    this.closedWith = code;
    this.#gone();
  }

  /** The wire breaks, or the server closes; what was under way is lost. */
  break(code = 1006, reason = "") {
    this.#gone();
    this.onclose({ code, reason });
  }

  #gone() {
    this.readyState = 3;
    this.server.sockets.delete(this);
  }
}
