/** A live diagram against a small server: what is sent, what is kept, and how it comes back. */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, mock, test } from "node:test";

import { connect, LiveDiagram } from "../sdk/codraw.js";
import { Rest } from "../sdk/rest.js";
import { FakeServer, stateHash } from "./support/server.js";

const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const update = (id, data) => [{ id, operation: "update", data }];
const add = (id, more) => {
  const { id: _, ...data } = box(id, more);
  return [{ id, operation: "add", data }];
};

let server;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 1);
  server = new FakeServer([box("a"), box("b")]);
});
afterEach(() => mock.reset());

/** Lets promises and microtasks run; the clock is ours. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function enter(user = "alice", options = {}) {
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf(user), ...options });
  await settled();
  return diagram;
}

async function later(ms) {
  mock.timers.tick(ms);
  await settled();
}

const sent = (type) =>
  server.received.map(([, message]) => message).filter(({ message_type }) => message_type === type);
const heard = (diagram, type) => {
  const details = [];
  diagram.on(type, (detail) => details.push(detail));
  return details;
};

test("a diagram is live once it has its state", async () => {
  const diagram = await enter();
  assert.equal(diagram.status.state, "live");
  assert.deepEqual([...diagram.replica.cells()], server.cells);
  assert.equal(server.newest.url.searchParams.get("ticket"), "t");
  assert.deepEqual(server.newest.protocols, ["codraw.v1.json"]);
});

test("an edit is seen before it is saved, and saved when its receipt came", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  const { saved } = diagram.edit(update("a", { x: 5 }));
  assert.equal(diagram.replica.get("a").x, 5);
  assert.deepEqual(diagram.status, { state: "live", pending: 1 });
  server.newest.deliverOut();
  server.newest.deliverIn();
  assert.deepEqual(await saved, { accepted: true, changed: true, vector: 1, skipped: [] });
  assert.deepEqual(diagram.status, { state: "live", pending: 0 });
});

test("a status is the same object until it says something else", async () => {
  const diagram = await enter();
  const live = diagram.status;
  assert.equal(diagram.status, live);
  server.newest.isDirect = false;
  diagram.edit(update("a", { x: 5 }));
  assert.deepEqual([diagram.status.pending, live.pending], [1, 0]);
  assert.equal(diagram.status, diagram.status);
  server.newest.break();
  const offline = diagram.status;
  assert.equal(diagram.status, offline);
  await later(500);
  server.newest.break();
  assert.deepEqual([offline.attempt, diagram.status.attempt], [1, 2]);
});

test("what comes from the server is never sent back", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  bob.on("change", ({ event }) => event && event.by && assert.notEqual(event.by.id, "test:bob"));
  alice.edit(update("a", { x: 5 }));
  assert.equal(bob.replica.get("a").x, 5);
  assert.equal(sent("operation").length, 1);
});

test("a rejected edit disappears and says why", async () => {
  const diagram = await enter();
  const rejections = heard(diagram, "rejected");
  const { saved, id } = diagram.edit(update("gone", { x: 5 }));
  assert.deepEqual(await saved, { accepted: false, reason: "conflict_detected", message: "conflict_detected" });
  assert.equal(rejections[0].operation_id, id);
  assert.equal(diagram.status.pending, 0);
});

test("VEC8 pending operations are sent again after a loss, same ids, same order", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  const ids = [5, 6].map((x) => diagram.edit(update("a", { x })).id);
  server.newest.break();
  ids.push(diagram.edit(update("b", { x: 7 })).id);
  await later(500);
  assert.deepEqual(
    sent("operation").map(({ operation_id }) => operation_id),
    ids,
  );
  assert.deepEqual(diagram.status, { state: "live", pending: 0 });
  assert.equal(diagram.replica.stateHash, stateHash(server.cells));
});

test("what a listener asks when it is live again comes behind what was asked before", async () => {
  const diagram = await enter();
  server.newest.break();
  diagram.edit(update("a", { x: 1 }));
  const stop = diagram.on("status", ({ state }) => {
    if (state !== "live") return;
    stop();
    diagram.edit(update("a", { x: 2 }));
  });
  await later(500);
  assert.deepEqual(
    sent("operation").map(({ operation }) => operation.cells[0].data.x),
    [1, 2],
  );
  assert.equal(diagram.replica.get("a").x, 2);
});

for (const leave of ["close", "cut"]) {
  test(`a listener that is shown the diagram may ${leave} it`, async () => {
    const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
    diagram.addEventListener("change", () => diagram[leave](), { once: true });
    await settled();
    assert.equal(diagram.status.state, leave === "close" ? "closed" : "offline");
    diagram.open();
    await settled();
    assert.deepEqual([diagram.status.state, server.sockets.size], ["live", 1]);
  });
}

test("a listener that cuts the connection once it is live keeps nothing from being sent on the next", async () => {
  const diagram = await enter();
  server.newest.break();
  diagram.edit(update("a", { x: 1 }));
  const stop = diagram.on("status", ({ state }) => {
    if (state !== "live") return;
    stop();
    diagram.cut();
  });
  await later(500);
  await later(1000);
  assert.deepEqual(diagram.status, { state: "live", pending: 0 });
});

/** Two edits, of which the first fits no frame of the next connection. */
async function comesBackWithTooMuch() {
  const diagram = await enter();
  server.newest.break();
  server.welcomeWith = { limits: { max_frame_bytes: 400, awareness_hz: 20 } };
  diagram.edit(update("a", { label: "x".repeat(400) }));
  diagram.edit(update("a", { x: 1 }));
  return diagram;
}

test("a listener that cuts the connection on a refusal while it becomes live leaves nothing unsent", async () => {
  const diagram = await comesBackWithTooMuch();
  diagram.on("rejected", () => diagram.cut());
  await later(500);
  await later(1000);
  assert.deepEqual([diagram.status, server.sockets.size], [{ state: "live", pending: 0 }, 1]);
  assert.equal(server.cells[0].x, 1);
});

