/** Diagram libraries that tell everything they hear: what others do is drawn, what the user does is sent, once. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { bind, difference, stepPause } from "../sdk/binding.js";
import { connect, mergeCell } from "../sdk/codraw.js";
import { Rest } from "../sdk/rest.js";
import { adapterOf, Library } from "./support/library.js";
import { FakeServer, stateHash } from "./support/server.js";

const box = (id, more) => ({ id, shape: "process", x: 0.4, y: 0, width: 100, height: 60, ...more });
const edge = (id, source, target) => ({ id, shape: "flow", source: { cell: source }, target: { cell: target } });

let server;
beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  server = new FakeServer([edge("e", "a", "b"), box("a", { stranger: 1 }), box("b")]);
});
afterEach(() => mock.reset());

const settled = () => new Promise((resolve) => setImmediate(resolve));
async function later(ms) {
  mock.timers.tick(ms);
  await settled();
}

/** One that draws: a diagram, a library and what ties them. */
async function draughtsman(user, options, more) {
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf(user) });
  const library = new Library(options);
  const binding = bind(diagram, { ...adapterOf(library), ...more });
  library.onChange((id) => binding.changed(id));
  await later(0);
  await later(0);
  return { diagram, library, binding };
}

const operations = () => server.received.map(([, one]) => one).filter((one) => one.message_type === "operation");
const places = ({ library }) => [...library.cells].map(([id, { position }]) => [id, position?.x]).sort();

for (const isLate of [false, true]) {
  const when = isLate ? "a moment later" : "at once";

  test(`a library that tells ${when} what was drawn sends nothing back`, async () => {
    const alice = await draughtsman("alice", { isLate });
    const bob = await draughtsman("bob", { isLate });
    for (const x of [5.5, 6.5, 7.5]) alice.diagram.edit([{ id: "a", operation: "update", data: { x } }]);
    for (let tick = 0; tick < 5; tick++) await later(100);
    assert.equal(operations().length, 3);
    assert.deepEqual(
      [alice, bob].map((one) => one.library.cells.get("a").position.x),
      [8, 8],
    );
    assert.equal(alice.diagram.replica.get("a").x, 7.5, "what the library rounds for itself stays exact for all");
  });

  test(`two libraries that tell ${when} converge, and there is one operation for every change of a user`, async () => {
    const people = [await draughtsman("alice", { isLate }), await draughtsman("bob", { isLate })];
    let changes = 0;
    for (let round = 0; round < 40; round++) {
      const { library } = people[round % 2];
      const id = round % 3 === 0 ? "a" : "b";
      if (round % 4 === 0) library.paint(id, `#00000${round % 10}`);
      else if (round % 4 === 1) library.put(`n${round}`, box(`n${round}`, { x: round }));
      else if (round === 30) library.remove("n25");
      else library.move(id, 100 + round);
      changes++;
      await later(20);
      await later(20);
    }
    assert.equal(operations().length, changes);
    assert.deepEqual(places(people[0]), places(people[1]));
    for (const { diagram } of people) assert.equal(diagram.replica.stateHash, stateHash(server.cells));
  });

  test(`an undo that a library tells ${when} is not a change of the user`, async () => {
    const { diagram, library } = await draughtsman("alice", { isLate });
    library.put("n", box("n"));
    await later(20);
    assert.deepEqual((await diagram.undo().saved).accepted, true);
    await later(20);
    assert.deepEqual([library.cells.has("n"), operations().length], [false, 1]);
  });

  test(`a node takes its edges with it in a library that tells ${when}, and all is one operation`, async () => {
    const alice = await draughtsman("alice", { isLate });
    const bob = await draughtsman("bob", { isLate });
    alice.library.remove("a");
    await later(20);
    await later(20);
    assert.deepEqual([...alice.library.cells.keys()], ["b"]);
    assert.deepEqual([...bob.library.cells.keys()], ["b"]);
    assert.equal(operations().length, 1);
    assert.equal(bob.diagram.replica.stateHash, stateHash(server.cells));
  });

  test(`a drag in a library that tells ${when} is one group, sent now and then, and ends where it ended`, async () => {
    const { library, binding } = await draughtsman("alice", { isLate });
    binding.begin();
    for (let x = 1; x <= 100; x++) {
      library.move("a", x);
      await later(5);
    }
    library.move("a", 777);
    binding.end();
    await later(10);
    const steps = operations();
    assert.ok(steps.length >= 8 && steps.length <= 12, `${steps.length} steps in half a second`);
    assert.equal(new Set(steps.map(({ group_id }) => group_id)).size, 1);
    assert.ok(steps[0].group_id);
    assert.equal(server.cells.find(({ id }) => id === "a").x, 777);
    library.move("a", 5);
    await later(60);
    assert.equal(operations().at(-1).group_id, undefined);
  });
}

