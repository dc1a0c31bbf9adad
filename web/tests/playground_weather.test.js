/** A client in bad weather, made by the inspector: whatever it is, nothing is lost and nothing happens twice. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { falseRepair } from "../playground/trouble.js";
import { Weather } from "../playground/weather.js";
import { connect } from "../sdk/codraw.js";
import { FakeServer, stateHash } from "./support/server.js";

const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const update = (id, data) => [{ id, operation: "update", data }];

let server;
let weather;
let frames;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 1);
  server = new FakeServer([box("a"), box("b")]);
  frames = [];
  weather = new Weather((frame) => frames.push(frame), server.socketsOf("alice"));
});
afterEach(() => mock.reset());

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function enter(WebSocket) {
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "secret", WebSocket });
  await settled();
  return diagram;
}

async function later(ms) {
  mock.timers.tick(ms);
  await settled();
}

const both = async () => [await enter(weather.WebSocket), await enter(server.socketsOf("bob"))];
const sent = () => server.received.filter(([, { message_type: type }]) => type === "operation").map(([, message]) => message);
const told = (direction) => frames.filter((frame) => frame.direction === direction);

test("in good weather frames cross at once, and no ticket is shown", async () => {
  const [alice] = await both();
  assert.equal(alice.status.state, "live");
  assert.deepEqual(told("wire").map(({ note }) => note), ["opened"]);
  assert.equal(told("wire")[0].text.includes("secret"), false);
});

test("late frames come in order, and what waits is counted", async () => {
  const [alice, bob] = await both();
  weather.setLatency(400);
  bob.edit(update("a", { x: 1 }));
  bob.edit(update("a", { x: 2 }));
  await settled();
  assert.deepEqual([alice.replica.get("a").x, weather.waiting.into > 0], [0, true]);
  await later(400);
  assert.deepEqual([alice.replica.get("a").x, alice.replica.vector, weather.waiting.into], [2, 2, 0]);
});

test("late frames hurry when the weather clears", async () => {
  const [alice, bob] = await both();
  weather.setLatency(5000);
  bob.edit(update("a", { x: 1 }));
  await settled();
  weather.setLatency(0);
  assert.equal(alice.replica.get("a").x, 1);
});

test("what is not read waits, and is read when one listens again", async () => {
  const [alice, bob] = await both();
  weather.setDeaf(true);
  bob.edit(update("a", { x: 1 }));
  await later(1000);
  assert.equal(alice.replica.get("a").x, 0);
  weather.setDeaf(false);
  assert.equal(alice.replica.get("a").x, 1);
});

test("what is sent twice happens once", async () => {
  const [alice, bob] = await both();
  weather.isDoubling = true;
  assert.equal((await alice.edit(update("a", { x: 1 })).saved).accepted, true);
  assert.deepEqual([sent().length, server.vector, bob.replica.get("a").x], [2, 1, 1]);
  assert.deepEqual(told("out").slice(-2).map(({ note }) => note), ["", "again"]);
});

test("what is held leaves when it is released, the last first if so asked", async () => {
  const [alice] = await both();
  weather.isHolding = true;
  alice.edit(update("a", { x: 1 }));
  alice.edit(update("b", { x: 2 }));
  assert.deepEqual([sent().length, weather.waiting.out], [0, 2]);
  weather.release({ isReversed: true });
  assert.deepEqual(sent().map(({ operation }) => operation.cells[0].id), ["b", "a"]);
  await settled();
  assert.deepEqual([alice.status.pending, alice.replica.get("a").x, alice.replica.get("b").x], [0, 1, 2]);
});

test("offline is kept until released, and what was edited meanwhile is sent then", async () => {
  const [alice, bob] = await both();
  const attempts = [];
  alice.on("status", ({ attempt }) => attempt && attempts.push(attempt));
  weather.setOffline(true);
  alice.edit(update("a", { x: 1 }));
  for (let seconds = 0; seconds < 10; seconds++) await later(1000);
  assert.deepEqual([alice.isLive, alice.status.pending, bob.replica.get("a").x], [false, 1, 0]);
  assert.deepEqual([...new Set(attempts)], [1, 2, 3, 4]);
  weather.setOffline(false);
  alice.open();
  await settled();
  assert.deepEqual([alice.status.state, alice.status.pending, bob.replica.get("a").x], ["live", 0, 1]);
});

test("the other side learns of a cut by an abnormal code, so that nobody's session ends by it", async () => {
  const [alice] = await both();
  const { newest } = server;
  const codes = [];
  for (const socket of server.sockets) mock.method(socket, "close", (code) => codes.push(code));
  weather.setOffline(true);
  assert.ok(newest && codes.every((code) => code === 4000) && codes.length === 1);
  assert.equal(alice.status.state, "offline");
});

test("operations can be made to look old and strict", async () => {
  const [alice] = await both();
  alice.edit(update("a", { x: 1 }));
  await settled();
  Object.assign(weather, { isStale: true, isStrict: true });
  alice.edit(update("a", { x: 2 }));
  assert.deepEqual(sent().map(({ base_vector, strict }) => [base_vector, strict]), [[0, undefined], [0, true]]);
});

test("a copy that was spoiled is wrong until it is compared, then it is repaired", async () => {
  const [alice] = await both();
  weather.forge(falseRepair(alice.replica));
  assert.equal(alice.replica.get("a").x, 40);
  assert.equal(told("in").at(-1).note, "forged");
  alice.check();
  await settled();
  assert.equal(alice.replica.get("a").x, 0);
  assert.equal(alice.replica.stateHash, stateHash(server.cells));
});