test("a listener that cuts the connection when it is shown a frame has it sent on the next", async () => {
  const diagram = await enter();
  const stop = diagram.on("frame", () => (stop(), diagram.cut()));
  diagram.edit(update("a", { x: 1 }));
  await later(500);
  assert.deepEqual([diagram.status, server.cells[0].x], [{ state: "live", pending: 0 }, 1]);
});

test("a listener that closes on a refusal while it becomes live has closed", async () => {
  const diagram = await comesBackWithTooMuch();
  diagram.on("rejected", () => diagram.close({ patienceMs: 0 }));
  await later(500);
  assert.deepEqual([diagram.status.state, server.sockets.size], ["closed", 0]);
});

test("what a listener asks on a refusal while it becomes live is sent, behind what was asked before", async () => {
  const diagram = await comesBackWithTooMuch();
  diagram.on("rejected", () => diagram.edit(update("a", { x: 2 })));
  await later(500);
  assert.deepEqual([diagram.status, server.cells[0].x], [{ state: "live", pending: 0 }, 2]);
});

test("VEC8 an operation whose receipt was lost happens once", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  const { saved } = diagram.edit(update("a", { x: 5 }));
  server.newest.deliverOut();
  server.newest.break();
  await later(500);
  assert.equal(server.vector, 1);
  assert.equal((await saved).accepted, true);
  assert.equal(diagram.status.pending, 0);
});

test("WS17 a returning client asks for what it missed and gets no full state", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  server.newest.break();
  alice.edit(update("a", { x: 5 }));
  const resets = heard(bob, "change");
  await later(500);
  assert.equal(server.newest.url.searchParams.get("resume"), "e1:0");
  assert.deepEqual(
    resets.map(({ reset }) => reset),
    [false],
  );
  assert.equal(bob.replica.stateHash, stateHash(server.cells));
});

test("WS17 what was missed is drawn at once, at the end", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  server.newest.break();
  bob.edit(update("b", { y: 1 }));
  for (const x of [5, 6, 7]) alice.edit(update("a", { x }));
  const [changes, events] = [heard(bob, "change"), heard(bob, "event")];
  bob.on("change", () => assert.equal(bob.replica.get("a").x, 7));
  await later(500);
  assert.deepEqual([...changes[0].ids].sort(), ["a", "b"]);
  assert.equal(events.length, 3);
});

test("what came of a resumption before the connection broke again is drawn", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  server.newest.break();
  for (const x of [5, 6]) alice.edit(update("a", { x }));
  const changes = heard(bob, "change");
  bob.on("event", () => bob.cut());
  await later(500);
  assert.deepEqual([changes.length, bob.status.state, bob.replica.get("a").x], [1, "offline", 5]);
});

test("pending operations wait until the missing events are there", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  server.newest.break();
  alice.edit(update("a", { x: 5 }));
  bob.edit(update("a", { y: 6 }));
  server.received.length = 0;
  const frames = heard(bob, "frame");
  await later(500);
  const types = frames.map(({ direction, text }) => `${direction} ${JSON.parse(text).message_type}`);
  assert.deepEqual(types, ["in welcome", "in resumed", "in event", "out operation", "in operation_accepted"]);
});

test("WS15 a gap asks for a resume, and the wire stays", async () => {
  const diagram = await enter();
  const hole = { vector: 1, user: "bob", operation_id: "1", kind: "edit", effect: update("a", { x: 5 }) };
  const next = { vector: 2, user: "bob", operation_id: "2", kind: "edit", effect: update("a", { y: 6 }) };
  server.log.push(hole, next);
  server.cells[0] = box("a", { x: 5, y: 6 });
  server.newest.isDirect = false;
  for (let frame = 0; frame < 2; frame++) server.newest.tell(server.event(next));
  while (server.newest.inbox.length + server.newest.outbox.length > 0)
    (server.newest.deliverIn(), server.newest.deliverIn(), server.newest.deliverOut());
  assert.deepEqual(
    sent("resume").map(({ epoch, update_vector }) => [epoch, update_vector]),
    [["e1", 0]],
  );
  assert.equal(diagram.replica.vector, 2);
  assert.equal(diagram.replica.stateHash, stateHash(server.cells));
});

test("RE14 another order of the cells is a change of all of them", async () => {
  const diagram = await enter();
  const changes = heard(diagram, "change");
  const operation = { type: "patch", cells: [], order: ["b", "a"] };
  const event = { epoch: "e1", update_vector: 1, operation_id: "r", by: { id: "test:bob", name: "bob" }, operation };
  server.newest.onmessage({ data: JSON.stringify({ message_type: "event", kind: "rest", ...event }) });
  assert.deepEqual(
    Array.from(diagram.replica.cells(), ({ id }) => id),
    ["b", "a"],
  );
  assert.deepEqual(
    changes.map(({ reset }) => reset),
    [true],
  );
});

test("VEC15 a heartbeat with another hash at the same vector leads to a repair", async () => {
  const diagram = await enter();
  const mismatches = heard(diagram, "mismatch");
  for (const cells of [server.cells, server.initialCells]) cells[1].x = 99; // the copy is wrong: no operation did this
  server.beat(server.newest);
  assert.equal(mismatches.length, 1);
  assert.equal(sent("resume")[0].cell_hashes.length, 2);
  assert.equal(diagram.replica.get("b").x, 99);
  assert.equal(diagram.replica.stateHash, stateHash(server.cells));
});

test("VEC15 a vector still lacking a second after the heartbeat leads to a resume", async () => {
  const diagram = await enter();
  server.log.push({ vector: 1, user: "bob", operation_id: "1", kind: "edit", effect: update("a", { x: 5 }) });
  server.cells[0] = box("a", { x: 5 });
  server.beat(server.newest);
  assert.equal(sent("resume").length, 0);
  await later(1000);
  assert.equal(sent("resume").length, 1);
  assert.equal(diagram.replica.vector, 1);
});

