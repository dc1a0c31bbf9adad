/**
 * codraw's client: a live diagram over a WebSocket that comes back by itself.
 *
 * No dependency, no build step; knows cells and knows no editor. What is public is described in codraw.d.ts.
 */

import { canonicalChanges } from "./cells.js";
import { awaitsReceipt, Replica } from "./replica.js";
import { Wire } from "./wire.js";

export { applyEffect, canonicalChanges, isEdge, mergeCell, Overlay } from "./cells.js";
export { Replica } from "./replica.js";

const CATCH_UP_MS = 1_000;
const ANSWER_MS = 10_000;
const RETRY_MS = 500;
const LEAVING_MS = 3_000;
const MOST_WAITING = 999;
const MEMORY_MS = 29 * 86_400_000; // the server knows an operation by its id for 30 days
const DEFAULT_LIMITS = { max_frame_bytes: 262_144, max_cells_per_operation: 500, awareness_hz: 20 };

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
  session = null;
  you = null;
  limits = DEFAULT_LIMITS;
  history = { undo: 0, redo: 0 };
  roster = { participants: [], host: null, host_state: "absent", presenter: null };
  peers = new Map();

  #options;
  #wire;
  #awaited = null; // while something is missing: {since, to, hash}, `to` infinite until the server has answered
  #repairs = 0;
  #shown = {}; // how we show ourselves
  #unshown = null; // and what of it the others do not know yet
  #requests = new Map(); // ref -> who waits for the answer
  #timers = new Map();
  #restored; // a promise
  #isRestored = false;
  #isOver = false; // closed or refused
  #leaving = null; // which call of close() waits
  #said = {}; // the status that was read last, and what it was made of

  constructor(options) {
    super();
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) throw new TypeError("no WebSocket here: pass one as an option");
    this.#options = options;
    this.#wire = new Wire({
      WebSocket,
      protocol: "codraw.v1.json",
      address: (wants) => this.#address(wants),
      heard: (text) => this.#heard(text),
      sent: (text) => this.#emit("frame", { direction: "out", text, at: Date.now() }),
      lost: () => this.#lost(),
      changed: () => this.#changed(),
    });
    this.#restored = this.#restore();
  }

  on(type, listener) {
    const wrapped = (event) => listener(event.detail);
    this.addEventListener(type, wrapped);
    return () => this.removeEventListener(type, wrapped);
  }

  events(...types) {
    const queue = [];
    let isOver = false;
    let wake = () => {};
    const stops = types.map((type) => this.on(type, (detail) => wake(enqueue(queue, { type, detail }))));
    stops.push(this.on("status", () => wake()));
    const end = async () => {
      isOver = true;
      for (const stop of stops) stop();
      wake();
      return { done: true };
    };
    const next = async () => {
      while (queue.length === 0) {
        if (isOver || this.#isOver) return end();
        await new Promise((resolve) => (wake = resolve));
      }
      return { value: queue.shift() };
    };
    const iterator = { next, return: end, [Symbol.asyncIterator]: () => iterator };
    return iterator;
  }

  /** The same object until there is something else to say: pages compare what they have read. */
  get status() {
    const { state, why } = this.#wire;
    const pending = this.replica.pending.length;
    const said = this.#said;
    if (said.state !== state || said.why !== why || said.pending !== pending) {
      this.#said = { state, why, pending, status: { state, pending, ...why } };
    }
    return this.#said.status;
  }

  get isLive() {
    return this.#wire.state === "live";
  }

  get canWrite() {
    return this.you?.permissions === "writer";
  }

  open() {
    this.#leaving = null;
    this.#wire.open();
  }

  async close({ patienceMs = LEAVING_MS } = {}) {
    const isWaiting = patienceMs > 0 && !this.#leaving && this.status.pending > 0;
    const leaving = (this.#leaving = {});
    if (isWaiting) {
      const statuses = this.events("status");
      const timer = setTimeout(statuses.return, patienceMs);
      for await (const { detail } of statuses) if (detail.pending === 0) break;
      clearTimeout(timer);
    }
    if (this.#leaving === leaving) this.#wire.close();
  }

  cut() {
    this.#wire.cut();
  }

  send(message) {
    return this.#wire.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  // -- editing --

  edit(changes, { groupId, strict } = {}) {
    checkNumbers(changes);
    return this.#ask({ kind: "edit", cells: canonicalChanges(changes), groupId, strict });
  }

  undo() {
    return this.#ask({ kind: "undo", cells: [] });
  }

  redo() {
    return this.#ask({ kind: "redo", cells: [] });
  }

  #ask(asked) {
    const { vector: baseVector } = this.replica;
    const operation = { ...asked, operationId: uuid(), baseVector, askedAt: Date.now(), by: this.you?.id };
    if (!this.#fits(operation)) throw new RangeError("the operation does not fit into a frame");
    operation.saved = new Promise((resolve) => (operation.settle = resolve));
    if (this.#isOver) operation.settle(UNSETTLED);
    this.#show(this.replica.ask(operation));
    this.#pendingChanged();
    if (this.isLive && !this.#timers.has("again")) this.#transmit(operation);
    return { id: operation.operationId, saved: operation.saved };
  }

  #fits(operation) {
    return new TextEncoder().encode(messageOf(operation)).length <= this.limits.max_frame_bytes;
  }

  #transmit(operation) {
    operation.isSent = true;
    operation.sendings = 1 + (operation.sendings ?? 0);
    operation.by = this.you.id;
    if (!this.send(messageOf(operation))) operation.isSent = false;
  }

  /** Oldest first, same ids. Who hears of a refusal may ask for more, or leave. */
  #transmitPending() {
    for (const operation of [...this.replica.pending]) {
      if (operation.isSent || this.#fits(operation)) continue;
      this.#refuse(operation.operationId, { reason: "limit_exceeded", message: "it does not fit into a frame" });
    }
    for (const operation of this.replica.pending) if (!operation.isSent) this.#transmit(operation);
  }

  #pending(operationId) {
    return this.replica.pending.find((operation) => operation.operationId === operationId);
  }

  #pendingChanged() {
    this.#keep();
    this.#emit("status", this.status);
  }

  /** What was kept before a reload may have been sent. */
  #restore() {
    return this.#stored(async (storage) => {
      const operations = (await storage.load()).map((one) => ({ ...one, sendings: 1, settle() {} }));
      this.replica.pending.unshift(...operations);
      this.#isRestored = true;
      this.#show(this.replica.restack());
      this.#pendingChanged();
    });
  }

  #keep() {
    if (this.#isRestored) this.#stored((storage) => storage.save(this.replica.pending.map(kept)));
  }

  async #stored(action) {
    try {
      if (this.#options.storage) await action(this.#options.storage);
    } catch (error) {
      this.#troubled("storage_failed", error);
    }
  }

  // -- showing oneself --

  /** The newest wins, `awareness_hz` frames a second at most. */
  aware(change) {
    checkNumbers(change);
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

  // -- asking for a role --

  presenter(action, user) {
    return this.#request({ message_type: "presenter", action, user: nameOf(user) });
  }

  removeParticipant(user) {
    return this.#request({ message_type: "remove_participant", user: nameOf(user) });
  }

  #request(message) {
    const ref = uuid();
    return new Promise((settle) => {
      if (this.send({ ...message, ref })) this.#requests.set(ref, settle);
      else settle(LOST);
    });
  }

  /** False: nobody waits for it. */
  #answered({ ref, error, message }) {
    const settle = this.#requests.get(ref);
    settle?.(error ? { accepted: false, reason: error, message } : { accepted: true });
    return this.#requests.delete(ref);
  }

  // -- the wire --

  #changed() {
    const wasOver = this.#isOver;
    this.#isOver = /closed|refused/.test(this.#wire.state);
    if (this.#isOver && !wasOver) this.#hold(UNSETTLED, this.replica.pending);
    this.#emit("status", this.status);
  }

  async #address(wants) {
    await this.#restored;
    const { url, ticket } = this.#options;
    const where = typeof url === "function" ? await url() : url;
    const query = { ticket: await ticket({ wants }) };
    if (this.replica.epoch) query.resume = `${this.replica.epoch}:${this.replica.vector}`;
    this.#awaited = { since: Date.now(), to: Infinity };
    return [where, query];
  }

  #heard(text) {
    const message = JSON.parse(text);
    this.#emit("frame", { direction: "in", text, at: Date.now() });
    this.#receive[message.message_type]?.(message);
  }

  #lost() {
    this.#showMissed();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    for (const operation of this.replica.pending) operation.isSent = false;
    for (const settle of this.#requests.values()) settle(LOST);
    this.#requests.clear();
    this.peers.clear();
    this.#emit("awareness", { updates: [] });
  }

  // -- what the server says --

  #receive = {
    __proto__: null,
    welcome: (message) => this.#welcome(message),
    state: (message) => this.#state(message),
    repair: (message) => this.#repair(message),
    resumed: (message) => this.#resumed(message),
    event: (message) => this.#event(message),
    operation_accepted: (message) => this.#accepted(message),
    operation_rejected: (message) => this.#rejected(message),
    heartbeat: (message) => this.#heartbeat(message),
    participants: (message) => this.#participants(message),
    presenter: (message) => this.#presenter(message),
    awareness: (message) => this.#awareness(message),
    token_expiring: () => this.#refreshToken(),
    done: (message) => this.#answered(message),
    error: (message) => this.#answered(message) || this.#emit("trouble", message),
    goodbye: (message) => this.#wire.goodbye(message),
  };

  #welcome({ session, you, limits, heartbeat_seconds, durability, server }) {
    this.session = { ...session, durability, server };
    this.you = { ...you, id: idOf(you.user) };
    this.limits = { ...DEFAULT_LIMITS, ...limits };
    this.#wire.patienceMs = 2 * heartbeat_seconds * 1000;
    this.#holdBack("other_user", ({ by }) => by && by !== this.you.id);
    this.#emit("welcome", this.session);
    this.#historyIs(you.history);
  }

  #state(message) {
    const known = message.resend ? Date.now() - MEMORY_MS : Infinity;
    // Without `resend` the base of a strict one is of a past that is gone.
    const isDoubtful = ({ sendings, strict }) => sendings || (strict && !message.resend);
    this.#holdBack("too_old", (operation) => isDoubtful(operation) && operation.askedAt < known);
    const isReplaced = message.reason === "epoch_changed" && message.epoch !== this.replica.epoch;
    this.#show(this.replica.show(message), { reset: true });
    if (isReplaced) this.#historyIs({ undo: 0, redo: 0 }); // UN11: with what could be undone
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
    this.replica.isBehind = this.replica.vector < to;
    if (!this.replica.isBehind) this.#resumptionEnds();
  }

  #resumptionEnds() {
    const { to, hash } = this.#awaited;
    this.#caughtUp();
    if (this.replica.vector === to) this.#verify(hash);
  }

  #event(message) {
    const own = message.by.id === this.you.id && this.#pending(message.operation_id);
    if (own) own.hasHappened = true;
    if (own && !awaitsReceipt(own)) this.#settle(own.operationId, { changed: true, ...message });
    this.#advance(this.replica.happened(message, this.you.id), message);
    if (message.history) this.#historyIs(message.history);
    this.#emit("event", message);
  }

  #accepted(message) {
    this.#settle(message.operation_id, message);
    this.#sayAgain(message.operation_id);
    this.#advance(this.replica.accepted(message), message);
    this.#historyIs(message.history);
    this.#emit("accepted", message);
  }

  #settle(operationId, { changed, update_vector, skipped = [] }) {
    this.#pending(operationId)?.settle({ accepted: true, changed, vector: update_vector, skipped });
  }

  #rejected(message) {
    const isOld = this.#pending(message.operation_id)?.sendings > 1; // it may be: of long ago
    if (message.retry) this.#askAgain(message.operation_id, message.retry_after_ms);
    else this.#refuse(message.operation_id, message);
    if (message.requires_resync) this.resume();
    const [, empty] = /^nothing_to_(undo|redo)$/.exec(message.reason) ?? []; // used up elsewhere: that is told to nobody
    if (empty && !isOld) this.#historyIs({ ...this.history, [empty]: 0 });
  }

  #refuse(operationId, refusal) {
    const { reason, message } = refusal;
    this.#pending(operationId)?.settle({ accepted: false, reason, message });
    this.#show(this.replica.drop(operationId));
    this.#emit("rejected", { operation_id: operationId, ...refusal });
    this.#pendingChanged();
  }

  /** The server could not judge: the same operation once more, and what is asked meanwhile behind it. */
  #askAgain(operationId, delay = RETRY_MS) {
    const operation = this.#pending(operationId);
    if (!operation) return;
    operation.isSent = false;
    this.#again(delay);
  }

  /** What is under way behind them may overtake them: only its outcome says what is left to ask for. */
  #again(delay) {
    this.#after(delay, "again", () => {
      const isUnderWay = this.replica.pending.some(({ isSent, isDecided }) => isSent && !isDecided);
      if (isUnderWay) this.#again(RETRY_MS);
      else this.#transmitPending();
    });
  }

  /**
   * What was under way already and overtook it must have the last word: the newest wins. An undo would now take back
   * the newer one.
   */
  #sayAgain(operationId) {
    const { pending } = this.replica;
    const at = pending.findIndex((own) => own.operationId === operationId);
    if (at < 0) return;
    const overtaken = pending.slice(0, at).filter(({ isSent, hasHappened }) => !isSent && !hasHappened);
    for (const own of overtaken) if (own.kind !== "edit") this.#refuse(own.operationId, SUPERSEDED);
    const waiting = overtaken.flatMap(({ cells }) => cells);
    const isUndone = ({ id, operation }) => operation === "update" && waiting.some((before) => before.id === id);
    const cells = pending[at].cells.filter(isUndone);
    if (cells.length > 0) this.#ask({ kind: "edit", cells, groupId: pending[at].groupId });
  }

  #participants(said) {
    // Of a crowd a newcomer is told, too, who came and went shortly before it: its first list had that.
    const known = new Set(this.roster.participants.map(({ user }) => idOf(user)));
    const joined = said.joined.filter(({ id }) => !known.has(id));
    const message = { ...said, joined, left: said.left.filter(({ id }) => known.has(id)) };
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
    const { action, presenter, term: presenter_term } = message;
    if (action === "changed") {
      const now = (one) => ({ ...one, is_presenter: idOf(one.user) === idOf(presenter) });
      this.roster = { ...this.roster, participants: this.roster.participants.map(now), presenter, presenter_term };
    }
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
      this.#troubled("refresh_failed", error);
    }
  }

  // -- staying equal --

  resume({ withHashes = false } = {}) {
    if (this.#awaited) return;
    this.#awaited = { since: Date.now(), to: Infinity };
    const { epoch, vector: update_vector, stateHash: state_hash } = this.replica;
    const plain = { message_type: "resume", epoch, update_vector, state_hash };
    const detailed = withHashes ? JSON.stringify({ ...plain, cell_hashes: this.replica.cellHashes }) : "";
    this.send(detailed && detailed.length <= this.limits.max_frame_bytes ? detailed : plain);
  }

  check() {
    this.send({ message_type: "heartbeat" });
  }

  #advance(ids, message) {
    if (!ids) return this.resume();
    this.#show(ids, { event: message, reset: Boolean(message.operation?.order) });
    if (this.#awaited && this.replica.vector >= this.#awaited.to) this.#resumptionEnds();
    else if (!this.#awaited) this.#pendingChanged();
  }

  /** What many events have changed is drawn once. */
  #showMissed() {
    if (this.replica.isBehind) this.#show(this.replica.restack());
  }

  /** The confirmed copy is whole again. */
  #caughtUp() {
    this.#awaited = null;
    this.#showMissed();
    if (this.isLive) return this.#pendingChanged();
    this.#wire.ready(() => this.#transmitPending());
    this.#keep();
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

  /** Sent again they might happen twice: they are older than the server's memory of ids, or somebody else's. */
  #holdBack(reason, isDoubtful) {
    const operations = this.replica.pending.filter(isDoubtful);
    if (operations.length === 0) return;
    this.replica.pending = this.replica.pending.filter((operation) => !operations.includes(operation));
    this.#show(this.replica.restack());
    this.#hold({ accepted: false, reason, message: "held back" }, operations);
    this.#pendingChanged();
  }

  #hold(outcome, operations) {
    for (const { settle } of operations) settle(outcome);
    const held = operations.map(({ kind, cells }) => ({ kind, cells }));
    if (held.length > 0) this.#emit("held", { reason: outcome.reason, operations: held });
  }

  // -- telling --

  #show(ids, detail) {
    if (ids.size > 0 || detail?.reset) this.#emit("change", { ids, reset: false, ...detail });
  }

  #historyIs(history) {
    this.history = history;
    this.#emit("history", history);
  }

  #troubled(error, { message }) {
    this.#emit("trouble", { error, message, details: {} });
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

