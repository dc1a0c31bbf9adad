/** Operations that are not saved yet outlive the page: a reload in the middle loses nothing and doubles nothing. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { connect } from "../sdk/codraw.js";
import { localQueue } from "../sdk/offline.js";
import { Items } from "./support/items.js";
import { FakeServer, stateHash } from "./support/server.js";

const DAY_MS = 86_400_000;
const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const update = (id, data) => [{ id, operation: "update", data }];

let server, items;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  server = new FakeServer([box("a"), box("b")]);
  items = new Items();
});
afterEach(() => mock.reset());

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A page with the diagram open. */
function open(user = "alice", more = {}) {
  const storage = localQueue("alice", () => items);
  return connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf(user), storage, ...more });
}

/** The page is gone at once, with all it had in memory. */
function reload(diagram) {
  diagram.cut();
  diagram.close({ patienceMs: 0 });
}

const sent = () => server.received.map(([, message]) => message).filter((one) => one.message_type === "operation");

test("what is saved leaves nothing behind", async () => {
  const diagram = open();
  await settled();
  await diagram.edit(update("a", { x: 5 })).saved;
  assert.equal(items.length, 0);
});

test("VEC8 an edit that never reached the server is sent after a reload", async () => {
  const before = open();
  await settled();
  server.newest.break();
  const ids = [5, 6].map((x) => before.edit(update("a", { x })).id);
  reload(before);
  const after = open();
  await settled();
  assert.deepEqual(
    sent().map(({ operation_id }) => operation_id),
    ids,
  );
  assert.deepEqual([after.status, server.vector, items.length], [{ state: "live", pending: 0 }, 2, 0]);
  assert.equal(after.replica.stateHash, stateHash(server.cells));
});

test("VEC8 an edit that reached the server before the reload happens once", async () => {
  const before = open();
  await settled();
  server.newest.isDirect = false;
  before.edit([{ id: "c", operation: "add", data: { ...box("c"), id: undefined } }]);
  server.newest.deliverOut();
  reload(before);
  const after = open();
  await settled();
  assert.deepEqual([server.vector, after.status.pending, items.length], [1, 0, 0]);
  assert.deepEqual([...after.replica.cells()], server.cells);
});

test("what was kept is shown before there is a connection, and counts as pending", async () => {
  const before = open();
  await settled();
  server.newest.break();
  before.edit([{ id: "c", operation: "add", data: { shape: "process" } }]);
  reload(before);
  const after = open("alice", { ticket: async () => Promise.reject(new Error("no network")) });
  await settled();
  assert.equal(after.status.pending, 1);
  assert.equal(after.replica.get("c").shape, "process");
  after.close();
});

test("VEC9 an operation that may have been sent before the reload does not grow", async () => {
  const before = open();
  await settled();
  server.newest.isDirect = false;
  before.edit(update("a", { x: 1 }), { groupId: "g" });
  server.newest.deliverOut();
  reload(before);
  const after = open();
  after.edit(update("a", { x: 2 }), { groupId: "g" });
  await settled();
  assert.deepEqual([server.vector, server.cells[0].x, after.status.pending], [2, 2, 0]);
});

test("every step of a drag while offline is kept, in one group", async () => {
  const before = open();
  await settled();
  server.newest.break();
  for (const x of [1, 2, 3]) before.edit(update("a", { x }), { groupId: "g" });
  reload(before);
  open();
  await settled();
  assert.deepEqual([new Set(sent().map(({ group_id }) => group_id)), server.cells[0].x], [new Set("g"), 3]);
});

test("VEC9 what another window may have sent does not grow: the rest of a drag is sent as well", async () => {
  let isAway = false;
  const ticket = async () => (isAway ? Promise.reject(new Error("no network")) : "t");
  const one = open("alice", { ticket });
  await settled();
  isAway = true;
  server.newest.break();
  one.edit(update("a", { x: 10 }), { groupId: "g" });
  const two = open();
  await settled();
  assert.deepEqual([server.cells[0].x, two.status.pending], [10, 0]);
  const { saved } = one.edit(update("a", { x: 500 }), { groupId: "g" });
  isAway = false;
  one.open();
  await settled();
  assert.equal((await saved).accepted, true);
  assert.deepEqual([server.cells[0].x, one.replica.get("a").x, two.replica.get("a").x], [500, 500, 500]);
});