test("VEC15 a hash that no state can satisfy does not ask for ever", async () => {
  const diagram = await enter();
  const state_hash = "f".repeat(32);
  server.resume = (socket) =>
    socket.tell({ message_type: "state", epoch: "e1", update_vector: 0, state_hash, cells: [], resend: true });
  for (let beat = 0; beat < 3; beat++)
    server.newest.tell({ message_type: "heartbeat", epoch: "e1", update_vector: 0, state_hash });
  assert.equal(sent("resume").length, 2);
  assert.equal(diagram.status.state, "live");
});

test("VEC6 a heartbeat of another epoch asks for its state", async () => {
  const diagram = await enter();
  diagram.edit(update("a", { x: 5 }));
  Object.assign(server, { epoch: "e2", cells: [box("c")], log: [] });
  server.beat(server.newest);
  assert.deepEqual([diagram.replica.epoch, ...diagram.replica.cells()], ["e2", box("c")]);
});

test("what a left wire still brings is not heard", async () => {
  const diagram = await enter();
  const left = server.newest;
  diagram.cut();
  left.onmessage({ data: JSON.stringify({ message_type: "state", epoch: "e1", update_vector: 0, cells: [] }) });
  assert.equal([...diagram.replica.cells()].length, 2);
});

test("an operation that the server could not judge is sent again with its id", async () => {
  const diagram = await enter();
  server.refuses = () => ({ reason: "unavailable", retry: true, retry_after_ms: 300 });
  const { id } = diagram.edit(update("a", { x: 5 }));
  server.refuses = () => undefined;
  assert.equal(diagram.status.pending, 1);
  await later(300);
  assert.deepEqual(
    sent("operation").map(({ operation_id }) => operation_id),
    [id, id],
  );
  assert.equal(diagram.status.pending, 0);
});

test("while one waits to be asked again, what is asked later waits behind it", async () => {
  const diagram = await enter();
  server.refuses = () => ({ reason: "unavailable", retry: true, retry_after_ms: 300 });
  const first = diagram.edit(update("a", { x: 1 }));
  server.refuses = () => undefined;
  const second = diagram.edit(update("a", { x: 2 }));
  assert.equal(diagram.replica.get("a").x, 2);
  await later(300);
  assert.deepEqual(
    sent("operation").map(({ operation_id }) => operation_id),
    [first.id, first.id, second.id],
  );
  assert.deepEqual([server.cells[0].x, diagram.replica.get("a").x], [2, 2]);
});

test("an operation that overtook one that waits to be asked again is said once more behind it", async () => {
  const diagram = await enter();
  const socket = server.newest;
  socket.isDirect = false;
  diagram.edit(update("a", { x: 1 }));
  const { saved } = diagram.edit(update("a", { x: 2 }));
  server.refuses = () => ({ reason: "unavailable", retry: true, retry_after_ms: 300 });
  socket.deliverOut();
  server.refuses = () => undefined;
  socket.deliverOut();
  socket.isDirect = true;
  for (let frame = 0; frame < 2; frame++) socket.deliverIn();
  assert.equal((await saved).vector, 1);
  assert.equal(diagram.replica.get("a").x, 2, "what the user sees does not jump back");
  await later(300);
  assert.deepEqual([server.cells[0].x, diagram.replica.get("a").x, diagram.status.pending], [2, 2, 0]);
});

test("while a later one is still under way, an operation that was sent back is not asked again", async () => {
  const diagram = await enter();
  const socket = server.newest;
  socket.isDirect = false;
  diagram.edit(update("a", { x: 1 }));
  diagram.edit(update("a", { x: 2 }));
  server.refuses = () => ({ reason: "unavailable", retry: true, retry_after_ms: 300 });
  socket.deliverOut();
  server.refuses = () => undefined;
  socket.deliverIn();
  await later(300);
  assert.equal(socket.outbox.length, 1);
  while (socket.outbox.length + socket.inbox.length > 0) (socket.deliverOut(), socket.deliverIn());
  socket.isDirect = true;
  await later(500);
  assert.deepEqual([server.cells[0].x, diagram.replica.get("a").x, diagram.status.pending], [2, 2, 0]);
});

test("an undo that a later edit of ours overtook is not asked again: it would take that edit back", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  const socket = server.newest;
  const rejected = heard(diagram, "rejected");
  socket.isDirect = false;
  const undo = diagram.undo();
  diagram.edit(add("d"));
  const [asked, edit] = socket.outbox.splice(0);
  const refusal = { reason: "unavailable", retry: true, retry_after_ms: 300 };
  socket.tell(server.rejection(JSON.parse(asked).operation_id, refusal));
  socket.isDirect = true;
  server.hear(socket, JSON.parse(edit));
  socket.deliverIn();
  await later(300);
  assert.equal((await undo.saved).reason, "superseded");
  assert.deepEqual(
    [rejected.map(({ operation_id }) => operation_id), sent("undo"), diagram.status.pending],
    [[undo.id], [], 0],
  );
  assert.deepEqual(
    Array.from(diagram.replica.cells(), ({ id }) => id),
    ["a", "b", "c", "d"],
  );
});

test("a receipt of what is not pending any more takes nothing back", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  const socket = server.newest;
  socket.isDirect = false;
  const first = diagram.edit(update("a", { x: 1 }));
  const second = diagram.edit(update("b", { x: 1 }));
  socket.outbox.splice(0);
  const receipt = server.accept({ user: "alice", tell() {} }, first.id, "edit", update("a", { x: 1 }));
  socket.tell(server.rejection(second.id, { reason: "unavailable", retry: true, retry_after_ms: 300 }));
  while (socket.inbox.length > 0) socket.deliverIn();
  const undo = diagram.undo();
  diagram.edit(update("b", { y: 9 }));
  socket.tell({ ...receipt, duplicate: true, history: { undo: 1, redo: 0 } });
  socket.deliverIn();
  socket.isDirect = true;
  await later(500);
  assert.deepEqual([(await undo.saved).accepted, sent("undo").length, diagram.status.pending], [true, 1, 0]);
});

