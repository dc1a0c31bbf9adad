/** Undo and redo as the pages ask for them. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { connect } from "../sdk/codraw.js";
import { undoing } from "../shell/together/undoing.js";
import { FakeServer } from "./support/server.js";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.reset());

async function later(ms) {
  mock.timers.tick(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

async function editing(more) {
  const server = new FakeServer([{ id: "a", shape: "process", x: 0, y: 0, width: 100, height: 60 }]);
  Object.assign(server, more);
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
  const told = [];
  const steps = undoing({ diagram, tell: (words) => told.push(words) });
  await later(0);
  await later(0);
  return { server, diagram, told, steps };
}

const kinds = ({ received }) =>
  received.map(([, { message_type: type }]) => type).filter((type) => ["operation", "undo", "redo"].includes(type));

test("with the connection undo and redo are asked for", async () => {
  const { server, diagram, told, steps } = await editing();
  diagram.edit([{ id: "a", operation: "update", data: { x: 9 } }]);
  assert.equal(steps.depth.undo, 1);
  steps.undo();
  steps.redo();
  await later(0);
  assert.deepEqual([kinds(server), told], [["operation", "undo", "redo"], []]);
});

test("without it they say so and nothing waits to be undone on the return", async () => {
  const { server, diagram, told, steps } = await editing();
  for (const x of [1, 2, 3]) diagram.edit([{ id: "a", operation: "update", data: { x } }]);
  server.newest.break();
  for (let press = 0; press < 3; press++) steps.undo();
  steps.redo();
  assert.deepEqual([...new Set(told)], ["Undo needs the connection.", "Redo needs the connection."]);
  assert.deepEqual([diagram.status.pending, steps.depth], [0, { undo: 0, redo: 0 }]);
  await later(1000);
  assert.deepEqual(kinds(server), ["operation", "operation", "operation"]);
  assert.deepEqual([server.cells[0].x, diagram.isLive], [3, true]);
});

test("who only looks on undoes nothing, and is not told of connections", async () => {
  const { server, diagram, told, steps } = await editing();
  diagram.you = { ...diagram.you, permissions: "reader" };
  steps.undo();
  server.newest.break();
  steps.redo();
  assert.deepEqual([server.vector, diagram.status.pending, told], [0, 0, []]);
});
