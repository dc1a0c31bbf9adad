/** The adapter between a live diagram and X6's own model, which needs no browser. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";

import { bindGraph, registerShapes } from "../adapters/x6.js";
import { connect, uuid } from "../sdk/codraw.js";
import { flow } from "./support/drawn.js";
import { FakeServer } from "./support/server.js";

const LIBRARY = new URL("../vendor/x6.min.js", import.meta.url);
const options = { skip: !existsSync(LIBRARY) && "X6 is not in web/vendor: make web" };
if (!options.skip) {
  await import(LIBRARY);
  registerShapes(globalThis.X6);
}

const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });

let server;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const room = box("room", { shape: "security-boundary", width: 500, height: 500, children: ["a"] });
  const painted = { foreign: [1], attrs: { body: { fill: "#ffffff", strange: { deep: 1 } }, text: { text: "A" } } };
  server = new FakeServer([
    flow("f", "a", "b", { vertices: [] }),
    room,
    box("a", { parent: "room", ...painted }),
    box("b", { x: 300 }),
  ]);
});
afterEach(() => mock.reset());

async function later(ms) {
  mock.timers.tick(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

async function draughtsman(user) {
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf(user) });
  const model = new globalThis.X6.Model();
  const graph = {
    model,
    getCellById: (id) => model.getCell(id),
    addNode: (metadata, how) => model.addNode(metadata, how),
    addEdge: (metadata, how) => model.addEdge(metadata, how),
    getConnectedEdges: (cell) => model.getConnectedEdges(cell),
    findViewByCell: () => null,
    on: (event, listener) => model.on(event, listener),
    off: (event, listener) => model.off(event, listener),
  };
  const binding = bindGraph(diagram, graph);
  await later(0);
  await later(0);
  return { diagram, model, graph, binding };
}

const operations = () => server.received.map(([, one]) => one).filter((one) => one.message_type === "operation");
const asked = () => operations().flatMap(({ operation }) => operation.cells);
const settle = async () => {
  for (let tick = 0; tick < 4; tick++) await later(100);
};

for (const [what, broken] of [
  ["a port twice", box("bad", { ports: { items: [{ id: "top" }, { id: "top" }, { id: "left" }, null] } })],
  ["ports that are no list", box("bad", { ports: { items: 5 } })],
  ["a text for labels", flow("bad", "a", "b", { labels: "x" })],
  ["a bend that is nothing", flow("bad", "a", "b", { vertices: [null, { x: 1, y: 2 }] })],
  ["a router that cannot be named", flow("bad", "a", "b", { router: { toString: 1 } })],
]) {
  test(`a cell with ${what} takes nothing from the others`, options, async () => {
    server.cells = [box("a"), broken, box("b"), box("c")];
    const { model } = await draughtsman("alice");
    const ids = model.getCells().map(({ id }) => id);
    assert.deepEqual(
      ids.filter((id) => id !== "bad"),
      ["a", "b", "c"],
    );
    if (!broken.router) assert.ok(ids.includes("bad"));
    await settle();
    assert.deepEqual(operations(), []);
  });
}

test("what is drawn and what others do sends nothing", options, async () => {
  const alice = await draughtsman("alice");
  assert.equal(alice.model.getCells().length, 4);
  const bob = await draughtsman("bob");
  bob.diagram.edit([
    { id: "a", operation: "update", data: { x: 50, zIndex: 9, "attrs/body/fill": "#123456", parent: null } },
    { id: "f", operation: "update", data: { target: { cell: "room" }, vertices: [{ x: 1, y: 2 }] } },
    { id: "b", operation: "update", data: { shape: "cloud" } },
  ]);
  await settle();
  assert.equal(operations().length, 1);
  const [a, f] = ["a", "f"].map((id) => alice.model.getCell(id));
  assert.deepEqual([a.getPosition(), a.getZIndex(), a.getParentId()], [{ x: 50, y: 0 }, 9, undefined]);
  assert.deepEqual([f.getTargetCellId(), f.getVertices()], ["room", [{ x: 1, y: 2 }]]);
  assert.equal(alice.model.getCell("b").shape, "box");
});

test("what X6 moves is sent, with the children that it takes along, and nothing else of them", options, async () => {
  const { model } = await draughtsman("alice");
  model.getCell("room").translate(8, 16);
  await settle();
  assert.equal(operations().length, 1);
  assert.deepEqual(asked(), [
    { id: "room", operation: "update", data: { x: 8, y: 16 } },
    { id: "a", operation: "update", data: { x: 8, y: 16 } },
  ]);
});

test("a gesture is one group, and its end is exact", options, async () => {
  const { model, binding, diagram } = await draughtsman("alice");
  binding.begin();
  for (let x = 1; x <= 30; x++) {
    model.getCell("b").setPosition(300 + x, 0);
    await later(10);
  }
  binding.end();
  await settle();
  assert.ok(operations().length < 10);
  assert.equal(new Set(operations().map((one) => one.group_id)).size, 1);
  assert.equal(diagram.replica.get("b").x, 330);
});

test("a colour that X6 is given is sent as a path, and what X6 does not know stays", options, async () => {
  const { model, diagram } = await draughtsman("alice");
  model.getCell("a").attr("body/fill", "#abcdef");
  await settle();
  assert.deepEqual(asked(), [{ id: "a", operation: "update", data: { "attrs/body/fill": "#abcdef" } }]);
  const { foreign, attrs } = diagram.replica.get("a");
  assert.deepEqual([foreign, attrs.body.strange], [[1], { deep: 1 }]);
});

test("an end that is being pulled about is where it was until it is tied again", options, async () => {
  const { model } = await draughtsman("alice");
  const edge = model.getCell("f");
  edge.setTarget({ x: 7, y: 7 });
  await settle();
  assert.deepEqual(operations(), []);
  edge.setTarget({ cell: "room", port: "left" });
  await settle();
  assert.deepEqual(asked(), [{ id: "f", operation: "update", data: { target: { cell: "room", port: "left" } } }]);
});

test("a new flow is sent once it is tied, without the looks that all flows have", options, async () => {
  const { model } = await draughtsman("alice");
  const id = uuid();
  model.addEdge({ id, shape: "flow", source: { cell: "a", port: "top" }, target: { x: 1, y: 1 }, zIndex: 0 });
  await settle();
  assert.deepEqual(operations(), []);
  model.getCell(id).setTarget({ cell: "b" });
  await settle();
  const data = { shape: "flow", source: { cell: "a", port: "top" }, target: { cell: "b" }, zIndex: 0 };
  assert.deepEqual(asked(), [{ id, operation: "add", data }]);
});

test("the end of a flow that was drawn here can be pulled about, too", options, async () => {
  const { model } = await draughtsman("alice");
  const id = uuid();
  const edge = model.addEdge({ id, shape: "flow", source: { cell: "a" }, target: { cell: "b" }, zIndex: 0 });
  model.trigger("edge:connected", { edge, isNew: true });
  await settle();
  edge.setTarget({ x: 7, y: 7 });
  await settle();
  assert.deepEqual(
    asked().map(({ operation }) => operation),
    ["add"],
  );
});

test(
  "a node that others remove leaves its children, and takes a flow along that is being drawn to it",
  options,
  async () => {
    const alice = await draughtsman("alice");
    const bob = await draughtsman("bob");
    const id = uuid();
    alice.model.addEdge({ id, shape: "flow", source: { cell: "b" }, target: { x: 1, y: 1 }, zIndex: 0 });
    bob.diagram.edit([
      { id: "room", operation: "remove" },
      { id: "b", operation: "remove" },
    ]);
    await settle();
    assert.deepEqual(
      alice.model.getCells().map((cell) => cell.id),
      ["a"],
    );
    assert.equal(operations().length, 1);
  },
);

test("two graphs and the server end with the same cells, whatever both do", options, async () => {
  const people = [await draughtsman("alice"), await draughtsman("bob")];
  const ids = Array.from({ length: 6 }, uuid);
  let seed = 7;
  const below = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let step = 0; step < 150; step++) {
    const { model } = people[below(2)];
    const at = below(6);
    const id = ids[at];
    const cell = model.getCell(id);
    const nodes = model.getNodes();
    if (!cell && at < 3) model.addNode({ ...box(id), zIndex: 1 });
    else if (!cell && nodes.length > 1) {
      const [source, target] = [nodes[below(nodes.length)], nodes[below(nodes.length)]];
      model.addEdge({ id, shape: "flow", source: { cell: source.id }, target: { cell: target.id }, zIndex: 0 });
    } else if (cell?.isNode() && below(4) > 0) cell.setPosition(below(500), below(500));
    else if (cell?.isEdge() && below(4) > 0) cell.setVertices([{ x: below(50), y: 1 }]);
    else if (below(3) === 0) cell?.remove();
    await later(20 * below(4));
  }
  await settle();
  await settle();
  const shown = ({ model }) =>
    model
      .getCells()
      .map((cell) => [cell.id, cell.isNode() ? { ...cell.getPosition() } : cell.getVertices()])
      .sort();
  const held = ({ diagram }) =>
    [...diagram.replica.cells()]
      .map((cell) => [cell.id, cell.width ? { x: cell.x, y: cell.y } : (cell.vertices ?? [])])
      .sort();
  assert.ok(operations().length > 50);
  for (const one of people) assert.deepEqual(shown(one), held(one));
  assert.deepEqual(held(people[0]), held(people[1]));
});
