/** Random histories: whatever wires do, clients and server end equal and every operation has happened once. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { connect } from "../sdk/codraw.js";
import { localQueue } from "../sdk/offline.js";
import { Items } from "./support/items.js";
import { FakeServer, stateHash } from "./support/server.js";

const HISTORIES = 150;
const STEPS = 60;

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"] }));
afterEach(() => mock.timers.reset());

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** mulberry32: small, seeded, good enough. */
function dice(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const upTo = (n) => Math.floor(next() * n);
  return { upTo, one: (list) => list[upTo(list.length)] };
}

function randomChanges(roll, diagram) {
  const present = [...diagram.replica.cells()];
  const nodes = present.filter(({ shape }) => shape !== "flow").map(({ id }) => id);
  const id = `n${roll.upTo(6)}`;
  const size = { shape: "process", x: roll.upTo(9), y: 0, width: 100, height: 60 };
  switch (roll.upTo(7)) {
    case 0:
    case 1:
      return [{ id, operation: "add", data: size }];
    case 2:
      return [{ id, operation: "remove" }];
    case 3:
      return [
        {
          id: `e${roll.upTo(4)}`,
          operation: "add",
          data: {
            shape: "flow",
            source: { cell: roll.one([...nodes, "n0"]) },
            target: { cell: roll.one([...nodes, "n1"]) },
          },
        },
      ];
    case 4:
      return [
        { id, operation: "update", data: { "attrs/body/fill": roll.one(["red", "blue"]) } },
        { id: `n${roll.upTo(6)}`, operation: "update", data: { y: roll.upTo(9) } },
      ];
    default:
      return [{ id, operation: "update", data: { x: roll.upTo(9), label: roll.one(["A", "B", null]) } }];
  }
}

/** The wires of one client: frames travel when told to. */
function slowSockets(server, user) {
  return class extends server.socketsOf(user) {
    isDirect = false;
  };
}

async function play(seed) {
  const roll = dice(seed);
  const server = new FakeServer();
  const clients = ["alice", "bob", "carol"].map((user) => {
    const sockets = [];
    const Base = slowSockets(server, user);
    const WebSocket = class extends Base {
      constructor(...args) {
        super(...args);
        sockets.push(this);
      }
    };
    const items = new Items();
    const open = () => {
      const storage = localQueue(user, () => items);
      return connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket, storage });
    };
    return { open, user, diagram: open(), sockets, items, asked: [], outcomes: [] };
  });
  await settled();

  for (let step = 0; step < STEPS; step++) {
    const client = roll.one(clients);
    const { diagram, sockets } = client;
    const wire = sockets.at(-1);
    switch (roll.upTo(13)) {
      case 0:
      case 1:
      case 2:
      case 3:
        edit(client, randomChanges(roll, diagram), { groupId: roll.one([undefined, "g"]) });
        break;
      case 4:
        if (wire.readyState === 1) wire.break();
        break;
      case 5:
        loseOne(wire.inbox, (text) => JSON.parse(text).message_type === "event");
        break;
      case 6:
        if (wire.readyState === 1) server.beat(wire);
        break;
      case 7:
        mock.timers.tick(roll.upTo(2000));
        await settled();
        break;
      case 8:
        wire.deliverOut();
        break;
      case 9:
        await reload(client);
        break;
      default:
        for (let n = roll.upTo(4); n > 0; n--) wire.deliverIn();
    }
  }
  await quiesce(server, clients);
  return { server, clients };
}

function edit({ diagram, asked, outcomes }, changes, options) {
  const { id, saved } = diagram.edit(changes, options);
  asked.push(id);
  outcomes.push(saved);
}

/** The page is gone with all that it had in memory; whoever waited there waits no more. */
async function reload(client) {
  client.diagram.close();
  client.outcomes.length = 0;
  client.diagram = client.open();
  await settled();
}

function loseOne(frames, isLost) {
  const at = frames.findIndex(isLost);
  if (at >= 0) frames.splice(at, 1);
}

/** Good weather until everything is told. */
async function quiesce(server, clients) {
  for (let round = 0; round < 40; round++) {
    mock.timers.tick(1500);
    await settled();
    for (const { sockets } of clients) {
      const wire = sockets.at(-1);
      while (wire.readyState === 1 && wire.outbox.length + wire.inbox.length > 0) (wire.deliverOut(), wire.deliverIn());
    }
    if (round % 10 === 9) for (const wire of server.sockets) server.beat(wire);
  }
}

test(`${HISTORIES} random histories of three clients over bad wires, with reloads, converge`, async () => {
  let edits = 0;
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const { server, clients } = await play(seed);
    const truth = stateHash(server.cells);
    for (const { user, diagram, items, asked, outcomes } of clients) {
      const where = `seed ${seed}, ${diagram.you?.id}`;
      assert.deepEqual(diagram.status, { state: "live", pending: 0 }, where);
      assert.equal(diagram.replica.vector, server.vector, where);
      assert.equal(diagram.replica.stateHash, truth, where);
      assert.deepEqual([...diagram.replica.cells()], server.cells, where);
      assert.equal(items.length, 0, where);
      await Promise.all(outcomes);
      const isLost = (id) => !server.outcomes.has(`${user} ${id}`);
      assert.deepEqual(asked.filter(isLost), [], `${where}: edits that nobody judged`);
      edits += asked.length;
    }
    const ids = server.log.map(({ user, operation_id }) => `${user} ${operation_id}`);
    assert.equal(new Set(ids).size, ids.length, `seed ${seed}: an operation happened twice`);
    for (const { diagram } of clients) diagram.close();
  }
  assert.ok(edits > HISTORIES * 10, `only ${edits} edits: the histories say nothing`);
});