test("an undo that stands in the log is never said to be overtaken", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  server.newest.isDirect = false;
  const undo = diagram.undo();
  server.newest.deliverOut();
  server.newest.break();
  const edit = diagram.edit(update("a", { x: 7 }));
  let refusals = 0;
  const skipped = [];
  server.undo = (socket, { operation_id }) => {
    if (refusals++ === 0) socket.tell(server.rejection(operation_id, { reason: "unavailable", retry: true, retry_after_ms: 300 }));
    else {
      const { vector } = server.log.find((one) => one.operation_id === operation_id);
      const receipt = { operation_id, epoch: "e1", update_vector: vector, kind: "undo", changed: true, duplicate: true };
      socket.tell({ message_type: "operation_accepted", ...receipt, skipped, history: {} });
    }
  };
  await later(500);
  await later(1000);
  assert.deepEqual([await undo.saved, (await edit.saved).accepted], [{ accepted: true, changed: true, vector: 2, skipped }, true]);
});

test("a full state leaves pending operations to be sent again", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  diagram.edit(update("a", { x: 5 }));
  server.newest.break();
  server.epoch = "e2";
  await later(500);
  assert.equal(server.cells[0].x, 5);
  assert.equal(diagram.status.pending, 0);
});

test("a state that says not to resend hands the pending operations back", async () => {
  const diagram = await enter();
  const held = heard(diagram, "held");
  server.newest.isDirect = false;
  const { saved } = diagram.edit(update("a", { x: 5 }));
  server.newest.break();
  Object.assign(server, { epoch: "e2", resend: false });
  await later(500);
  assert.equal((await saved).reason, "too_old");
  assert.deepEqual(held[0].operations, [{ kind: "edit", cells: update("a", { x: 5 }) }]);
  assert.equal(diagram.replica.get("a").x, 0);
  assert.equal(sent("operation").length, 0);
});

test("what was never sent is sent whatever the server says of resending", async () => {
  const diagram = await enter();
  const held = heard(diagram, "held");
  server.newest.break();
  const { saved } = diagram.edit(update("a", { x: 5 }));
  Object.assign(server, { epoch: "e2", resend: false });
  await later(500);
  assert.deepEqual([(await saved).accepted, held, server.cells[0].x], [true, [], 5]);
});

test("OP22 a strict edit from a past that is gone is handed back, sent or not", async () => {
  const diagram = await enter();
  const held = heard(diagram, "held");
  server.newest.break();
  const { saved } = diagram.edit(update("a", { x: 5 }), { strict: true });
  Object.assign(server, { epoch: "e2", resend: false });
  await later(500);
  assert.deepEqual([(await saved).reason, server.cells[0].x, sent("operation")], ["too_old", 0, []]);
  assert.deepEqual(held[0].operations, [{ kind: "edit", cells: update("a", { x: 5 }) }]);
});

test("an operation whose receipt came too early is done with at the next full state", async () => {
  const diagram = await enter();
  const socket = server.newest;
  socket.isDirect = false;
  const { id, saved } = diagram.edit(update("a", { x: 5 }));
  const receipt = { operation_id: id, epoch: "e1", update_vector: 2, changed: true, history: {} };
  socket.onmessage({ data: JSON.stringify({ message_type: "operation_accepted", ...receipt }) });
  assert.equal((await saved).accepted, true);
  const cells = [box("a", { x: 7 }), box("b")];
  const state = { epoch: "e1", update_vector: 3, state_hash: stateHash(cells), cells, resend: true };
  socket.onmessage({ data: JSON.stringify({ message_type: "state", ...state }) });
  assert.deepEqual([diagram.status.pending, diagram.replica.get("a").x], [0, 7]);
});

test("UN11 of a replaced history there is nothing to undo", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  const state = { update_vector: 2, cells: [box("a")], state_hash: stateHash([box("a")]), resend: true };
  const tell = (told) => server.newest.tell({ message_type: "state", ...state, ...told });
  tell({ epoch: "e1", reason: "epoch_changed" });
  assert.deepEqual(diagram.history, { undo: 1, redo: 0 });
  tell({ epoch: "e2", reason: "epoch_changed" });
  assert.deepEqual(diagram.history, { undo: 0, redo: 0 });
});

test("UN8 who hears that there is nothing to undo knows it from then on", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  assert.deepEqual(diagram.history, { undo: 1, redo: 0 });
  server.undo = (socket, { operation_id }) =>
    socket.tell(server.rejection(operation_id, { reason: "nothing_to_undo" }));
  diagram.undo();
  assert.deepEqual(diagram.history, { undo: 0, redo: 0 });
});

test("VEC8 a refusal of long ago says nothing of the stack as it is now", async () => {
  const diagram = await enter();
  server.undo = (socket, { operation_id }) =>
    socket.tell(server.rejection(operation_id, { reason: "nothing_to_undo" }));
  server.newest.isDirect = false;
  const { saved } = diagram.undo();
  server.newest.deliverOut();
  server.newest.break();
  server.welcomeWith = { you: { ...diagram.you, history: { undo: 1, redo: 0 } } };
  await later(500);
  assert.equal((await saved).reason, "nothing_to_undo");
  assert.deepEqual(diagram.history, { undo: 1, redo: 0 });
});

test("undo is the server's to work out, and its receipt is shown", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  const { saved } = diagram.undo();
  assert.equal((await saved).accepted, true);
  assert.equal(diagram.replica.get("c"), undefined);
  assert.equal(diagram.replica.stateHash, stateHash(server.cells));
});

test("UN2 what an undo left alone is told though its receipt was lost, and it happens once", async () => {
  const diagram = await enter();
  diagram.edit(add("c"));
  const undo = server.undo.bind(server);
  const skipped = [{ id: "a", keys: ["x"], why: "changed" }];
  server.undo = (socket, message) => {
    const known = server.log.find(({ operation_id }) => operation_id === message.operation_id);
    if (!known) return undo(socket, message);
    const receipt = { operation_id: known.operation_id, epoch: "e1", update_vector: known.vector, kind: "undo" };
    socket.tell({ message_type: "operation_accepted", ...receipt, changed: true, duplicate: true, skipped, history: {} });
  };
  server.newest.isDirect = false;
  const { saved } = diagram.undo();
  server.newest.deliverOut();
  server.newest.break();
  await later(500);
  assert.deepEqual(await saved, { accepted: true, changed: true, vector: 2, skipped });
  assert.deepEqual([server.vector, diagram.status.pending, diagram.replica.get("c")], [2, 0, undefined]);
});

