/** A confirmed copy with pending operations on top. */

import assert from "node:assert/strict";
import { test } from "node:test";

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
