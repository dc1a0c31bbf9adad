/** One message of each kind that a client may send, made to fit the diagram that is open. */

import { isEdge, uuid } from "../sdk/codraw.js";

export const V1 = "codraw.v1";
export const LISTENERS = ["tmi", "classic"];

const NOBODY = { provider: "test", provider_id: "bob" };
const BOX = { x: 80, y: 80, width: 128, height: 80 };

/** Wire -> name -> message, or text that is none. `about`: `{replica, you, others}`. */
export const TEMPLATES = {
  [V1]: {
    heartbeat: () => ({ message_type: "heartbeat", ref: "h1" }),
    "operation: add": () => operation(added()),
    "operation: update": (about) => operation(updated(about), about),
    "operation: update, strict": (about) => ({ ...operation(updated(about), about), strict: true }),
    "operation: remove": (about) => operation({ id: someNode(about), operation: "remove" }, about),
    undo: () => ({ message_type: "undo", operation_id: uuid(), ref: "u1" }),
    redo: () => ({ message_type: "redo", operation_id: uuid(), ref: "r1" }),
    resume: ({ replica }) => ({
      message_type: "resume",
      epoch: replica.epoch,
      update_vector: Math.max(0, replica.vector - 3),
    }),
    "resume with hashes": ({ replica }) => ({
      message_type: "resume",
      epoch: replica.epoch,
      update_vector: replica.vector,
      state_hash: "0".repeat(32),
      cell_hashes: replica.cellHashes,
    }),
    awareness: (about) => ({ message_type: "awareness", cursor: { x: 382, y: 62.5 }, selection: [someNode(about)] }),
    "presenter: request": () => ({ message_type: "presenter", action: "request", ref: "p1" }),
    "presenter: grant": (about) => ({ message_type: "presenter", action: "grant", user: someone(about), ref: "p2" }),
    "presenter: deny": (about) => ({ message_type: "presenter", action: "deny", user: someone(about), ref: "p3" }),
    "presenter: release": () => ({ message_type: "presenter", action: "release", ref: "p4" }),
    remove_participant: (about) => ({ message_type: "remove_participant", user: someone(about), ref: "x1" }),
    refresh_token: () => ({ message_type: "refresh_token", ticket: "a ticket of GET /ws/ticket", ref: "t1" }),
    "not JSON": () => "{",
    "a duplicate key": () => '{"message_type":"heartbeat","message_type":"heartbeat"}',
  },
  tmi: {
    sync_status_request: () => ({ message_type: "sync_status_request" }),
    sync_request: () => ({ message_type: "sync_request" }),
    resync_request: () => ({ message_type: "resync_request" }),
    "diagram_operation_request: add": () => patch("diagram_operation_request", added()),
    "diagram_operation_request: update": (about) => patch("diagram_operation_request", updated(about)),
    undo_request: () => ({ message_type: "undo_request" }),
    redo_request: () => ({ message_type: "redo_request" }),
    presenter_request: () => ({ message_type: "presenter_request" }),
    change_presenter_request: (about) => ({ message_type: "change_presenter_request", new_presenter: someone(about) }),
    presenter_denied_request: (about) => ({ message_type: "presenter_denied_request", denied_user: someone(about) }),
    remove_participant_request: (about) => ({ message_type: "remove_participant_request", removed_user: someone(about) }),
    presenter_cursor: () => ({ message_type: "presenter_cursor", cursor_position: { x: 100, y: 100 } }),
    presenter_selection: (about) => ({ message_type: "presenter_selection", selected_cells: [someNode(about)] }),
  },
  classic: {
    sync_request: () => ({ message_type: "sync_request" }),
    "diagram_operation: add": () => patch("diagram_operation", added()),
    "diagram_operation: update": (about) => patch("diagram_operation", updated(about)),
    undo_request: () => ({ message_type: "undo_request" }),
    redo_request: () => ({ message_type: "redo_request" }),
    presenter_request: () => ({ message_type: "presenter_request" }),
    change_presenter: () => ({ message_type: "change_presenter", new_presenter: "bob@test.example" }),
    presenter_cursor: () => ({ message_type: "presenter_cursor", cursor_position: { x: 100, y: 100 } }),
    presenter_selection: (about) => ({ message_type: "presenter_selection", selected_cells: [someNode(about)] }),
  },
};

/** As it is put before the person: readable, and editable. */
export function templateText(wire, name, about) {
  const message = TEMPLATES[wire][name](about);
  return typeof message === "string" ? message : JSON.stringify(message, null, 2);
}

function patch(type, ...cells) {
  return { message_type: type, operation_id: uuid(), operation: { type: "patch", cells } };
}

function operation(cell, about) {
  return { ...patch("operation", cell), ...(about && { base_vector: about.replica.vector }) };
}

function added() {
  return { id: uuid(), operation: "add", data: { shape: "process", ...BOX, label: "By hand" } };
}

function updated(about) {
  const id = someNode(about);
  const { x = 0 } = about.replica.get(id) ?? {};
  return { id, operation: "update", data: { x: x + 40, "attrs/body/fill": "#fce8b2" } };
}

/** What is selected, else the first box. */
function someNode({ replica, selection = [] }) {
  const nodes = [...replica.cells()].filter((cell) => !isEdge(cell)).map(({ id }) => id);
  return selection.find((id) => nodes.includes(id)) ?? nodes[0] ?? uuid();
}

const someone = ({ others = [] }) => others[0] ?? NOBODY;