test("a drag while offline goes out in one group, and no operation changes after it was asked", async () => {
  const diagram = await enter();
  server.newest.break();
  for (const x of [1, 2, 3]) diagram.edit(update("a", { x }), { groupId: "g", strict: x === 3 });
  assert.equal(diagram.replica.get("a").x, 3);
  await later(500);
  assert.deepEqual(
    sent("operation").map(({ operation, group_id, strict }) => [operation.cells[0].data.x, group_id, strict]),
    [
      [1, "g", undefined],
      [2, "g", undefined],
      [3, "g", true],
    ],
  );
});

test("S50 what is no number is refused where it is written, and deletes nothing", async () => {
  const diagram = await enter();
  for (const number of [NaN, Infinity, -Infinity]) {
    assert.throws(() => diagram.edit(update("a", { attrs: { body: { strokeWidth: number } } })), RangeError);
    assert.throws(() => diagram.aware({ cursor: { x: number, y: 0 } }), RangeError);
  }
  assert.deepEqual([server.received, diagram.status.pending], [[], 0]);
});

test("an edit that fits no frame is refused before it is shown", async () => {
  server.welcomeWith = { limits: { max_frame_bytes: 400, awareness_hz: 20 } };
  const diagram = await enter();
  assert.throws(() => diagram.edit(update("a", { label: "x".repeat(400) })), RangeError);
  assert.equal(diagram.replica.get("a").label, undefined);
});

for (const [code, expected] of [
  [1000, "refused"],
  [1003, "refused"],
  [4403, "refused"],
  [4404, "refused"],
  [1001, "offline"],
  [1005, "offline"],
  [1006, "offline"],
  [1009, "offline"],
  [1012, "offline"],
  [1013, "offline"],
  [4401, "offline"],
  [4408, "offline"],
  [4429, "offline"],
]) {
  test(`close ${code} leads to ${expected}`, async () => {
    const diagram = await enter();
    server.newest.break(code);
    assert.equal(diagram.status.state, expected);
    assert.equal(diagram.status.code, code);
  });
}

test("goodbye decides over the close code, and its delay is obeyed", async () => {
  const diagram = await enter();
  server.newest.tell({
    message_type: "goodbye",
    code: 1012,
    reason: "restart",
    message: "m",
    return: "yes",
    retry_after_ms: 1800,
  });
  const first = server.newest;
  first.break(1012);
  assert.deepEqual([diagram.status.reason, diagram.status.retryAt], ["restart", Date.now() + 2300]);
  await later(1799);
  assert.equal(server.newest, first);
  await later(501);
  assert.equal(diagram.status.state, "live");
});

test("a session that ended before its ticket was used is asked for anew, but not for ever", async () => {
  const states = [];
  class Late {
    constructor() {
      const goodbye = { message_type: "goodbye", code: 4404, reason: "session_not_found", message: "m", return: "no" };
      queueMicrotask(() => {
        this.onmessage({ data: JSON.stringify(goodbye) });
        this.onclose({ code: 4404, reason: "" });
      });
    }
    close() {}
  }
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: Late });
  for (let attempt = 0; attempt < 5; attempt++) {
    await settled();
    states.push(diagram.status.state);
    await later(30_000);
  }
  assert.deepEqual(states, ["offline", "offline", "offline", "refused", "refused"]);
});

test("an expired token asks for a ticket of a new login", async () => {
  const wants = [];
  await enter("alice", { ticket: async ({ wants: want }) => (wants.push(want), "t") });
  server.newest.break(4401);
  await later(500);
  assert.deepEqual(wants, ["connect", "reauthenticate"]);
});

test("before the token expires a fresh ticket is shown in band", async () => {
  await enter();
  server.newest.tell({ message_type: "token_expiring", expires_at: "2026-01-01T00:00:00Z" });
  await settled();
  assert.equal(sent("refresh_token")[0].ticket, "t");
});

test("delays grow with full jitter up to half a minute", async () => {
  const delays = [];
  const ticket = async () => Promise.reject(new Error("down"));
  const diagram = connect({ url: "ws://x/ws", ticket, WebSocket: server.socketsOf() });
  for (let attempt = 0; attempt < 9; attempt++) {
    await settled();
    delays.push(diagram.status.retryAt - Date.now());
    mock.timers.tick(delays.at(-1));
  }
  diagram.close();
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test("delays grow as well where every attempt takes long to fail", async () => {
  const delays = [];
  const ticket = async () => {
    mock.timers.setTime(Date.now() + 10_500);
    throw new Error("timeout");
  };
  const diagram = connect({ url: "ws://x/ws", ticket, WebSocket: server.socketsOf() });
  for (let attempt = 0; attempt < 4; attempt++) {
    await settled();
    delays.push(diagram.status.retryAt - Date.now());
    mock.timers.tick(delays.at(-1));
  }
  diagram.close();
  assert.deepEqual(delays, [500, 1000, 2000, 4000]);
});

test("after a connection that was live for long delays begin anew", async () => {
  const diagram = await enter();
  server.newest.break();
  await later(500);
  await later(10_001);
  server.newest.break();
  assert.equal(diagram.status.retryAt - Date.now(), 500);
  await later(500);
  server.newest.break();
  assert.equal(diagram.status.retryAt - Date.now(), 1000, "a short one counts as a failure");
});

for (const [header, seconds] of [
  ["30", 30],
  ["Thu, 01 Jan 1970 00:01:00 GMT", 60],
  ["soon", 0],
  ["Thu, 01 Jan 1970 00:00:00 GMT", 0],
]) {
  test(`an attempt refused with Retry-After: ${header} is made again ${seconds} s later, not before`, async () => {
    mock.timers.setTime(1); // as the last date is past
    const headers = { "Retry-After": header, "Content-Type": "application/json" };
    mock.method(globalThis, "fetch", async () => new Response("{}", { status: 503, headers }));
    const diagram = await enter("alice", { ticket: () => new Rest({ server: "http://x" }).ticket("s") });
    for (let turn = 0; turn < 5; turn++) await settled();
    assert.ok(Math.abs(diagram.status.retryAt - (seconds * 1000 + 501)) <= 1, `at ${diagram.status.retryAt}`);
    diagram.close();
  });
}

test("a reader whom nobody has opened the diagram for asks again, and is live once somebody does", async () => {
  let isOpen = false;
  mock.method(globalThis, "fetch", async (address, { method }) => {
    const [status, body] = address.includes("/ws/ticket")
      ? [200, { ticket: "t" }]
      : method === "POST"
        ? [403, { error: "forbidden" }]
        : isOpen
          ? [200, { session_id: "s" }]
          : [404, { error: "not_found" }];
    return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });
  });
  const { ticket } = new Rest({ server: "http://x" }).live("m", "d");
  const diagram = await enter("alice", { ticket });
  for (let turn = 0; turn < 9; turn++) await settled();
  assert.deepEqual([diagram.status.state, diagram.status.reason], ["offline", "nobody_there"]);
  isOpen = true;
  mock.timers.tick(60_000);
  for (let turn = 0; turn < 9; turn++) await settled();
  assert.equal(diagram.status.state, "live");
  diagram.close();
});

