/**
 * Types of codraw.js. Names on the wire are those of `codraw.v1` (SPEC.md, asyncapi.yml).
 *
 *     const diagram = connect({ url, ticket: async () => "…" });
 *     diagram.on("change", ({ ids }) => draw(ids, diagram.replica));
 *     const { saved } = diagram.edit([{ id, operation: "update", data: { x: 150 } }]);
 *     if ((await saved).accepted) …
 */

export interface User {
  provider: string;
  provider_id: string;
  email: string;
  display_name: string;
}

export type UserName = Pick<User, "provider" | "provider_id">;

export interface UserRef {
  /** `<provider>:<provider_id>` */
  id: string;
  name: string;
}

export interface Point {
  x: number;
  y: number;
}

/** A canonical cell: geometry flat, unknown keys kept. */
export interface Cell {
  id: string;
  shape: string;
  x?: number;
  y?: number;
  width?: number;
  height?: number;
  source?: { cell: string; port?: string };
  target?: { cell: string; port?: string };
  parent?: string;
  children?: string[];
  vertices?: Point[];
  label?: string;
  attrs?: Record<string, unknown>;
  data?: Record<string, unknown>;
  zIndex?: number;
  [key: string]: unknown;
}

/** `add`: the whole cell. `update`: the keys to change; null deletes, `attrs/body/fill` is a path. `remove`: no data. */
export interface CellChange {
  id: string;
  operation: "add" | "update" | "remove";
  data?: Record<string, unknown>;
}

export type Kind = "edit" | "undo" | "redo" | "rest" | "restore";

export interface History {
  undo: number;
  redo: number;
}

export interface Skipped {
  id: string;
  keys: string[];
  why: "changed" | "gone" | "exists" | "in_use";
}

export type Outcome =
  | { accepted: true; changed: boolean; vector: number; skipped: Skipped[] }
  | { accepted: false; reason: string; message: string };

/** What became of a request about people. `lost`: the connection went before the answer came. */
export type Answer = { accepted: true } | { accepted: false; reason: string; message: string };

/** An operation as it is kept over a reload. */
export interface Kept {
  operationId: string;
  kind: "edit" | "undo" | "redo";
  cells: CellChange[];
  baseVector: number;
  groupId?: string;
  strict?: boolean;
  /** Milliseconds since 1970. */
  askedAt: number;
  /** Whose it is, as far as that was known. */
  by?: string;
}

/** Where operations that are not saved yet outlive the page; `localQueue` of offline.js is one. */
export interface Storage {
  /** What was saved last, oldest first. */
  load(): Kept[] | Promise<Kept[]>;
  /** All of them; called whenever they change. */
  save(operations: Kept[]): void | Promise<void>;
}

/**
 * What was asked. `saved` resolves once the server has decided, however long that takes, and never rejects. Where the
 * diagram is closed or refused it resolves with the reason `unsettled`: the operation stays pending, whether or not it
 * has reached the server, and `open()` sends it, with its id.
 */
export interface Asked {
  id: string;
  saved: Promise<Outcome>;
}

export interface Awareness {
  cursor?: Point | null;
  selection?: string[] | null;
  viewport?: { x: number; y: number; width: number; height: number; zoom: number } | null;
}

/**
 * `live`: edits reach the server. `offline`: it comes back by itself at `retryAt`. `refused`: it does not, `reason` and
 * `message` say why; `open()` tries anew.
 */
export interface Status {
  state: "closed" | "connecting" | "live" | "offline" | "refused";
  /** Operations that are not saved yet. */
  pending: number;
  code?: number;
  reason?: string;
  message?: string;
  /** Milliseconds since 1970. */
  retryAt?: number;
  /** Of `offline`: which attempt comes at `retryAt`, counted since a connection held; every rung waits up to twice as long. */
  attempt?: number;
}

export interface Session {
  session_id: string;
  threat_model_id: string;
  diagram_id: string;
  host: User;
  presenter: User | null;
  presenter_term: number;
  durability: "disk" | "replica" | "relaxed";
  server: { name: string; version: string };
}

export interface You {
  /** `<provider>:<provider_id>` */
  id: string;
  user: User;
  connection_id: string;
  role: "reader" | "writer" | "owner";
  permissions: "reader" | "writer";
  is_host: boolean;
  token_expires_at: string;
}

export interface Participant {
  user: User;
  role: "reader" | "writer" | "owner";
  permissions: "reader" | "writer";
  is_host: boolean;
  is_presenter: boolean;
  connections: { connection_id: string; dialect: string; joined_at: string }[];
}