test("a server that says not to resend gets nothing from before the reload", async () => {
  const before = open();
  await settled();
  server.newest.break();
  before.edit(update("a", { x: 5 }));
  reload(before);
  server.resend = false;
  const after = open();
  const held = [];
  after.on("held", (detail) => held.push(detail));
  await settled();
  assert.deepEqual(held, [{ reason: "too_old", operations: [{ kind: "edit", cells: update("a", { x: 5 }) }] }]);
  assert.deepEqual([sent().length, items.length, after.status.pending], [0, 0, 0]);
});

test("what is older than the server's memory of ids is held", async () => {
  const before = open();
  await settled();
  server.newest.break();
  before.edit(update("a", { x: 5 }));
  reload(before);
  mock.timers.tick(30 * DAY_MS);
  const after = open();
  const held = [];
  after.on("held", (detail) => held.push(detail));
  await settled();
  assert.deepEqual([held.length, sent().length], [1, 0]);
});

test("VEC10 what one user asked is never sent as another's", async () => {
  const before = open("alice");
  await settled();
  server.newest.isDirect = false;
  const { saved } = before.edit(update("a", { x: 5 }));
  server.newest.deliverOut();
  reload(before);
  const after = open("bob");
  const held = [];
  after.on("held", ({ reason }) => held.push(reason));
  await settled();
  assert.deepEqual([held, server.vector, items.length], [["other_user"], 1, 0]);
  assert.ok(saved instanceof Promise);
});

test("two windows do not overwrite each other's operations", async () => {
  const [one, two] = [open(), open()];
  await settled();
  for (const socket of server.sockets) socket.isDirect = false;
  one.edit(update("a", { x: 1 }));
  two.edit(update("b", { x: 2 }));
  assert.equal(items.length, 2);
  for (const window of [one, two]) reload(window);
  open();
  await settled();
  assert.deepEqual([server.cells.map(({ x }) => x), items.length], [[1, 2], 0]);
});

test("operations of one moment come back in their order, other keys' not at all", async () => {
  const queue = localQueue("alice", () => items);
  const operations = ["9", "1", "5"].map((operationId) => ({ operationId, askedAt: 7, cells: [] }));
  queue.save(operations);
  localQueue("alice2", () => items).save([{ operationId: "x", askedAt: 7, cells: [] }]);
  assert.deepEqual(localQueue("alice", () => items).load(), operations);
});

test("what is no operation is passed over", () => {
  for (const text of ["", "null", "{}", '{"order":1,"operation":{}}', "[1"]) items.setItem(`alice/${text}`, text);
  assert.deepEqual(localQueue("alice", () => items).load(), []);
});

test("where the browser forbids storage the diagram goes on, and says so once", async () => {
  const forbidden = () => {
    throw new Error("denied");
  };
  const diagram = open("alice", { storage: localQueue("alice", forbidden) });
  const troubles = [];
  diagram.on("trouble", ({ error }) => troubles.push(error));
  await settled();
  await diagram.edit(update("a", { x: 5 })).saved;
  assert.deepEqual([troubles, server.vector], [["storage_failed"], 1]);
});

test("a storage that answers late is waited for", async () => {
  let answer;
  const kept = [{ operationId: "1", kind: "edit", cells: update("a", { x: 5 }), baseVector: 0, askedAt: Date.now() }];
  const saves = [];
  const storage = {
    load: () => new Promise((resolve) => (answer = () => resolve(kept))),
    save: (operations) => saves.push(operations.length),
  };
  const diagram = open("alice", { storage });
  await settled();
  assert.equal(diagram.status.state, "connecting");
  diagram.edit(update("a", { x: 6 }));
  assert.deepEqual(saves, [], "what is not read yet is not overwritten");
  answer();
  await settled();
  assert.equal(saves[0], 2);
  assert.deepEqual(
    sent().map(({ operation }) => operation.cells[0].data.x),
    [5, 6],
  );
});

test("a storage that fails is told, and the diagram goes on", async () => {
  const full = () => {
    throw new Error("quota exceeded");
  };
  const diagram = open("alice", { storage: { load: full, save: full } });
  const troubles = [];
  diagram.on("trouble", ({ error, message }) => troubles.push([error, message]));
  await settled();
  const { saved } = diagram.edit(update("a", { x: 5 }));
  assert.equal((await saved).accepted, true);
  assert.deepEqual(troubles[0], ["storage_failed", "quota exceeded"]);
});