test("a ticket that is clearly refused ends the attempts", async () => {
  const denied = Object.assign(new Error("no such session"), { status: 404 });
  const diagram = await enter("alice", { ticket: async () => Promise.reject(denied) });
  assert.deepEqual(diagram.status, { state: "refused", pending: 0, reason: "no_ticket", message: "no such session" });
});

for (const [how, end] of [
  ["closed", (diagram) => diagram.close({ patienceMs: 0 })],
  ["refused", () => server.newest.break(4403)],
]) {
  test(`what is not saved when the diagram is ${how} is told, and sent once it is opened again`, async () => {
    const diagram = await enter();
    const held = heard(diagram, "held");
    server.newest.isDirect = false;
    const before = diagram.edit(update("a", { x: 5 }));
    end(diagram);
    const after = diagram.edit(update("a", { y: 6 }));
    assert.equal((await before.saved).reason, "unsettled");
    assert.equal((await after.saved).reason, "unsettled");
    assert.deepEqual(held, [{ reason: "unsettled", operations: [{ kind: "edit", cells: update("a", { x: 5 }) }] }]);
    assert.deepEqual([diagram.status.state, diagram.status.pending], [how, 2]);
    diagram.open();
    await settled();
    assert.deepEqual(diagram.status, { state: "live", pending: 0 });
    assert.deepEqual(server.cells[0], box("a", { x: 5, y: 6 }));
  });
}

test("what is not saved when the login has ended is told, and sent after the next", async () => {
  let isSignedIn = true;
  const ended = Object.assign(new Error("sign in"), { status: 401 });
  const diagram = await enter("alice", { ticket: async () => (isSignedIn ? "t" : Promise.reject(ended)) });
  server.newest.isDirect = false;
  const { saved } = diagram.edit(update("a", { x: 5 }));
  isSignedIn = false;
  server.newest.break(4401);
  await later(500);
  assert.deepEqual([diagram.status.state, (await saved).reason], ["refused", "unsettled"]);
  isSignedIn = true;
  diagram.open();
  await settled();
  assert.equal(server.cells[0].x, 5);
});

test("who closes on hearing that it is offline has closed", async () => {
  const diagram = await enter();
  diagram.on("status", ({ state }) => state === "offline" && diagram.close());
  server.newest.break();
  await later(60_000);
  assert.deepEqual([diagram.status.state, server.sockets.size], ["closed", 0]);
});

for (const [how, lose] of [
  ["breaks", () => server.newest.break()],
  ["is cut", (diagram) => diagram.cut()],
]) {
  test(`who closes on hearing that the others are gone has closed, when the connection ${how}`, async () => {
    const diagram = await enter();
    const stop = diagram.on("awareness", () => (stop(), diagram.close()));
    lose(diagram);
    await later(60_000);
    assert.deepEqual([diagram.status.state, server.sockets.size], ["closed", 0]);
  });
}

test("who closes on hearing that it connects has closed", async () => {
  let tickets = 0;
  const ticket = async () => `${tickets++}`;
  const diagram = new LiveDiagram({ url: "ws://x/ws", ticket, WebSocket: server.socketsOf("alice") });
  diagram.on("status", ({ state }) => state === "connecting" && diagram.close());
  diagram.open();
  await later(60_000);
  assert.deepEqual([diagram.status.state, server.sockets.size, tickets], ["closed", 0, 0]);
});

test("closing waits for what is being saved", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  const { saved } = diagram.edit(update("a", { x: 5 }));
  const closing = diagram.close();
  assert.equal(diagram.status.state, "live");
  server.newest.deliverOut();
  server.newest.deliverIn();
  await closing;
  assert.deepEqual([(await saved).accepted, diagram.status.state], [true, "closed"]);
});

test("closing before the connection is there waits for it", async () => {
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
  diagram.edit(update("a", { x: 5 }));
  await diagram.close();
  assert.deepEqual([server.cells[0].x, diagram.status.pending], [5, 0]);
});

test("closing waits three seconds, not for ever, and a second call not at all", async () => {
  for (const isTwice of [false, true]) {
    const diagram = await enter();
    server.newest.isDirect = false;
    const { saved } = diagram.edit(update("a", { x: 5 }));
    const closing = diagram.close();
    if (isTwice) diagram.close();
    else await later(2_999);
    assert.equal(diagram.status.state, isTwice ? "closed" : "live");
    await later(1);
    await closing;
    assert.deepEqual([diagram.status.state, (await saved).reason], ["closed", "unsettled"]);
  }
});