test("nodes are drawn before the edges between them, and inner ones after outer ones", async () => {
  server.cells = [edge("e", "in", "out"), box("in", { parent: "out" }), box("out")];
  const drawn = [];
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
  await settled();
  bind(diagram, { draw: ({ id }) => drawn.push(id), erase() {}, read() {}, order: (ids) => drawn.push(ids) });
  assert.deepEqual(drawn, ["out", "in", "e", ["e", "in", "out"]]);
});

test("a library may keep the very cell that it is given to draw, and change it", async () => {
  const cells = new Map();
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
  const draw = (cell) => cells.set(cell.id, cell);
  const binding = bind(diagram, { draw, erase: (id) => cells.delete(id), read: (id) => cells.get(id) });
  await later(0);
  const user = (x) => ((cells.get("a").x = x), binding.changed("a"), settled());
  await user(50);
  assert.deepEqual([operations().length, server.cells.find(({ id }) => id === "a").x], [1, 50]);
  server.refuses = () => ({ reason: "permission_denied" });
  await user(70);
  assert.deepEqual([cells.get("a").x, diagram.replica.get("a").x], [50, 50]);
});

test("OP3 a flow to a node that is gone goes from the library, as it will for the server", async () => {
  const { library, diagram } = await draughtsman("alice");
  server.newest.isDirect = false;
  library.put("f", edge("f", "a", "gone"));
  await settled();
  assert.deepEqual([library.cells.has("f"), diagram.replica.get("f"), diagram.status.pending], [false, undefined, 1]);
});

test("only what the user has changed is sent, with paths", async () => {
  const { library } = await draughtsman("alice");
  library.paint("a", "red");
  await settled();
  assert.deepEqual(operations()[0].operation.cells, [
    { id: "a", operation: "update", data: { "attrs/body": { fill: "red" } } },
  ]);
  library.paint("a", "blue");
  await settled();
  assert.deepEqual(operations()[1].operation.cells[0].data, { "attrs/body/fill": "blue" });
});

test("OP15 a cell whose id the library spells in capitals stays one cell, and is edited and tied by it", async () => {
  const { library } = await draughtsman("alice");
  const [theirs, ours] = ["7D3E6F5A-1B2C-4D3E-8F90-A1B2C3D4E5F6", "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"];
  library.put(theirs, box(theirs));
  library.put("f", edge("f", theirs, "b"));
  await settled();
  library.move(theirs, 50);
  await settled();
  const found = (id) => server.cells.find((cell) => cell.id === id);
  assert.deepEqual([found(ours).x, found("f").source.cell], [50, ours]);
  assert.deepEqual([...library.cells.keys()].sort(), [theirs, "a", "b", "e", "f"]);
  const { diagram } = await draughtsman("bob");
  diagram.edit([{ id: ours, operation: "update", data: { x: 70 } }]);
  assert.equal(library.cells.get(theirs).position.x, 70);
});

test("OP15 a cell in capitals that is gone may come again in lower case", async () => {
  const { library } = await draughtsman("alice");
  const [theirs, ours] = ["7D3E6F5A-1B2C-4D3E-8F90-A1B2C3D4E5F6", "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6"];
  library.put(theirs, box(theirs));
  await settled();
  library.remove(theirs);
  await settled();
  library.put(ours, box(ours));
  await settled();
  assert.ok(server.cells.some(({ id }) => id === ours));
});

test("what somebody else does during a drag does not move the cell under the pointer", async () => {
  const alice = await draughtsman("alice");
  const bob = await draughtsman("bob");
  alice.binding.begin();
  alice.library.move("a", 50);
  bob.diagram.edit([{ id: "a", operation: "update", data: { label: "new" } }]);
  const { position, label } = alice.library.cells.get("a");
  assert.deepEqual([position.x, label], [50, "new"]);
  alice.binding.end();
  assert.deepEqual([server.cells.find(({ id }) => id === "a").x, operations().length], [50, 2]);
});

