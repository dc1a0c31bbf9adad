/** A confirmed copy with pending operations on top. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Overlay } from "../sdk/cells.js";
import { Replica } from "../sdk/replica.js";
import { stateHash } from "./support/server.js";

const ME = "test:me";
const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const update = (id, data) => [{ id, operation: "update", data }];
const event = (vector, cells, by = "test:you", operation_id = `op${vector}`) => ({
  epoch: "e",
  update_vector: vector,
  by: { id: by },
  operation_id,
  operation: { type: "patch", cells },
});
const receipt = (operation_id, vector, more) => ({
  operation_id,
  epoch: "e",
  update_vector: vector,
  changed: true,
  ...more,
});

function replicaOf(...cells) {
  const replica = new Replica();
  replica.show({ epoch: "e", update_vector: 0, cells });
  return replica;
}

test("a pending operation is seen at once and is not confirmed", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  assert.equal(replica.get("a").x, 5);
  assert.deepEqual([...replica.confirmedCells()], [box("a")]);
  assert.equal(replica.stateHash, stateHash([box("a")]));
});

test("a foreign event goes under the pending operations", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.happened(event(1, update("a", { x: 9, y: 9 })), ME);
  assert.deepEqual(replica.get("a"), box("a", { x: 5, y: 9 }));
  assert.equal(replica.stateHash, stateHash([box("a", { x: 9, y: 9 })]));
});

test("a receipt confirms what was asked, on top of what came before it", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.happened(event(1, update("a", { x: 9, y: 9 })), ME);
  replica.accepted(receipt("1", 2));
  assert.deepEqual([...replica.confirmedCells()], [box("a", { x: 5, y: 9 })]);
  assert.equal(replica.vector, 2);
  assert.equal(replica.pending.length, 0);
});

test("a receipt with effective cells is taken as it says", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.accepted(receipt("1", 1, { cells: update("a", { x: 6, label: "by the server" }) }));
  assert.deepEqual(replica.get("a"), box("a", { x: 6, label: "by the server" }));
});

test("OP11 the receipt of a no-op takes the operation off and leaves the vector", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 0 }) });
  replica.accepted(receipt("1", 0, { changed: false }));
  assert.equal(replica.vector, 0);
  assert.equal(replica.pending.length, 0);
});

test("a rejection drops one operation and leaves the others on top", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.ask({ operationId: "2", cells: update("a", { y: 6 }) });
  replica.drop("1");
  assert.deepEqual(replica.get("a"), box("a", { y: 6 }));
});

test("WS15 an event that was seen already changes nothing, one too far ahead is not applied", () => {
  const replica = replicaOf(box("a"));
  replica.happened(event(1, update("a", { x: 5 })), ME);
  assert.notEqual(replica.happened(event(1, update("a", { x: 7 })), ME), null);
  assert.equal(replica.happened(event(3, update("a", { x: 8 })), ME), null);
  assert.deepEqual(replica.get("a"), box("a", { x: 5 }));
  assert.equal(replica.vector, 1);
});

test("VEC6 an event of another epoch is not applied", () => {
  const replica = replicaOf(box("a"));
  assert.equal(replica.happened({ ...event(1, update("a", { x: 5 })), epoch: "f" }, ME), null);
});

test("WS17 an own operation that comes back as an event is confirmed by it, and its later receipt adds nothing", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.happened(event(1, update("a", { x: 5 }), ME, "1"), ME);
  assert.equal(replica.pending.length, 0);
  replica.accepted(receipt("1", 1, { duplicate: true }));
  assert.equal(replica.vector, 1);
});

test("VEC10 another user's use of the same id confirms nothing", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.happened(event(1, update("a", { y: 1 }), "test:you", "1"), ME);
  assert.equal(replica.pending.length, 1);
});

test("VEC8 a receipt older than the copy takes the operation off without doing it again", () => {
  const replica = new Replica();
  replica.show({ epoch: "e", update_vector: 5, cells: [box("a", { x: 9 })] });
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  replica.accepted(receipt("1", 3, { duplicate: true }));
  assert.deepEqual(replica.get("a"), box("a", { x: 9 }));
});

test("a receipt beyond the next vector leaves the operation pending", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
  assert.equal(replica.accepted(receipt("1", 4)), null);
  assert.equal(replica.pending.length, 1);
});

for (const news of [{ cells: [box("a", { x: 7 })] }, { cells: [box("a", { x: 7 })], removed: [] }]) {
  const how = news.removed ? "repair" : "show";
  test(`${how} takes off what a receipt beyond the next vector has confirmed`, () => {
    const replica = replicaOf(box("a"));
    replica.ask({ operationId: "1", cells: update("a", { x: 5 }) });
    replica.ask({ operationId: "2", cells: update("a", { y: 5 }) });
    replica.accepted(receipt("1", 4));
    replica[how]({ epoch: "e", update_vector: 5, ...news });
    assert.deepEqual(replica.get("a"), box("a", { x: 7, y: 5 }));
    assert.equal(replica.pending.length, 1);
  });
}

test("a full state replaces the copy and stays below the pending operations", () => {
  const replica = replicaOf(box("a"), box("b"));
  replica.ask({ operationId: "1", cells: update("b", { x: 5 }) });
  const ids = replica.show({ epoch: "f", update_vector: 7, cells: [box("b"), box("c")] });
  assert.deepEqual([...replica.cells()], [box("b", { x: 5 }), box("c")]);
  assert.deepEqual([...ids].sort(), ["a", "b", "c"]);
  assert.deepEqual([replica.epoch, replica.vector], ["f", 7]);
});

test("VEC14 the hash follows additions, updates and removals", () => {
  const replica = replicaOf(box("a"), box("b"));
  replica.happened(event(1, [{ id: "c", operation: "add", data: box("c") }]), ME);
  replica.happened(event(2, update("a", { x: 5 })), ME);
  assert.equal(replica.stateHash, stateHash([box("a", { x: 5 }), box("b"), box("c")]));
  replica.happened(event(3, [{ id: "b", operation: "remove" }]), ME);
  assert.equal(replica.stateHash, stateHash([box("a", { x: 5 }), box("c")]));
});

test("WS17 a repair leaves what a full state would", () => {
  const replica = replicaOf(box("a"), box("b"), box("c"));
  replica.repair({
    epoch: "e",
    update_vector: 4,
    cells: [box("d"), box("b", { x: 1 })],
    removed: ["c"],
    order: ["d", "a", "b"],
  });
  assert.deepEqual([...replica.cells()], [box("d"), box("a"), box("b", { x: 1 })]);
  assert.equal(replica.stateHash, stateHash([box("d"), box("a"), box("b", { x: 1 })]));
  assert.equal(replica.vector, 4);
});

test("VEC14 what a new order does not name is still in the copy and its hash, and goes with a full state", () => {
  const replica = replicaOf(box("a"), box("b"), box("astray"));
  assert.equal(replica.stateHash, stateHash([box("a"), box("b"), box("astray")]));
  const reordered = event(1, []);
  reordered.operation.order = ["b", "a"];
  replica.happened(reordered, ME);
  assert.deepEqual([...replica.cells()], [box("b"), box("a"), box("astray")]);
  assert.equal(replica.stateHash, stateHash([...replica.confirmedCells()]));
  replica.show({ epoch: "e", update_vector: 1, cells: [box("b"), box("a")] });
  assert.equal(replica.stateHash, stateHash([box("b"), box("a")]));
});

/** How often an operation is laid over cells while `action` runs. */
function laysOf(action) {
  const { mock: counter } = mock.method(Overlay.prototype, "lay");
  action();
  counter.restore();
  return counter.callCount();
}