export interface Roster {
  participants: Participant[];
  host: User | null;
  host_state: "here" | "away" | "absent";
  presenter: User | null;
  /** Rises with every change of the presenter; 1: the host, of whom nobody has asked it. Missing until told. */
  presenter_term?: number;
}

export interface EventMessage {
  epoch: string;
  update_vector: number;
  operation_id: string;
  by: UserRef;
  kind: Kind;
  operation: { type: "patch"; cells: CellChange[]; order?: string[] };
  at: string;
  history?: History;
}

export interface Accepted {
  operation_id: string;
  epoch: string;
  update_vector: number;
  changed: boolean;
  duplicate: boolean;
  kind: Kind;
  cells?: CellChange[];
  skipped?: Skipped[];
  history: History;
}

export interface Rejected {
  operation_id: string;
  reason: string;
  message: string;
  affected_cells?: string[];
  current_cells?: Cell[];
  details?: Record<string, unknown>;
}

export interface Events {
  /**
   * These cells may look different; `reset`: all of them, order included. `event`: the message that did it. What was
   * missed comes as one, without it.
   */
  change: { ids: Set<string>; reset: boolean; event?: EventMessage | Accepted };
  status: Status;
  welcome: Session;
  /** Somebody else's operation, or after a resume one of our own. */
  event: EventMessage;
  accepted: Accepted;
  rejected: Rejected;
  /**
   * Operations that are not being sent. `too_old`, `other_user`: they could happen twice if they were sent again, being
   * older than the server's memory of ids, or another user's; or are `strict`, and the past that they were asked upon
   * is gone. Make new edits of them if they are still wanted.
   * `unsettled`: the diagram is closed or refused; they stay pending (and in `storage`), and `open()` sends them.
   */
  held: { reason: "too_old" | "other_user" | "unsettled"; operations: { kind: Kind; cells: CellChange[] }[] };
  history: History;
  participants: Roster & { joined: UserRef[]; left: UserRef[] };
  /** `requested`: somebody asks us, the host; answer with `presenter("grant", user)` or `presenter("deny", user)`. */
  presenter: {
    action: "changed" | "requested" | "denied";
    presenter: User | null;
    term: number;
    user?: User;
    by?: "host" | "system";
  };
  /** `peers` changed. */
  awareness: { updates: ({ connection_id: string } & Awareness)[] };
  heartbeat: { epoch: string; update_vector: number; state_hash: string };
  /** The copy was wrong; it is being repaired. */
  mismatch: { clientHash: string; serverHash: string; update_vector: number };
  /** An `error` frame; `refresh_failed`: the token; `storage_failed`: what is pending will not survive a reload. */
  trouble: { error: string; message: string; details: Record<string, unknown> };
  frame: { direction: "in" | "out"; text: string; at: number };
}

export interface Options {
  /** `ws(s)://…/threat_models/{tm}/diagrams/{d}/ws`, or how to find it; asked before every connection. */
  url: string | (() => string | Promise<string>);
  /**
   * A fresh single-use ticket. `wants`: `connect`; `reauthenticate` after the login ended; `refresh` to prolong it. An
   * error with `status` 401, 403 or 404 ends the attempts unless it has `retryAfterMs`, after any other they go on, once
   * that is over.
   * A `url` that is none ends them too: `refused`, `bad_address`.
   */
  ticket(asked: { wants: "connect" | "reauthenticate" | "refresh" }): Promise<string>;
  /** Keeps operations that are not saved yet, so that they survive a reload of the page: sent again, same ids. */
  storage?: Storage;
  /** Where there is no global one: without either `connect` throws a TypeError. */
  WebSocket?: new (url: string, protocols: string[]) => unknown;
}

export function connect(options: Options): LiveDiagram;
export function uuid(): string;

export class LiveDiagram extends EventTarget {
  constructor(options: Options);
  readonly replica: Replica;
  /** The same object until it changes, as `session`, `you`, `history` and `roster` are. */
  readonly status: Status;
  readonly isLive: boolean;
  readonly canWrite: boolean;
  readonly session: Session | null;
  readonly you: You | null;
  readonly limits: Record<string, number>;
  readonly history: History;
  readonly roster: Roster;
  /** connection_id -> what it shows of itself. */
  readonly peers: Map<string, Awareness>;

  /** `addEventListener` that calls back with the detail and returns how to stop. */
  on<Type extends keyof Events>(type: Type, listener: (detail: Events[Type]) => void): () => void;