test("what the user has done and the library has not told yet outlives what somebody else does", async () => {
  const alice = await draughtsman("alice", { isLate: true });
  const bob = await draughtsman("bob");
  alice.library.move("a", 50);
  bob.diagram.edit([{ id: "a", operation: "update", data: { y: 7 } }]);
  await later(20);
  const { x, y } = server.cells.find(({ id }) => id === "a");
  assert.deepEqual([x, y, operations().length], [50, 7, 2]);
});

test("that drawing one cell moves another is no change of the user", async () => {
  server.cells = [box("out"), box("in", { parent: "out" })];
  const { library } = await draughtsman("alice", { isFamily: true });
  const bob = await draughtsman("bob");
  const to = (id, x) => ({ id, operation: "update", data: { x } });
  bob.diagram.edit([to("out", 40), to("in", 90)]);
  await later(20);
  assert.deepEqual([library.cells.get("in").position.x, operations().length], [90, 1]);
});

test("what drawing one cell did to another is not sent with the user's next change", async () => {
  server.cells = [box("out"), box("in", { parent: "out" })];
  const { library } = await draughtsman("alice", { isFamily: true });
  const bob = await draughtsman("bob");
  bob.diagram.edit([{ id: "out", operation: "update", data: { x: 40 } }]);
  await later(20);
  assert.deepEqual([library.cells.get("in").position.x, operations().length], [40, 1]);
  library.paint("in", "red");
  await later(20);
  assert.deepEqual(Object.keys(operations()[1].operation.cells[0].data), ["attrs/body"]);
});

/** A page that renders from state: what it was told to draw is there a moment later, and told then. */
async function page(user) {
  const cells = new Map();
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf(user) });
  const put = (id, cell) => void (cells.set(id, cell), binding.changed(id));
  const binding = bind(diagram, {
    draw: ({ stranger: _, ...cell }) => void setTimeout(() => put(cell.id, cell), 0),
    erase: (id) => void setTimeout(() => cells.delete(id), 0),
    read: (id) => cells.get(id),
  });
  await later(0);
  await later(0);
  return { cells, put };
}

test("a library that draws a moment later ends where the others are, and sends nothing back", async () => {
  const { cells } = await page("alice");
  const bob = await draughtsman("bob");
  for (const x of [10, 20, 30, 40]) {
    bob.diagram.edit([{ id: "a", operation: "update", data: { x } }]);
    await later(10);
  }
  assert.deepEqual([cells.get("a").x, operations().length], [40, 4]);
});

test("a library that draws a moment later takes away no key that it does not know", async () => {
  const { cells, put } = await page("alice");
  put("a", { ...cells.get("a"), x: 50 });
  await later(20);
  assert.deepEqual(server.cells.find(({ id }) => id === "a"), box("a", { x: 50, stranger: 1 }));
});

test("a change that is refused is taken back in the library", async () => {
  const { library } = await draughtsman("alice");
  server.refuses = () => ({ reason: "permission_denied" });
  library.move("a", 50);
  await settled();
  assert.equal(library.cells.get("a").position.x, 0);
  assert.equal(operations().length, 1);
});

test("a change that fits no frame is taken back and told, the others are sent", async () => {
  server.welcomeWith = { limits: { max_frame_bytes: 600 } };
  const failures = [];
  const { library } = await draughtsman("alice", {}, { failed: (error) => failures.push(error.name) });
  library.paint("a", "x".repeat(600));
  library.paint("b", "red");
  await settled();
  assert.deepEqual(failures, ["RangeError"]);
  assert.equal(library.cells.get("a").attrs.body, undefined);
  assert.deepEqual(
    operations().map(({ operation }) => operation.cells[0].id),
    ["b"],
  );
});

test("more cells than one operation may hold go in several, undone as one, nodes first", async () => {
  server.welcomeWith = { limits: { max_cells_per_operation: 2 } };
  const { library } = await draughtsman("alice");
  library.put("f", edge("f", "n1", "n2"));
  for (const id of ["n1", "n2", "n3"]) library.put(id, box(id));
  await settled();
  const sent = operations();
  assert.deepEqual(
    sent.map(({ operation }) => operation.cells.map(({ id }) => id)),
    [
      ["n1", "n2"],
      ["n3", "f"],
    ],
  );
  assert.equal(new Set(sent.map(({ group_id }) => group_id)).size, 1);
  assert.equal(server.vector, 2);
});