const many = Array.from({ length: 100 }, (_, n) => ({ operationId: `${n}`, cells: update("a", { [`k${n}`]: n }) }));

test("an edit lays itself on top and leaves those below it as they are", () => {
  const replica = replicaOf(box("a"), box("b"));
  const lays = laysOf(() => many.forEach((operation) => replica.ask(operation)));
  assert.equal(lays, many.length);
  assert.deepEqual([...replica.ask({ operationId: "b", cells: update("b", { x: 1 }) })], ["b"]);
});

test("OP4 an edit that removes a node tells of the edges that go with it", () => {
  const flow = { id: "f", shape: "flow", source: { cell: "a" }, target: { cell: "b" } };
  const replica = replicaOf(box("a"), box("b"), flow);
  const ids = replica.ask({ operationId: "1", cells: [{ id: "a", operation: "remove" }] });
  assert.deepEqual([...ids].sort(), ["a", "f"]);
});

test("the receipt of the oldest edit changes nothing that is seen, and lays it once", () => {
  const replica = replicaOf(box("a"));
  many.forEach((operation) => replica.ask(operation));
  const looks = JSON.stringify([...replica.cells()]);
  const told = [];
  const lays = laysOf(() => many.forEach((_, n) => told.push(replica.accepted(receipt(`${n}`, n + 1)).size)));
  assert.equal(lays, many.length);
  assert.deepEqual(told.slice(0, -1), Array(many.length - 1).fill(0));
  assert.equal(JSON.stringify([...replica.cells()]), looks);
  assert.equal(JSON.stringify([...replica.confirmedCells()]), looks);
});

test("a receipt that overtook an older edit puts its own below it", () => {
  const replica = replicaOf(box("a"));
  replica.ask({ operationId: "1", cells: update("a", { x: 1 }) });
  replica.ask({ operationId: "2", cells: update("a", { x: 2 }) });
  assert.deepEqual([...replica.accepted(receipt("2", 1))], ["a"]);
  assert.equal(replica.get("a").x, 1);
});

test("WS17 events that follow each other are laid below the edits once, and told of once", () => {
  const replica = replicaOf(box("a"), box("b"), box("c"));
  many.forEach((operation) => replica.ask(operation));
  replica.isBehind = true;
  let told;
  const lays = laysOf(() => {
    for (let n = 1; n <= 50; n++) assert.equal(replica.happened(event(n, update("b", { x: n })), ME).size, 0);
    assert.equal(replica.get("b").x, 50, "who looks sees them");
    replica.happened(event(51, update("c", { x: 51 })), ME);
    told = replica.restack();
  });
  assert.equal(lays, 2 * many.length);
  assert.deepEqual([...told].sort(), ["a", "b", "c"]);
});

test("the order of cells stays through receipts of additions and removals", () => {
  const replica = replicaOf(box("a"), box("b"));
  const add = (id) => ({ id, operation: "add", data: box(id) });
  const remove = (id) => ({ id, operation: "remove" });
  const asked = [[add("c")], [remove("a")], [add("a"), add("d")], [remove("c")]];
  asked.forEach((cells, n) => replica.ask({ operationId: `${n}`, cells }));
  const order = () => Array.from(replica.cells(), ({ id }) => id).join();
  const orders = asked.map((_, n) => (replica.accepted(receipt(`${n}`, n + 1)), order()));
  assert.deepEqual(orders, Array(asked.length).fill("b,a,d"));
});
