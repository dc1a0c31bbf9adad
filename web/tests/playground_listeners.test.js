/** The inspector's further connections: one a dialect, whatever is pressed while its ticket is on the way. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Listeners } from "../playground/listeners.js";

const [DIALECT] = new Listeners({}).dialects;

/** Listeners of which every ticket is given by hand; `sockets` are those that were opened. */
function bench(t) {
  const [tickets, sockets] = [[], []];
  class Socket {
    constructor() {
      sockets.push(this);
      this.isOpen = true;
    }
    close() {
      this.isOpen = false;
      this.onclose({ code: 1000, reason: "" });
    }
  }
  const before = globalThis.WebSocket;
  globalThis.WebSocket = Socket;
  t.after(() => (globalThis.WebSocket = before));
  const ticket = () => new Promise((resolve, reject) => tickets.push({ resolve, reject }));
  const rest = { live: () => ({ url: "ws://x/ws", ticket }) };
  const listeners = new Listeners({ place: {}, rest, frame: () => {}, changed: () => {} });
  return { listeners, tickets, sockets };
}

test("a second press while the ticket is on the way takes the first back", async (t) => {
  const { listeners, tickets, sockets } = bench(t);
  const opening = listeners.open(DIALECT);
  assert.ok(listeners.wires.includes(DIALECT));
  listeners.close(DIALECT);
  const again = listeners.open(DIALECT);
  for (const { resolve } of tickets) resolve("t");
  await Promise.all([opening, again]);
  assert.equal(sockets.length, 1);
  listeners.close(DIALECT);
  assert.ok(!sockets[0].isOpen);
  assert.ok(!listeners.wires.includes(DIALECT));
});

test("who leaves while a ticket is on the way leaves no connection behind", async (t) => {
  const { listeners, tickets, sockets } = bench(t);
  const opening = listeners.open(DIALECT);
  listeners.stop();
  tickets[0].resolve("t");
  await opening;
  assert.deepEqual(sockets, []);
});

test("without a ticket there is no connection, and one may try again", async (t) => {
  const { listeners, tickets } = bench(t);
  const opening = listeners.open(DIALECT);
  tickets[0].reject(new Error("no ticket"));
  await assert.rejects(opening, /no ticket/);
  assert.ok(!listeners.wires.includes(DIALECT));
});