  /**
   * The same events for `for await`; ends once the diagram is closed or refused. Where a thousand wait to be read, of
   * each type the newest stays, of `held` all, and the changes become one: `ids` together.
   */
  events<Type extends keyof Events>(
    ...types: Type[]
  ): AsyncIterableIterator<{ [One in Type]: { type: One; detail: Events[One] } }[Type]>;

  /** Connects; after `refused` or `closed` anew, from `offline` at once. */
  open(): void;
  /**
   * Leaves, once nothing is pending or `patienceMs` (3000) are over; a second call at once. From the host's last window
   * this ends the session for everybody. Resolves when it has left: `status.pending` says how much is not saved.
   */
  close(options?: { patienceMs?: number }): Promise<void>;
  /** Loses the connection on purpose; it comes back by itself. */
  cut(): void;

  /**
   * Shows the changes at once and sends them; operations that follow each other with one `groupId` are undone as one.
   * `strict`: refused where somebody else has changed one of the cells since. Throws RangeError if it fits no frame, or
   * holds NaN or an infinity.
   */
  edit(changes: (Omit<CellChange, "data"> & { data?: object })[], options?: { groupId?: string; strict?: boolean }): Asked;
  undo(): Asked;
  redo(): Asked;
  /**
   * Cursor, selection, viewport; null: gone. The newest wins, `awareness_hz` frames a second at most. Throws RangeError
   * if it holds NaN or an infinity.
   */
  aware(change: Awareness): void;

  /** To ask for the presenter's place, to leave it; the host: to give it (null: to nobody) or to say no. */
  presenter(action: "request" | "release"): Promise<Answer>;
  presenter(action: "grant", user: UserName | null): Promise<Answer>;
  presenter(action: "deny", user: UserName): Promise<Answer>;
  /** The host's: removes a user from the session, for as long as it lasts. */
  removeParticipant(user: UserName): Promise<Answer>;

  /** Asks for what the confirmed copy lacks; `withHashes`: for a repair of the cells that differ. */
  resume(options?: { withHashes?: boolean }): void;
  /** Asks the server where it stands; what differs is repaired. */
  check(): void;
  /** Sends one message as it is. False: there is no connection. */
  send(message: object | string): boolean;
}

export interface PendingOperation {
  operationId: string;
  kind?: Kind;
  cells: CellChange[];
}

/** A confirmed copy with pending operations on top; usable without a connection. */
export class Replica {
  epoch: string | null;
  vector: number;
  pending: PendingOperation[];
  /** Of the confirmed copy at `vector`: 32 hex digits. */
  readonly stateHash: string;
  /** `[id, first 16 digits of its hash]` of every confirmed cell, in order: lets the server answer with a `repair`. */
  readonly cellHashes: [string, string][];
  /** As it looks now, pending operations included; not to be changed. */
  get(id: string): Cell | undefined;
  cells(): Iterable<Cell>;
  confirmedCells(): Iterable<Cell>;

  ask(operation: PendingOperation): Set<string>;
  drop(operationId: string): Set<string>;
  /** Lays the pending operations anew and is behind no longer. */
  restack(): Set<string>;
  /** While events follow each other: they return no ids, and `restack()`, which ends this, those of all. */
  isBehind: boolean;
  show(state: { epoch: string; update_vector: number; cells: Cell[] }): Set<string>;
  repair(repair: {
    epoch: string;
    update_vector: number;
    cells: Cell[];
    removed: string[];
    order?: string[];
  }): Set<string>;
  /** Null: something that came before is missing. */
  happened(event: Omit<EventMessage, "kind" | "at">, me: string): Set<string> | null;
  accepted(
    receipt: Pick<Accepted, "operation_id" | "epoch" | "update_vector" | "changed" | "cells">,
  ): Set<string> | null;
}

/** A Map of cells with changes laid over it. */
export class Overlay {
  constructor(base: Map<string, Cell>);
  readonly ids: string[];
  get(id: string): Cell | undefined;
  values(): Iterable<Cell>;
  lay(changes: CellChange[]): boolean;
  settle(): string[];
}

export function isEdge(cell: Cell): boolean;
export function canonicalChanges(changes: CellChange[]): CellChange[];
export function mergeCell(cell: Cell, patch: Record<string, unknown>): Cell;
export function applyEffect(cells: Map<string, Cell>, effect: { cells: CellChange[]; order?: string[] }): string[];