test("of what goes in several operations a node comes after what it stands in, and a removal last", async () => {
  server = new FakeServer([...server.cells, box("c")]);
  server.welcomeWith = { limits: { max_cells_per_operation: 1 } };
  const { library } = await draughtsman("alice");
  library.move("b", 9);
  library.cells.get("e").target = { cell: "c" };
  library.paint("e", "red");
  library.remove("b");
  library.put("inner", box("inner", { parent: "outer" }));
  library.put("outer", box("outer"));
  await settled();
  assert.deepEqual(
    operations().map(({ operation: { cells } }) => [cells[0].operation, cells[0].id]),
    [
      ["add", "outer"],
      ["add", "inner"],
      ["update", "e"],
      ["remove", "b"],
    ],
  );
  assert.deepEqual(server.cells.find(({ id }) => id === "e").target, { cell: "c" });
});

test("a drag while offline is one operation, where it ended", async () => {
  const { library, binding, diagram } = await draughtsman("alice");
  server.newest.break();
  binding.begin();
  for (const x of [1, 2, 3]) {
    library.move("a", x);
    mock.timers.tick(60);
  }
  binding.end();
  assert.equal(diagram.status.pending, 1);
  await later(500);
  assert.deepEqual([server.vector, server.cells.find(({ id }) => id === "a").x], [1, 3]);
});

test("a cell that cannot be read is told, and the others are sent and drawn", async () => {
  const failures = [];
  const { library, diagram } = await draughtsman("alice", {}, { failed: (error) => failures.push(error.name) });
  const unreadable = library.cells.get("a");
  unreadable.self = unreadable;
  library.move("a", 40);
  library.move("b", 50);
  await settled();
  diagram.edit([{ id: "b", operation: "update", data: { y: 9 } }]);
  assert.deepEqual([failures, server.vector], [["TypeError"], 2]);
  assert.deepEqual([library.cells.get("b").position, server.cells.length], [{ x: 50, y: 9 }, 3]);
});

for (const broken of ["draw", "erase", "order"]) {
  test(`a library that throws when it is to ${broken} shows all the rest, and it is told`, async () => {
    server.cells = ["a", "bad", "c", "d"].map((id) => box(id));
    const [failures, shown] = [[], new Set()];
    const throwing = (name, id) => {
      if (name === broken && (name === "order" || id === "bad")) throw new TypeError("Duplicitied port id.");
    };
    const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
    await settled();
    const binding = bind(diagram, {
      draw: ({ id }) => (throwing("draw", id), shown.add(id)),
      erase: (id) => (throwing("erase", id), shown.delete(id)),
      order: () => throwing("order"),
      read: () => undefined,
      failed: ({ message }) => failures.push(message),
    });
    diagram.edit(["a", "bad"].map((id) => ({ id, operation: "remove" })));
    diagram.edit([{ id: "d", operation: "update", data: { x: 9 } }]);
    assert.deepEqual([...shown], broken === "erase" ? ["bad", "c", "d"] : ["c", "d"]);
    assert.deepEqual([...new Set(failures)], ["Duplicitied port id."]);
    binding.stop();
  });
}

test("what nobody wants to be told of is on the console", async () => {
  const { mock: written } = mock.method(console, "error", () => {});
  const mistake = new TypeError("library.put is not a function");
  await draughtsman("alice", {}, {
    draw() {
      throw mistake;
    },
  });
  assert.deepEqual(
    written.calls.map(({ arguments: [error] }) => error),
    [mistake, mistake, mistake],
  );
});

test("a cell that could not be drawn is drawn when it has been mended", async () => {
  const shown = [];
  const diagram = connect({ url: "ws://x/ws", ticket: async () => "t", WebSocket: server.socketsOf("alice") });
  await settled();
  diagram.edit([{ id: "a", operation: "update", data: { label: 5 } }]);
  const draw = ({ id, label }) => {
    if (label === 5) throw new TypeError("no text");
    shown.push(id);
  };
  bind(diagram, { draw, erase() {}, read() {} });
  diagram.edit([{ id: "a", operation: "update", data: { label: "A" } }]);
  assert.deepEqual(shown, ["b", "e", "a"]);
});

const GROUP = 500; // collab/core/history.py