test("who opens while closing waits stays", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  diagram.edit(update("a", { x: 5 }));
  const closing = diagram.close();
  diagram.open();
  await later(3_000);
  await closing;
  assert.equal(diagram.status.state, "live");
});

test("without a WebSocket there is no diagram", () => {
  const { WebSocket } = globalThis;
  delete globalThis.WebSocket;
  try {
    assert.throws(() => connect({ url: "ws://x/ws", ticket: async () => "t" }), /no WebSocket/);
  } finally {
    if (WebSocket) globalThis.WebSocket = WebSocket;
  }
});

/** As Node's `ws`: an emitter, which throws an error that nobody listens for. */
class Refused extends EventEmitter {
  set onerror(heard) {
    this.on("error", heard);
  }
  set onclose(heard) {
    this.on("close", heard);
  }
  close() {}
  fail() {
    this.emit("error", new Error("connect ECONNREFUSED"));
    this.emit("close", { code: 1006, reason: "" });
  }
}

test("a WebSocket that throws errors nobody listens for may fail, and fail again after we have left", async () => {
  const dialled = [];
  class WebSocket extends Refused {
    constructor() {
      super();
      dialled.push(this);
    }
  }
  const diagram = await enter("alice", { WebSocket });
  dialled[0].fail();
  assert.deepEqual([diagram.status.state, diagram.status.code], ["offline", 1006]);
  diagram.close();
  dialled[0].fail();
  assert.equal(diagram.status.state, "closed");
});

class Choosy {
  constructor(address) {
    throw new SyntaxError(`${address} is not for me`);
  }
}

for (const [what, options] of [
  ["address", { url: "nowhere" }],
  ["address that was asked for", { url: async () => "nowhere" }],
  ["address for a WebSocket", { WebSocket: Choosy }],
]) {
  test(`no ${what} ends the attempts`, async () => {
    const { status } = await enter("alice", options);
    assert.deepEqual([status.state, status.reason], ["refused", "bad_address"]);
    assert.match(status.message, /Invalid URL|not for me/);
  });
}

test("a fetch without a network is bad weather, though a TypeError", async () => {
  const down = () => Promise.reject(new TypeError("fetch failed"));
  for (const options of [{ ticket: down }, { url: down }]) {
    const diagram = await enter("alice", options);
    assert.deepEqual([diagram.status.state, diagram.status.message], ["offline", "fetch failed"]);
    diagram.close();
  }
});

test("what was pending at a refusal is sent when the diagram is opened again", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  diagram.edit(update("a", { x: 5 }));
  server.newest.break(1000);
  assert.deepEqual([diagram.status.state, diagram.status.pending], ["refused", 1]);
  diagram.open();
  await settled();
  assert.deepEqual(diagram.status, { state: "live", pending: 0 });
  assert.equal(server.cells[0].x, 5);
});

test("a server that falls silent is left and met again", async () => {
  const diagram = await enter();
  const first = server.newest;
  await later(29_999);
  assert.equal(diagram.status.state, "live");
  await later(1);
  assert.equal(diagram.status.reason, "silent");
  assert.ok(first.closedWith >= 4000, "a close without code would end the session of a host");
  await later(500);
  assert.equal(diagram.status.state, "live");
});

test("leaving says 1000, cutting does not", async () => {
  const leaving = await enter();
  leaving.close();
  assert.equal(server.newest.closedWith, 1000);
  const cutting = await enter();
  cutting.cut();
  assert.notEqual(server.newest.closedWith, 1000);
  assert.deepEqual([leaving.status.state, cutting.status.state], ["closed", "offline"]);
});

test("awareness is sent 20 times a second, the newest value last", async () => {
  const diagram = await enter();
  for (const x of [1, 2, 3]) diagram.aware({ cursor: { x, y: 0 } });
  diagram.aware({ selection: ["a"] });
  await later(50);
  await later(50);
  assert.deepEqual(
    sent("awareness").map(({ message_type: _, ...rest }) => rest),
    [{ cursor: { x: 1, y: 0 } }, { cursor: { x: 3, y: 0 }, selection: ["a"] }],
  );
});

test("the others' awareness goes with their connection", async () => {
  const alice = await enter("alice");
  const bob = await enter("bob");
  bob.aware({ cursor: { x: 1, y: 2 } });
  const [[id, peer]] = alice.peers;
  assert.deepEqual(peer, { cursor: { x: 1, y: 2 } });
  assert.equal(id, bob.you.connection_id);
  const [aliceSocket] = server.sockets;
  aliceSocket.tell({
    message_type: "participants",
    participants: [],
    host: null,
    host_state: "here",
    presenter: null,
    presenter_term: 1,
    joined: [],
    left: [],
  });
  assert.equal(alice.peers.size, 0);
});

test("awareness is shown again after a loss", async () => {
  const diagram = await enter();
  diagram.aware({ cursor: { x: 1, y: 2 } });
  server.newest.break();
  server.received.length = 0;
  await later(500);
  assert.deepEqual(sent("awareness")[0].cursor, { x: 1, y: 2 });
});

test("PR4 the roster says who presents when that has changed", async () => {
  const diagram = await enter();
  const [ana, bob] = ["ana", "bob"].map((id) => ({ provider: "test", provider_id: id, email: "", display_name: id }));
  const participants = [ana, bob].map((user) => ({ user, is_presenter: user === ana, connections: [] }));
  const roster = { participants, host: ana, host_state: "here", presenter: ana, presenter_term: 1 };
  server.newest.tell({ message_type: "participants", ...roster, joined: [], left: [] });
  const presenting = () => diagram.roster.participants.map(({ is_presenter }) => is_presenter);
  server.newest.tell({ message_type: "presenter", action: "changed", presenter: bob, term: 2 });
  assert.deepEqual([presenting(), diagram.roster.presenter_term], [[false, true], 2]);
  server.newest.tell({ message_type: "presenter", action: "changed", presenter: null, term: 3 });
  assert.deepEqual([presenting(), diagram.roster.presenter_term], [[false, false], 3]);
});

