/**
 * codraw's client: a live diagram over a WebSocket that comes back by itself.
 *
 *     const diagram = connect({ url, ticket: async () => "…" });
 *     diagram.on("change", ({ ids }) => draw(ids, diagram));
 *     const { saved } = diagram.edit([{ id, operation: "update", data: { x: 150 } }]);
 *     if ((await saved).accepted) …
 *
 * No dependency, no build step. Speaks `codraw.v1.json`; knows cells and knows no editor.
 */

import { canonicalChanges } from "./cells.js";
import { Replica } from "./replica.js";
import { Wire } from "./wire.js";

export { applyEffect, canonicalChanges, isEdge, mergeCell, Overlay } from "./cells.js";
export { Replica } from "./replica.js";

const CATCH_UP_MS = 1_000;
const ANSWER_MS = 10_000;
const RETRY_MS = 500;
const DEFAULT_LIMITS = { max_frame_bytes: 262_144, max_cells_per_operation: 500, awareness_hz: 20 };

/** A live diagram, connecting. Options and events are listed in codraw.d.ts. */
export function connect(options) {
  const diagram = new LiveDiagram(options);
  diagram.open();
  return diagram;
}

/** A random UUID; `crypto.randomUUID` is missing on plain http. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A replica on a wire. Pending operations survive every state, `open()` after `refused` included. */
export class LiveDiagram extends EventTarget {
  replica = new Replica();
  /** Of the last `welcome`. */
  session = null;
  you = null;
  limits = DEFAULT_LIMITS;
  history = { undo: 0, redo: 0 };
  /** The last `participants`. */
  roster = { participants: [], host: null, host_state: "absent", presenter: null };
  /** connection_id -> `{cursor?, selection?, viewport?}` of the others. */
  peers = new Map();

  #options;
  #wire;
  #awaited = null; // while something is missing: {since, to, hash}, `to` infinite until the server has answered
  #repairs = 0;
  #shown = {}; // how we show ourselves
  #unshown = null; // and what of it the others do not know yet
  #timers = new Map();