for (const [kind, cellsAtOnce, seconds] of [
  ["one cell for two minutes", 1, 120],
  ["more than fits into an operation for half a minute", 8, 30],
]) {
  test(`a drag of ${kind} stays one step of undo, first at full pace, and ends where it ended`, async () => {
    server.cells = Array.from({ length: cellsAtOnce }, (_, at) => box(`n${at}`));
    server.welcomeWith = { limits: { max_cells_per_operation: 2 } };
    const { library, binding, diagram } = await draughtsman("alice");
    let sent = 0;
    const { edit } = diagram;
    diagram.edit = (...asked) => (sent++, edit.apply(diagram, asked));
    const move = (x) => [...library.cells.keys()].forEach((id) => library.move(id, x));
    binding.begin();
    let afterOne;
    for (let x = 1; x <= seconds * 20; x++) {
      move(x);
      await later(50);
      if (x === 20) afterOne = sent;
    }
    const steps = sent;
    move(7777);
    binding.end();
    await later(10);
    assert.ok(afterOne >= (18 * cellsAtOnce) / 2, `${afterOne} in the first second`);
    assert.ok(steps > 200 && sent < GROUP - 50, `${sent} in the group`);
    assert.deepEqual([...new Set(places({ library }).map(([, x]) => x))], [7777]);
    assert.deepEqual([...new Set(server.cells.map(({ x }) => x))], [7777]);
  });
}

test("steps of a gesture are rarer and rarer, and at last only its end is left", () => {
  const pauses = [0, 200, 201, 225, 226, 399, 400].map((sent) => stepPause(sent, 50));
  assert.deepEqual(pauses, [50, 50, 100, 100, 200, 12_800, Infinity]);
});

test("the next gesture begins at full pace again", async () => {
  const { library, binding } = await draughtsman("alice");
  for (const seconds of [60, 1]) {
    server.received.length = 0;
    binding.begin();
    for (let step = 0; step < seconds * 20; step++) {
      library.move("a", 1000 * seconds + step);
      await later(50);
    }
    binding.end();
    await later(10);
  }
  assert.ok(operations().length >= 18, `${operations().length} in a second`);
});

test("what a page keeps in Vue's reactive state is left as it is there", async () => {
  const { diagram, binding } = await draughtsman("alice");
  // Vue asks this, and makes proxies of "Object", "Array" and collections alone.
  const kindOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const kinds = [diagram, diagram.replica, binding, new Rest()].map(kindOf);
  assert.deepEqual(kinds, ["EventTarget", "Replica", "Binding", "Rest"]);
});

test("stop sends the last of a drag first", async () => {
  const { library, binding } = await draughtsman("alice");
  binding.begin();
  library.move("a", 500);
  binding.stop();
  assert.equal(server.cells.find(({ id }) => id === "a").x, 500);
});

test("after stop nothing passes", async () => {
  const { diagram, library, binding } = await draughtsman("alice");
  binding.stop();
  diagram.edit([{ id: "a", operation: "update", data: { x: 9 } }]);
  assert.equal(library.cells.get("a").position.x, 0);
});

for (const isLate of [false, true]) {
  test(`a library taken down after stop, which tells so ${isLate ? "a moment later" : "at once"}, removes nothing`, async () => {
    const { diagram, library, binding } = await draughtsman("alice", { isLate });
    binding.stop();
    for (const id of [...library.cells.keys()]) library.remove(id);
    await later(20);
    assert.deepEqual([diagram.status.pending, operations(), server.cells.length], [0, [], 3]);
  });
}

for (const [before, after, data] of [
  [{ x: 1, y: 2 }, { x: 1, y: 3 }, { y: 3 }],
  [{ x: 1, label: "A" }, { x: 1 }, { label: null }],
  [{}, { attrs: { a: { b: 1 } } }, { attrs: { a: { b: 1 } } }],
  [{ attrs: { a: { b: 1, c: 2 } } }, { attrs: { a: { c: 2, d: 3 } } }, { "attrs/a/b": null, "attrs/a/d": 3 }],
  [{ attrs: { a: { b: 1 } } }, { attrs: { a: 7 } }, { "attrs/a": 7 }],
  [{ attrs: { a: 7 } }, { attrs: { a: { b: 1 } } }, { "attrs/a": { b: 1 } }],
  [{ data: { "a/b": 1, c: 1 } }, { data: { "a/b": 2 } }, { data: { "a/b": 2, c: null } }],
  [{ vertices: [{ x: 1 }] }, { vertices: [{ x: 2 }] }, { vertices: [{ x: 2 }] }],
  [{ id: "a", x: 1 }, { x: 1 }, {}],
]) {
  test(`from ${JSON.stringify(before)} to ${JSON.stringify(after)} it takes ${JSON.stringify(data)}`, () => {
    assert.deepEqual(difference(before, after), data);
    const { id: _, ...wanted } = after;
    const { id: __, ...made } = mergeCell(before, data);
    assert.deepEqual(made, wanted);
  });
}