const bothOf = (a, b) => ({ ids: new Set([...a.ids, ...b.ids]), reset: a.reset || b.reset });

/** For who reads too slowly the newest of each type is enough; changes become one, and what is held stays. */
function enqueue(queue, event) {
  if (queue.push(event) <= MOST_WAITING) return;
  const newest = new Map();
  for (const { type, detail } of queue.splice(0)) {
    const key = type === "held" ? detail : type;
    const before = type === "change" && newest.get(key)?.detail;
    newest.delete(key);
    newest.set(key, { type, detail: before ? bothOf(before, detail) : detail });
  }
  queue.push(...newest.values());
}

const UNSETTLED = { accepted: false, reason: "unsettled", message: "not connected: open() sends it" };
const LOST = { accepted: false, reason: "lost", message: "the connection was lost" };
const SUPERSEDED = { reason: "superseded", message: "a later one came first" };

const idOf = (user) => user && `${user.provider}:${user.provider_id}`;
const nameOf = (user) => user && { provider: user.provider, provider_id: user.provider_id };

/** S50: what is no number would be null in JSON, and null deletes. */
function checkNumbers(value) {
  if (typeof value === "number" && !isFinite(value)) throw new RangeError("no finite number");
  if (typeof value === "object") Object.values(value ?? []).forEach(checkNumbers);
}

/** What is kept of a pending operation over a reload. */
const kept = ({ settle, saved, isSent, sendings, ...operation }) => operation;

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
