/** What the editor's commands ask for, and where things snap. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { mergeCell } from "../sdk/codraw.js";
import * as commands from "../editor/diagram/commands.js";
import { aligned, around, pulled } from "../editor/diagram/geometry.js";
import { inReadingOrder, spoken } from "../editor/diagram/keyboard.js";

const box = (id, x, y, more = {}) => ({ id, shape: "process", x, y, width: 100, height: 50, ...more });
const flow = (id, source, target, more = {}) => ({
  id,
  shape: "flow",
  source: { cell: source },
  target: { cell: target },
  ...more,
});
const look = (...cells) => ({ get: (id) => cells.find((cell) => cell.id === id), cells: () => cells });
const datas = (changes) => Object.fromEntries(changes.map(({ id, data }) => [id, data]));

test("a new node stands on the grid, in the boundary under it, in front of the others", () => {
  const room = box("room", -400, -400, { shape: "security-boundary", width: 800, height: 800, zIndex: -1 });
  const [{ operation, data }] = commands.added(look(room, box("a", 0, 0, { zIndex: 4 })), "process", {
    x: 101,
    y: 99,
  }).changes;
  assert.deepEqual([operation, data.x % 8, data.y % 8, data.parent, data.zIndex], ["add", 0, 0, "room", 5]);
  assert.equal(data.attrs.text.text, "Process");
});

test("a new name goes wherever the cell keeps its text, and nowhere else", () => {
  const renamed = (cell) => commands.renamed(cell, "new")[0].data;
  assert.deepEqual(renamed(box("a", 0, 0)), { "attrs/text/text": "new" });
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
    room: { x: 8, y: 0 },
    a: { x: 9, y: 1 },
    b: { x: 10, y: 2 },
  });
});

test("to the front is in front of all others, in the same order", () => {
  const cells = look(box("a", 0, 0, { zIndex: 3 }), box("b", 0, 0, { zIndex: 1 }), box("c", 0, 0, { zIndex: 9 }));
  assert.deepEqual(datas(commands.raised(cells, ["a", "b"], true)), { b: { zIndex: 10 }, a: { zIndex: 11 } });
  assert.deepEqual(datas(commands.raised(cells, ["c"], false)), { c: { zIndex: 0 } });
});

test("nodes are brought in line and spread evenly", () => {
  const cells = look(box("a", 0, 0), box("b", 130, 40), box("c", 400, 20));
  assert.deepEqual(datas(commands.lined(cells, ["a", "b", "c"], "top")), { b: { x: 130, y: 0 }, c: { x: 400, y: 0 } });
  assert.deepEqual(datas(commands.distributed(cells, ["a", "b", "c"], "x")), { b: { x: 200, y: 40 } });
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

test("a moving box is drawn to lines of others that are near, each way by itself", () => {
  const still = [{ x: 0, y: 0, width: 100, height: 50 }];
  const { dx, dy, guides } = aligned({ x: 3, y: 300, width: 60, height: 50 }, still, 5);
  assert.deepEqual([dx, dy, guides], [-3, undefined, [{ x: 0, from: 0, to: 350 }]]);
  assert.deepEqual(aligned({ x: 400, y: 400, width: 10, height: 10 }, still, 5).guides, []);
});

test("a box that is pulled smaller than it may be stays where its other side is", () => {
  const least = { width: 40, height: 30 };
  assert.deepEqual(pulled({ x: 0, y: 0, width: 96, height: 48 }, "nw", 900, 900, least), {
    x: 56,
    y: 18,
    width: 40,
    height: 30,
  });
  assert.deepEqual(pulled({ x: 0, y: 0, width: 96, height: 48 }, "se", 9, 7, least), {
    x: 0,
    y: 0,
    width: 104,
    height: 56,
  });
});

test("around many boxes is one", () => {
  assert.equal(around([]), null);
  assert.deepEqual(
    around([
      { x: 0, y: 5, width: 10, height: 10 },
      { x: -5, y: 8, width: 2, height: 30 },
    ]),
    { x: -5, y: 5, width: 15, height: 33 },
  );
});

test("cells are gone through as one reads, and said in words", () => {
  const cells = [
    flow("f", "b", "a", { label: "orders" }),
    box("a", 200, 0, { label: "Shop" }),
    box("b", 0, 0),
    box("c", 0, -60),
  ];
  assert.deepEqual(inReadingOrder(cells), ["c", "b", "a", "f"]);
  assert.equal(spoken(look(...cells), "f"), "Flow orders from Process to Process Shop");
});
