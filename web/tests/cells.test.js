/** The client's own reading of the cell rules: canonical spelling, merging, laying changes over cells. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { applyEffect, canonicalChanges, mergeCell, Overlay } from "../sdk/cells.js";

const cellsOf = (...cells) => new Map(cells.map((cell) => [cell.id, cell]));
const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const flow = (id, source, target) => ({ id, shape: "flow", source: { cell: source }, target: { cell: target } });
const ids = (overlay) => [...overlay.values()].map(({ id }) => id);

test("OP12 an update keeps every key it does not name", () => {
  assert.deepEqual(mergeCell(box("a", { label: "A" }), { x: 5 }), box("a", { label: "A", x: 5 }));
});

test("OP12 attrs and data merge deeply, arrays replace, null deletes", () => {
  const cell = { id: "a", attrs: { body: { fill: "red", size: [1, 2] } }, data: { k: 1 }, label: "A" };
  const merged = mergeCell(cell, { attrs: { body: { size: [3] } }, data: { k: null }, label: null });
  assert.deepEqual(merged, { id: "a", attrs: { body: { fill: "red", size: [3] } }, data: {} });
});

test("OP12 a path key sets one inner value and creates what is missing on the way", () => {
  assert.deepEqual(mergeCell({ id: "a" }, { "attrs/body/fill": "red" }), { id: "a", attrs: { body: { fill: "red" } } });
  assert.deepEqual(mergeCell({ id: "a", attrs: { b: 1 } }, { "attrs/b": null }), { id: "a", attrs: {} });
});

test("a merge leaves the cell it was given as it was", () => {
  const cell = { id: "a", attrs: { body: { fill: "red" } } };
  mergeCell(cell, { attrs: { body: { fill: "blue" } }, "attrs/body/stroke": "red" });
  assert.deepEqual(cell, { id: "a", attrs: { body: { fill: "red" } } });
});

test("OP13 the effective form assigns keys, null deletes, and the order of the cells stays", () => {
  const cells = cellsOf(box("a", { label: "A" }), box("b"));
  applyEffect(cells, { cells: [{ id: "a", operation: "update", data: { x: 7, label: null } }] });
  assert.deepEqual([...cells.values()], [box("a", { x: 7 }), box("b")]);
});

test("RE14 an effective form with order puts the cells in that order", () => {
  const cells = cellsOf(box("a"), box("b"));
  applyEffect(cells, { cells: [{ id: "c", operation: "add", data: box("c") }], order: ["c", "b", "a"] });
  assert.deepEqual([...cells.keys()], ["c", "b", "a"]);
});

test("OP15 what is asked is spelt as the server will keep it", () => {
  const UPPER = "7D3E6F5A-1B2C-4D3E-8F90-A1B2C3D4E5F6";
  const [node, edge] = canonicalChanges([
    {
      id: UPPER,
      operation: "add",
      data: {
        id: UPPER,
        shape: "datastore",
        position: { x: 1, y: 2 },
        size: { width: 80, height: 40 },
        y: 9,
        label: null,
      },
    },
    { id: "e", operation: "add", data: { type: "edge", source: UPPER, target: { id: "b", port: "top" } } },
  ]);
  assert.deepEqual(node, {
    id: UPPER.toLowerCase(),
    operation: "add",
    data: { shape: "store", x: 1, y: 9, width: 80, height: 40 },
  });
  assert.deepEqual(edge.data, {
    shape: "flow",
    type: "edge",
    source: { cell: UPPER.toLowerCase() },
    target: { cell: "b", port: "top" },
  });
});

test("what is asked is a copy", () => {
  const data = { x: 1 };
  const [change] = canonicalChanges([{ id: "a", operation: "update", data }]);
  data.x = 2;
  assert.equal(change.data.x, 1);
});

test("a cell that is there and just so may be added again, another in its place may not", () => {
  const overlay = new Overlay(cellsOf(box("a"), box("b")));
  const { id, ...data } = box("a");
  const moved = { id: "b", operation: "update", data: { x: 9 } };
  assert.equal(overlay.lay([{ id, operation: "add", data }, moved]), true);
  assert.equal(overlay.get("b").x, 9);
  assert.equal(overlay.lay([{ id, operation: "add", data: { ...data, x: 5 } }]), false);
});

test("OP4 removing a node takes its dangling edges with it", () => {
  const overlay = new Overlay(cellsOf(box("a"), box("b"), flow("e", "a", "b")));
  overlay.lay([{ id: "a", operation: "remove" }]);
  assert.deepEqual(ids(overlay), ["b"]);
});

test("OP5 children of a removed node take its own parent, and lists forget it", () => {
  const overlay = new Overlay(
    cellsOf(box("top", { children: ["mid"] }), box("mid", { parent: "top" }), box("low", { parent: "mid" })),
  );
  overlay.lay([{ id: "mid", operation: "remove" }]);
  assert.equal(overlay.get("low").parent, "top");
  assert.deepEqual(overlay.get("top").children, []);
});

test("OP5 parents that form a circle do not hang a removal", () => {
  const overlay = new Overlay(cellsOf(box("a", { parent: "b" }), box("b", { parent: "a" }), box("c", { parent: "a" })));
  overlay.lay([
    { id: "a", operation: "remove" },
    { id: "b", operation: "remove" },
  ]);
  assert.deepEqual(ids(overlay), ["c"]);
});

test("OP7 a cell removed and added anew stands last, within one operation it keeps its place", () => {
  const apart = new Overlay(cellsOf(box("a"), box("b")));
  apart.lay([{ id: "a", operation: "remove" }]);
  apart.lay([{ id: "a", operation: "add", data: { x: 1 } }]);
  assert.deepEqual(ids(apart), ["b", "a"]);
  const together = new Overlay(cellsOf(box("a"), box("b")));
  together.lay([
    { id: "a", operation: "remove" },
    { id: "a", operation: "add", data: { x: 1 } },
  ]);
  assert.deepEqual(ids(together), ["a", "b"]);
});

test("OP1 an operation that is sure to be refused is not laid at all", () => {
  const overlay = new Overlay(cellsOf(box("a")));
  const laid = overlay.lay([
    { id: "a", operation: "update", data: { x: 5 } },
    { id: "gone", operation: "update", data: {} },
  ]);
  assert.equal(laid, false);
  assert.deepEqual([...overlay.values()], [box("a")]);
});

for (const [rule, cell] of [
  ["OP3 an edge", flow("e", "a", "gone")],
  ["OP6 a node in a parent", box("b", { parent: "gone" })],
]) {
  test(`${rule} that is gone is not laid, and is where that comes with it`, () => {
    const overlay = new Overlay(cellsOf(box("a")));
    const { id, ...data } = cell;
    const change = { id, operation: "add", data };
    assert.equal(overlay.lay([change]), false);
    assert.deepEqual(ids(overlay), ["a"]);
    assert.equal(overlay.lay([change, { id: "gone", operation: "add", data: box("gone") }]), true);
    assert.deepEqual(ids(overlay), ["a", id, "gone"]);
  });
}

test("OP6 a node that would stand in itself is not laid", () => {
  const overlay = new Overlay(cellsOf(box("top"), box("mid", { parent: "top" }), box("low", { parent: "mid" })));
  const put = (id, parent) => ({ id, operation: "update", data: { parent } });
  assert.equal(overlay.lay([put("top", "low")]), false);
  assert.equal(overlay.lay([put("top", "low"), put("mid", null)]), true);
});

test("OP3 a flow in a flow is not laid, and one that goes with its end is", () => {
  const overlay = new Overlay(cellsOf(box("a"), box("b"), flow("e", "a", "b")));
  assert.equal(overlay.lay([{ id: "f", operation: "add", data: flow("f", "a", "e") }]), false);
  const goes = [{ id: "b", operation: "remove" }, { id: "e", operation: "update", data: { parent: "nobody" } }];
  assert.equal(overlay.lay(goes), true);
  assert.deepEqual(ids(overlay), ["a"]);
});

test("what was laid is written below by settle, in the same order", () => {
  const base = cellsOf(box("a"), box("b"), box("c"));
  const overlay = new Overlay(base);
  overlay.lay([
    { id: "b", operation: "remove" },
    { id: "d", operation: "add", data: {} },
    { id: "c", operation: "update", data: { x: 1 } },
  ]);
  overlay.lay([{ id: "a", operation: "remove" }]);
  overlay.lay([{ id: "a", operation: "add", data: {} }]);
  const shown = [...overlay.values()];
  overlay.settle();
  assert.deepEqual([...base.values()], shown);
});