  constructor(options) {
    super();
    this.#options = options;
    this.#wire = new Wire({
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      protocol: "codraw.v1.json",
      address: (wants) => this.#address(wants),
      heard: (text) => this.#heard(text),
      sent: (text) => this.#emit("frame", { direction: "out", text, at: Date.now() }),
      lost: () => this.#lost(),
      changed: () => this.#emit("status", this.status),
    });
  }

  /** `addEventListener` that calls back with the detail and returns how to stop. */
  on(type, listener) {
    const wrapped = (event) => listener(event.detail);
    this.addEventListener(type, wrapped);
    return () => this.removeEventListener(type, wrapped);
  }

  /** `{state, pending}`, of `offline` and `refused` with `{code?, reason, message, retryAt?}`. */
  get status() {
    return { state: this.#wire.state, pending: this.replica.pending.length, ...this.#wire.why };
  }

  get isLive() {
    return this.#wire.state === "live";
  }

  get canWrite() {
    return this.you?.permissions === "writer";
  }

  /** Connects; after `refused` or `closed` anew, from `offline` at once. */
  open() {
    this.#wire.open();
  }

  /** Leaves. From the host's last window this ends the session for everybody. */
  close() {
    this.#wire.close();
  }

  /** Loses the connection on purpose. */
  cut() {
    this.#wire.cut();
  }

  /** Sends one message as it is, an object or a text. False: there is no connection. */
  send(message) {
    return this.#wire.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  // -- editing -------------------------------------------------------------------------------------------------------

  /**
   * Shows the changes at once and sends them; operations that follow each other with one `groupId` are undone as one.
   * `saved` resolves with the outcome and never rejects. @throws {RangeError} if they do not fit into a frame
   */
  edit(changes, { groupId, strict } = {}) {
    const cells = canonicalChanges(changes);
    return this.#joined(cells, groupId) ?? this.#ask({ kind: "edit", cells, groupId, strict });
  }

  undo() {
    return this.#ask({ kind: "undo", cells: [] });
  }

  redo() {
    return this.#ask({ kind: "redo", cells: [] });
  }

  #ask(asked) {
    const operation = { ...asked, operationId: uuid(), baseVector: this.replica.vector, isSent: false, wasSent: false };
    if (!this.#fits(operation)) throw new RangeError("the operation does not fit into a frame");
    operation.saved = new Promise((resolve) => (operation.settle = resolve));
    this.#show(this.replica.ask(operation));
    if (this.isLive) this.#transmit(operation);
    this.#emit("status", this.status);
    return { id: operation.operationId, saved: operation.saved };
  }

  /** A gesture that goes on while nothing can be sent grows its last operation instead of the queue. */
  #joined(cells, groupId) {
    const last = this.replica.pending.at(-1);
    if (this.isLive || !groupId || last?.groupId !== groupId || last.wasSent) return null;
    const joint = { ...last, cells: compacted([...last.cells, ...cells]) };
    if (joint.cells.length > this.limits.max_cells_per_operation || !this.#fits(joint)) return null;
    last.cells = joint.cells;
    this.#show(this.replica.restack());
    return { id: last.operationId, saved: last.saved };
  }

  #fits(operation) {
    return new TextEncoder().encode(messageOf(operation)).length <= this.limits.max_frame_bytes;
  }

  #transmit(operation) {
    operation.isSent = operation.wasSent = true;
    this.send(messageOf(operation));
  }

  /** Oldest first, same ids. */
  #transmitPending() {
    for (const operation of [...this.replica.pending]) {
      if (operation.isSent) continue;
      if (this.#fits(operation)) this.#transmit(operation);
      else this.#refuse(operation.operationId, { reason: "limit_exceeded", message: "it does not fit into a frame" });
    }
  }

  // -- showing oneself -----------------------------------------------------------------------------------------------

  /** Cursor, selection, viewport; null: gone. The newest wins, `awareness_hz` frames a second at most. */
  aware(change) {
    Object.assign(this.#shown, change);
    this.#unshown = { ...this.#unshown, ...change };
    if (!this.#timers.has("aware")) this.#showOurselves();
  }

  #showOurselves() {
    if (!this.#unshown || !this.isLive) return;
    this.send({ message_type: "awareness", ...this.#unshown });
    this.#unshown = null;
    this.#after(1000 / this.limits.awareness_hz, "aware", () => this.#showOurselves());
  }

  // -- the wire ------------------------------------------------------------------------------------------------------

  async #address(wants) {
    const { url, ticket } = this.#options;
    const address = new URL(typeof url === "function" ? await url() : url);
    address.searchParams.set("ticket", await ticket({ wants }));
    if (this.replica.epoch) address.searchParams.set("resume", `${this.replica.epoch}:${this.replica.vector}`);
    this.#awaited = { since: Date.now(), to: Infinity };
    return address.href;
  }

  #heard(text) {
    const message = JSON.parse(text);
    this.#emit("frame", { direction: "in", text, at: Date.now() });
    LiveDiagram.#RECEIVE[message.message_type]?.(this, message);
  }

  #lost() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const operation of this.replica.pending) operation.isSent = false;
    this.peers.clear();
    this.#emit("awareness", { updates: [] });
  }

  // -- what the server says ------------------------------------------------------------------------------------------

  static #RECEIVE = {
    __proto__: null,
    welcome: (diagram, message) => diagram.#welcome(message),
    state: (diagram, message) => diagram.#state(message),
    repair: (diagram, message) => diagram.#repair(message),
    resumed: (diagram, message) => diagram.#resumed(message),
    event: (diagram, message) => diagram.#event(message),
    operation_accepted: (diagram, message) => diagram.#accepted(message),
    operation_rejected: (diagram, message) => diagram.#rejected(message),
    heartbeat: (diagram, message) => diagram.#heartbeat(message),
    participants: (diagram, message) => diagram.#participants(message),
    presenter: (diagram, message) => diagram.#presenter(message),
    awareness: (diagram, message) => diagram.#awareness(message),
    token_expiring: (diagram) => diagram.#refreshToken(),
    error: (diagram, message) => diagram.#emit("trouble", message),
    goodbye: (diagram, message) => diagram.#wire.goodbye(message),
  };

  #welcome({ session, you, limits, heartbeat_seconds, durability, server }) {
    this.session = { ...session, durability, server };
    this.you = { ...you, id: `${you.user.provider}:${you.user.provider_id}` };
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.#wire.patienceMs = 2 * heartbeat_seconds * 1000;
    this.#emit("welcome", this.session);
    this.#historyIs(you.history);
  }

  #state(message) {
    if (!message.resend) this.#holdBack();
    this.#show(this.replica.show(message), { reset: true });
    this.#caughtUp();
    this.#verify(message.state_hash);
  }

  #repair(message) {
    this.#show(this.replica.repair(message), { reset: Boolean(message.order) });
    this.#caughtUp();
    this.#verify(message.state_hash);
  }

  #resumed({ to, state_hash: hash }) {
    this.#awaited = { since: Date.now(), to, hash };
    if (this.replica.vector >= to) this.#resumptionEnds();
  }

  #resumptionEnds() {
    const { to, hash } = this.#awaited;
    this.#caughtUp();
    if (this.replica.vector === to) this.#verify(hash);
  }

  #event(message) {
    if (message.by.id === this.you.id) this.#settle(message.operation_id, { changed: true, ...message });
    this.#advance(this.replica.happened(message, this.you.id), message);
    this.#emit("event", message);
  }

  #accepted(message) {
    this.#settle(message.operation_id, message);
    this.#advance(this.replica.accepted(message), message);
    this.#historyIs(message.history);
    this.#emit("accepted", message);
  }

  #settle(operationId, { changed, update_vector, skipped = [] }) {
    this.#pending(operationId)?.settle({ accepted: true, changed, vector: update_vector, skipped });
  }

  #rejected(message) {
    if (message.retry) this.#askAgain(message.operation_id, message.retry_after_ms);
    else this.#refuse(message.operation_id, message);
    if (message.requires_resync) this.resume();
  }

  #refuse(operationId, refusal) {
    const { reason, message } = refusal;
    this.#pending(operationId)?.settle({ accepted: false, reason, message });
    this.#show(this.replica.drop(operationId));
    this.#emit("rejected", { operation_id: operationId, ...refusal });
    this.#emit("status", this.status);
  }

  #pending(operationId) {
    return this.replica.pending.find((operation) => operation.operationId === operationId);
  }

  /** The server could not judge: the same operation once more, behind those that were asked meanwhile. */
  #askAgain(operationId, delay = RETRY_MS) {
    const operation = this.#pending(operationId);
    if (!operation) return;
    this.#show(this.replica.postpone(operation));
    operation.isSent = false;
    this.#after(delay, operationId, () => this.isLive && this.#transmitPending());
  }

  #participants(message) {
    this.roster = message;
    const present = new Map();
    for (const participant of message.participants) {
      for (const { connection_id } of participant.connections) present.set(connection_id, participant);
    }
    for (const id of this.peers.keys()) if (!present.has(id)) this.peers.delete(id);
    const { role, permissions, is_host } = present.get(this.you.connection_id) ?? this.you;
    this.you = { ...this.you, role, permissions, is_host };
    this.#emit("participants", message);
    this.#emit("awareness", { updates: [] });
  }

  #presenter(message) {
    if (message.action === "changed") this.roster = { ...this.roster, presenter: message.presenter };
    this.#emit("presenter", message);
  }

  #awareness(message) {
    for (const { connection_id, ...update } of message.updates) {
      this.peers.set(connection_id, { ...this.peers.get(connection_id), ...update });
    }
    this.#emit("awareness", message);
  }

  /** The socket may stay as long as the login whose ticket it shows. */
  async #refreshToken() {
    try {
      const ticket = await this.#options.ticket({ wants: "refresh" });
      if (this.isLive) this.send({ message_type: "refresh_token", ticket });
    } catch (error) {
      this.#emit("trouble", { error: "refresh_failed", message: error.message, details: {} });
    }
  }

  // -- staying equal -------------------------------------------------------------------------------------------------

  /** Asks for what the confirmed copy lacks; `withHashes`: for a repair of the cells that differ. */
  resume({ withHashes = false } = {}) {
    if (this.#awaited) return;
    this.#awaited = { since: Date.now(), to: Infinity };
    const { epoch, vector: update_vector, stateHash: state_hash } = this.replica;
    const plain = { message_type: "resume", epoch, update_vector, state_hash };
    const detailed = withHashes ? JSON.stringify({ ...plain, cell_hashes: this.replica.cellHashes }) : "";
    this.send(detailed && detailed.length <= this.limits.max_frame_bytes ? detailed : plain);
  }

  /** Asks the server where it stands; what differs is repaired. */
  check() {
    this.send({ message_type: "heartbeat" });
  }

  #advance(ids, message) {
    if (!ids) return this.resume();
    this.#show(ids, { event: message });
    if (this.#awaited && this.replica.vector >= this.#awaited.to) this.#resumptionEnds();
    else this.#emit("status", this.status);
  }

  /** The confirmed copy is whole again. */
  #caughtUp() {
    this.#awaited = null;
    if (this.isLive) return this.#emit("status", this.status);
    this.#wire.ready();
    this.#transmitPending();
    if (Object.keys(this.#shown).length > 0) this.aware(this.#shown);
  }

  /** VEC15: equal vectors have equal hashes, and a vector that the server has is here a second later. */
  #heartbeat({ epoch, update_vector, state_hash }) {
    const { replica } = this;
    this.#emit("heartbeat", { epoch, update_vector, state_hash });
    if (this.#awaited) {
      if (Date.now() - this.#awaited.since > ANSWER_MS) this.cut();
    } else if (epoch !== replica.epoch) this.resume();
    else if (update_vector === replica.vector) this.#verify(state_hash);
    else if (update_vector > replica.vector) {
      this.#after(CATCH_UP_MS, "catch up", () => replica.vector < update_vector && this.resume());
    }
  }

  /** First a repair, then a full state; where that does not help either, the fault is not in the copy. */
  #verify(serverHash) {
    const clientHash = this.replica.stateHash;
    if (clientHash === serverHash) {
      this.#repairs = 0;
      return;
    }
    this.#emit("mismatch", { clientHash, serverHash, update_vector: this.replica.vector });
    if (this.#repairs < 2) this.resume({ withHashes: this.#repairs++ === 0 });
  }

  /** Older than the server's memory of ids: sent again they might happen twice, so they are handed back. */
  #holdBack() {
    const operations = this.replica.pending;
    this.replica.pending = [];
    for (const { settle } of operations)
      settle({ accepted: false, reason: "too_old", message: "offline for too long" });
    if (operations.length > 0)
      this.#emit("held", { operations: operations.map(({ kind, cells }) => ({ kind, cells })) });
  }

  // -- telling -------------------------------------------------------------------------------------------------------

  #show(ids, detail) {
    if (ids.size > 0 || detail?.reset) this.#emit("change", { ids, reset: false, ...detail });
  }

  #historyIs(history) {
    this.history = history;
    this.#emit("history", history);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #after(delay, name, action) {
    clearTimeout(this.#timers.get(name));
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, delay);
    this.#timers.set(name, timer);
  }
}

function messageOf({ kind, operationId, cells, baseVector, groupId, strict }) {
  if (kind !== "edit") return JSON.stringify({ message_type: kind, operation_id: operationId });
  return JSON.stringify({
    message_type: "operation",
    operation_id: operationId,
    operation: { type: "patch", cells },
    base_vector: baseVector,
    ...(groupId && { group_id: groupId }),
    ...(strict && { strict }),
  });
}

/** Updates of one cell, such as the steps of a drag, as one; those with paths or objects to merge are left alone. */
function compacted(changes) {
  const isPlain = ({ operation, data }) =>
    operation === "update" && !Object.keys(data).some((key) => /^(attrs|data)(\/|$)/.test(key));
  const compact = [];
  for (const change of changes) {
    const at = compact.findLastIndex(({ id }) => id === change.id);
    if (at >= 0 && isPlain(change) && isPlain(compact[at])) {
      compact[at] = { ...change, data: { ...compact[at].data, ...change.data } };
    } else compact.push(change);
  }
  return compact;
}
