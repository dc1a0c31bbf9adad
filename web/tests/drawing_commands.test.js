/** What is asked for by the commands that the pages share, as changes of cells. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeCell } from "../sdk/codraw.js";
import * as commands from "../shell/drawing/commands.js";
import { box, flow, look } from "./support/drawn.js";

const boundary = (id, more) => box(id, 0, 0, { shape: "security-boundary", width: 400, height: 400, ...more });
const datas = (changes) => Object.fromEntries(changes.map(({ id, data }) => [id, data]));

test("a new node stands on the grid, in the boundary under it, in front of the others", () => {
  const room = box("room", -400, -400, { shape: "security-boundary", width: 800, height: 800, zIndex: -1 });
  const [{ operation, data }] = commands.added(look(room, box("a", 0, 0, { zIndex: 4 })), "process", {
    x: 101,
    y: 99,
  }).changes;
  assert.deepEqual([operation, data.x % 8, data.y % 8, data.parent, data.zIndex], ["add", 0, 0, "room", 5]);
  assert.ok(Math.abs(data.x + data.width / 2 - 101) <= 4);
  assert.equal(data.attrs.text.text, "Process");
});

test("a box belongs to the smallest boundary that it is put into", () => {
  const cells = look(boundary("large"), boundary("small", { width: 200, height: 200 }));
  assert.equal(commands.added(cells, "process", { x: 100, y: 100 }).changes[0].data.parent, "small");
  assert.equal(commands.added(cells, "process", { x: 300, y: 300 }).changes[0].data.parent, "large");
  assert.equal("parent" in commands.added(cells, "process", { x: 900, y: 0 }).changes[0].data, false);
});

test("a new name goes wherever the cell keeps its text, and nowhere else", () => {
  const renamed = (cell) => commands.renamed(cell, "new")[0].data;
  assert.deepEqual(renamed(box("a", 0, 0)), { "attrs/text/text": "new" });
  assert.deepEqual(renamed(box("a", 0, 0, { label: "x" })), { label: "new" });
  assert.deepEqual(renamed(box("a", 0, 0, { label: "x", attrs: { text: { text: "x" } } })), {
    label: "new",
    "attrs/text/text": "new",
  });
  assert.deepEqual(renamed(flow("f", "a", "b")), { labels: [{ attrs: { text: { text: "new" } }, position: 0.5 }] });
  const labels = [{ attrs: { label: { text: "x", fill: "red" } }, position: 0.3 }, { attrs: {} }];
  assert.deepEqual(renamed(flow("f", "a", "b", { labels })).labels, [
    { attrs: { label: { text: "new", fill: "red" } }, position: 0.3 },
    { attrs: {} },
  ]);
  const both = [{ attrs: { label: { text: "x" }, text: { text: "y" }, body: {} } }];
  assert.deepEqual(renamed(flow("f", "a", "b", { labels: both })).labels, [
    { attrs: { label: { text: "new" }, text: { text: "new" }, body: {} } },
  ]);
});

test("what stands in a boundary moves with it", () => {
  const cells = look(
    box("room", 0, 0),
    box("a", 1, 1, { parent: "room" }),
    box("b", 2, 2, { parent: "a" }),
    box("c", 3, 3),
  );
  assert.deepEqual(commands.withChildren(cells, ["room"]).sort(), ["a", "b", "room"]);
  assert.deepEqual(datas(commands.nudged(cells, ["room"], 8, 0)), {
    room: { x: 8 },
    a: { x: 9 },
    b: { x: 10 },
  });
});

test("a box dragged out of its boundary leaves it, what moves with its boundary stays in it", () => {
  const cells = look(boundary("b"), box("a", 0, 0, { parent: "b" }));
  const out = commands.dropped(cells, new Map([["a", { x: 900, y: 0 }]]));
  assert.equal(out[0].data.parent, null);
  const both = commands.dropped(
    cells,
    new Map([
      ["b", { x: 900, y: 0 }],
      ["a", { x: 900, y: 0 }],
    ]),
  );
  assert.deepEqual(
    both.map(({ data }) => "parent" in data),
    [false, false],
  );
});

test("by keys too a node leaves its boundary and enters another, and stays in one that moves along", () => {
  const cells = look(boundary("b"), box("a", 0, 0, { parent: "b" }));
  assert.equal(commands.nudged(cells, ["a"], 8, 0)[0].data.parent, undefined);
  assert.equal(commands.nudged(cells, ["a"], 904, 0)[0].data.parent, null);
  assert.deepEqual(
    commands.nudged(cells, ["b"], 904, 0).map(({ data }) => "parent" in data),
    [false, false],
  );
  const free = look(boundary("b"), box("a", 904, 0));
  assert.equal(commands.nudged(free, ["a"], -904, 0)[0].data.parent, "b");
  assert.equal(commands.nudged(free, ["a", "b"], -904, 0).find(({ id }) => id === "a").data.parent, undefined);
});

test("a flow is tied to another node, and not to one that is gone", () => {
  const flow = { id: "f", shape: "flow", source: { cell: "a", port: "left" }, target: { cell: "b" } };
  const cells = look(box("a", 0, 0), box("b", 0, 0), box("c", 0, 0), flow);
  assert.deepEqual(datas(commands.retied(cells, "f", "source", "c")), { f: { source: { cell: "c" } } });
  assert.deepEqual(commands.retied(cells, "f", "target", "gone"), []);
  assert.deepEqual(commands.retied(cells, "f", "target", ""), []);
});

test("leaving a text as it was when it was opened keeps what somebody else has written since", () => {
  const now = box("a", 0, 0, { attrs: { text: { text: "Bob's" } } });
  assert.deepEqual(commands.retyped(now, "Ours", "Ours"), []);
  assert.deepEqual(commands.retyped(now, " Ours ", "Ours"), []);
  assert.deepEqual(datas(commands.retyped(now, "Ours", " Ours now ")), { a: { "attrs/text/text": "Ours now" } });
  assert.deepEqual(commands.retyped(undefined, "Ours", "Ours now"), []);
});

test("a boundary is never put into what it contains", () => {
  const cells = look(boundary("outer"), boundary("inner", { parent: "outer", x: 10, y: 10, width: 380, height: 380 }));
  const [{ data }] = commands.dropped(cells, new Map([["outer", { x: 12, y: 12, width: 100, height: 100 }]]));
  assert.notEqual(data.parent, "inner");
});

test("cells that are gone are left out of a move: one of them would refuse all", () => {
  const changes = commands.placed(
    look(box("a", 0, 0)),
    new Map([
      ["a", { x: 1, y: 1 }],
      ["gone", { x: 1, y: 1 }],
    ]),
  );
  assert.deepEqual(
    changes.map(({ id }) => id),
    ["a"],
  );
});

test("to the front is in front of all others, in the same order", () => {
  const cells = look(box("a", 0, 0, { zIndex: 3 }), box("b", 0, 0, { zIndex: 1 }), box("c", 0, 0, { zIndex: 9 }));
  assert.deepEqual(datas(commands.raised(cells, ["a", "b"], true)), { b: { zIndex: 10 }, a: { zIndex: 11 } });
  assert.deepEqual(datas(commands.raised(cells, ["c"], false)), { c: { zIndex: 0 } });
});

test("bends go with a flow whose two ends are moved alike, by arrows as by aligning", () => {
  const bent = (id, source, target) => flow(id, source, target, { vertices: [{ x: 10, y: 20 }] });
  const cells = look(
    boundary("out"),
    box("in", 50, 0, { parent: "out" }),
    box("in2", 60, 0, { parent: "out" }),
    box("far", 900, 0),
    bent("both", "in", "in2"),
    bent("one", "in", "far"),
    bent("loop", "far", "far"),
    flow("straight", "in", "in2"),
  );
  const by8 = { x: 18, y: 20 };
  const moved = datas(commands.nudged(cells, ["out"], 8, 0));
  assert.deepEqual(Object.keys(moved).sort(), ["both", "in", "in2", "out"]);
  assert.deepEqual(moved.both.vertices, [by8]);
  assert.deepEqual(datas(commands.nudged(cells, ["far"], 8, 0)), { far: { x: 908 }, loop: { vertices: [by8] } });
  const lined = datas(commands.lined(cells, ["out", "far"], "right"));
  assert.deepEqual([lined.both.vertices, lined.in.x], [[{ x: 610, y: 20 }], 650]);
  assert.deepEqual(Object.keys(lined).sort(), ["both", "in", "in2", "out"]);
  const left = datas(commands.lined(cells, ["in", "in2"], "left"));
  assert.deepEqual(left, { in2: { x: 50 } }, "a flow between what is moved unlike keeps its bends");
});

test("what stands in a box that has a way of its own goes that way, not the outer one", () => {
  const cells = look(
    boundary("out", { x: 100 }),
    boundary("mid", { x: 150, parent: "out" }),
    box("deep", 160, 0, { parent: "mid" }),
    box("left", 0, 0),
  );
  for (const ids of [
    ["out", "mid", "left"],
    ["mid", "out", "left"],
  ]) {
    const { out, mid, deep } = datas(commands.lined(cells, ids, "left"));
    assert.deepEqual([out.x, mid.x, deep.x], [0, 0, 10]);
  }
});

test("nodes are brought in line and spread evenly", () => {
  const cells = look(box("a", 0, 0), box("b", 130, 40), box("c", 400, 20));
  assert.deepEqual(datas(commands.lined(cells, ["a", "b", "c"], "top")), { b: { y: 0 }, c: { y: 0 } });
  assert.deepEqual(datas(commands.distributed(cells, ["a", "b", "c"], "x")), { b: { x: 200 } });
});

test("copies have ids of their own and the flows among them", () => {
  const cells = look(
    box("room", 0, 0),
    box("a", 1, 1, { parent: "room" }),
    box("b", 2, 2),
    flow("f", "room", "a"),
    flow("g", "a", "b"),
  );
  const taken = commands.copied(cells, ["room"]);
  assert.deepEqual(
    taken.map(({ id }) => id),
    ["room", "a", "f"],
  );
  const { ids, changes } = commands.pasted(cells, taken, { dx: 10, dy: 20 });
  const [room, a, f] = changes.map(({ data }) => data);
  assert.equal(new Set([...ids, "room", "a", "f"]).size, 6);
  assert.deepEqual([a.x, a.y, a.parent], [11, 21, ids[0]]);
  assert.deepEqual([f.source.cell, f.target.cell, room.parent], [ids[0], ids[1], undefined]);
});

test("of a cell that is dropped the others are not looked through, however many they are", () => {
  let asked = 0;
  const counted = (cell) => Object.defineProperty(cell, "parent", { enumerable: true, get: () => (asked++, "room") });
  const boxes = Array.from({ length: 100 }, (_, at) => counted(box(`a${at}`, at, at)));
  const cells = look(boundary("room"), boundary("hall", { x: 1000 }), ...boxes);
  commands.dropped(cells, new Map(boxes.slice(50).map(({ id }) => [id, { x: 1010, y: 10 }])));
  assert.ok(asked < 10 * boxes.length, `${asked} times`);
});

test("a copy belongs to the boundary that it comes to stand in, and to no other", () => {
  const cells = look(boundary("room"), boundary("hall", { x: 1000 }), box("a", 1, 1, { parent: "room" }));
  const parentAfter = (dx) => commands.pasted(cells, [cells.get("a")], { dx, dy: 0 }).changes[0].data.parent;
  assert.deepEqual([24, 700, 1100].map(parentAfter), ["room", undefined, "hall"]);
});

test("a flow whose end is not copied is not pasted", () => {
  assert.equal(
    commands.pasted(look(), [box("a", 0, 0), flow("f", "a", "elsewhere")], { dx: 0, dy: 0 }).changes.length,
    1,
  );
});

test("arrows are what they are said to be", () => {
  const cells = look(box("a", 0, 0), flow("f", "a", "a"));
  for (const arrows of Object.keys(commands.ARROWS)) {
    const [{ data }] = commands.pointed(cells, ["a", "f"], arrows);
    assert.equal(commands.arrowsOf(mergeCell(cells.get("f"), data)), arrows);
  }
});

test("a flow is bent in its longest piece, and each bend moves and goes alone", () => {
  const cells = [box("a", 0, 0), box("b", 400, 0), flow("f", "a", "b")];
  const bends = () => cells[2].vertices;
  const done = (changes) => (cells[2] = mergeCell(cells[2], changes[0].data));
  done(commands.bent(look(...cells), "f"));
  assert.deepEqual(bends(), [{ x: 248, y: 128 }]);
  done(commands.rebent(look(...cells), "f", 0, { x: 100 }));
  assert.deepEqual(bends(), [{ x: 100, y: 128 }]);
  done(commands.bent(look(...cells), "f"));
  assert.deepEqual([bends().length, bends()[0]], [2, { x: 100, y: 128 }]);
  done(commands.unbent(look(...cells), "f", 0));
  assert.equal(bends().length, 1);
  assert.deepEqual(commands.unbent(look(...cells), "f", 1), []);
  assert.deepEqual(commands.rebent(look(...cells), "f", 1, { x: 1 }), []);
});

for (const vertices of ["nothing", null, [null, { x: "a", y: 0 }]]) {
  test(`of bends that are none, as ${JSON.stringify(vertices)}, a flow has none, and moves and copies like others`, () => {
    const cells = look(box("a", 0, 0), box("b", 400, 0), flow("f", "a", "b", { vertices }));
    assert.deepEqual(commands.bendsOf(cells.get("f")), []);
    assert.equal(datas(commands.bent(cells, "f")).f.vertices.length, 1);
    assert.deepEqual(Object.keys(datas(commands.nudged(cells, ["a", "b"], 8, 0))), ["a", "b"]);
    assert.equal(commands.pasted(cells, cells.cells(), { dx: 8, dy: 8 }).changes.length, 3);
  });
}