test("WS11 nobody is told twice of who came, nor of who went before oneself came", async () => {
  const diagram = await enter();
  const told = [];
  diagram.on("participants", ({ joined, left }) => told.push([joined, left].map((all) => all.map(({ id }) => id))));
  const people = ["ana", "bob", "cy"].map((id) => ({ provider: "test", provider_id: id, email: "", display_name: id }));
  const [ana, bob, cy] = people.map((user) => ({ user, is_presenter: false, connections: [] }));
  const ids = (...names) => names.map((name) => ({ id: `test:${name}`, name }));
  const list = (participants, joined, left) =>
    server.newest.tell({
      ...{ message_type: "participants", participants, host: ana.user, host_state: "here", presenter: null },
      ...{ presenter_term: 0, joined, left },
    });
  list([ana, bob], [], []);
  list([ana, bob, cy], ids("ana", "bob", "cy"), ids("dan"));
  list([ana, cy], [], ids("bob"));
  assert.deepEqual(told, [
    [[], []],
    [["test:cy"], []],
    [[], ["test:bob"]],
  ]);
});

test("a request about people resolves with the answer that bears its ref", async () => {
  const diagram = await enter();
  const bob = { provider: "test", provider_id: "bob", email: "bob@x", display_name: "Bob" };
  const granted = diagram.presenter("grant", bob);
  const removed = diagram.removeParticipant(bob);
  const [grant] = sent("presenter");
  const [removal] = sent("remove_participant");
  assert.deepEqual([grant.action, grant.user], ["grant", { provider: "test", provider_id: "bob" }]);
  const troubles = heard(diagram, "trouble");
  const { ref } = removal;
  server.newest.tell({ message_type: "error", error: "permission_denied", message: "host only", details: {}, ref });
  server.newest.tell({ message_type: "done", ref: grant.ref });
  assert.deepEqual(await granted, { accepted: true });
  assert.deepEqual(await removed, { accepted: false, reason: "permission_denied", message: "host only" });
  assert.deepEqual(troubles, [], "who asked is told, nobody else");
});

test("a request about people is lost with its connection", async () => {
  const diagram = await enter();
  const asked = diagram.presenter("request");
  server.newest.break();
  assert.deepEqual([(await asked).reason, (await diagram.presenter("release")).reason], ["lost", "lost"]);
});

test("an error that answers nobody is trouble", async () => {
  const diagram = await enter();
  const troubles = heard(diagram, "trouble");
  server.newest.tell({ message_type: "error", error: "malformed", message: "m", details: {} });
  assert.equal(troubles[0].error, "malformed");
});

test("events can be awaited one by one, until the diagram is closed", async () => {
  const diagram = await enter();
  const events = diagram.events("accepted", "history");
  await diagram.edit(update("a", { x: 5 })).saved;
  const types = [];
  const reading = (async () => {
    for await (const { type } of events) types.push(type);
  })();
  await settled();
  assert.deepEqual(types, ["history", "accepted"]);
  diagram.edit(update("a", { x: 6 }));
  diagram.close();
  await reading;
  assert.deepEqual(types, ["history", "accepted", "history", "accepted"]);
});

test("events end where coming back is of no use, and when nobody listens any more", async () => {
  const diagram = await enter();
  const [read, left] = [diagram.events("change"), diagram.events("change")];
  const next = read.next();
  await left.return();
  diagram.edit(update("a", { x: 5 }));
  assert.deepEqual([(await next).value.type, (await left.next()).done], ["change", true]);
  server.newest.break(4403);
  assert.equal((await read.next()).value.type, "change");
  assert.equal((await read.next()).done, true);
});

test("events that nobody fetches are taken together, those held back excepted", async () => {
  const diagram = await enter();
  server.newest.isDirect = false;
  const events = diagram.events("change", "history", "held");
  for (let turn = 0; turn < 3; turn++) diagram.dispatchEvent(new CustomEvent("held", { detail: { turn } }));
  for (let depth = 0; depth <= 5_000; depth++) {
    const detail = { ids: new Set([`${depth % 7}`]), reset: depth === 1 };
    diagram.dispatchEvent(new CustomEvent("change", { detail }));
    diagram.dispatchEvent(new CustomEvent("history", { detail: { undo: depth, redo: 0 } }));
  }
  diagram.close();
  const read = { change: [], history: [], held: [] };
  for await (const { type, detail } of events) read[type].push(detail);
  assert.ok(read.change.length + read.history.length <= 1_000, `${read.change.length} waited`);
  assert.deepEqual([...new Set(read.change.flatMap(({ ids }) => [...ids]))].sort(), [..."0123456"]);
  assert.equal(
    read.change.some(({ reset }) => reset),
    true,
  );
  assert.equal(read.history.at(-1).undo, 5_000);
  assert.deepEqual(
    read.held.map(({ turn }) => turn),
    [0, 1, 2],
  );
});

test("delays are drawn by lot below the ceiling", async () => {
  const ticket = async () => Promise.reject(new Error("down"));
  const diagram = connect({ url: "ws://x/ws", ticket, WebSocket: server.socketsOf() });
  const delays = [];
  for (const drawn of [0, 0.25, 0.75]) {
    mock.method(Math, "random", () => drawn);
    await settled();
    delays.push(diagram.status.retryAt - Date.now());
    mock.timers.tick(delays.at(-1));
  }
  diagram.close();
  assert.deepEqual(delays, [0, 250, 1500]);
});

test("a token that cannot be refreshed is trouble, not the end", async () => {
  const ticket = async ({ wants }) => (wants === "refresh" ? Promise.reject(new Error("signed out")) : "t");
  const diagram = await enter("alice", { ticket });
  const troubles = heard(diagram, "trouble");
  server.newest.tell({ message_type: "token_expiring", expires_at: "2026-01-01T00:00:00Z" });
  await settled();
  assert.deepEqual([troubles[0].error, diagram.status.state], ["refresh_failed", "live"]);
});

test("an unknown message type is ignored", async () => {
  const diagram = await enter();
  server.newest.tell({ message_type: "constructor" });
  server.newest.tell({ message_type: "something_new" });
  assert.equal(diagram.status.state, "live");
});
