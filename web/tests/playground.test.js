/** What the page does with cells, lines and states; the parts that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";

import * as commands from "../playground/commands.js";
import { border, route, snapped } from "../playground/geometry.js";
import { Overlay } from "../sdk/codraw.js";

const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });

function lookOf(...cells) {
  const overlay = new Overlay(new Map(cells.map((cell) => [cell.id, cell])));
  return { get: (id) => overlay.get(id), cells: () => overlay.values() };
}

const boundary = (id, more) => box(id, { shape: "security-boundary", width: 400, height: 400, ...more });

test("a new box has its middle where it was put, on the grid", () => {
  const {
    changes: [{ data }],
  } = commands.added(lookOf(), "actor", { x: 101, y: 99 });
  assert.deepEqual([data.x % 8, data.y % 8], [0, 0]);
  assert.ok(Math.abs(data.x + data.width / 2 - 101) <= 4);
});

test("a box belongs to the smallest boundary that it is put into", () => {
  const look = lookOf(boundary("large"), boundary("small", { width: 200, height: 200 }));
  assert.equal(commands.added(look, "process", { x: 100, y: 100 }).changes[0].data.parent, "small");
  assert.equal(commands.added(look, "process", { x: 300, y: 300 }).changes[0].data.parent, "large");
  assert.equal("parent" in commands.added(look, "process", { x: 900, y: 0 }).changes[0].data, false);
});

test("a box dragged out of its boundary leaves it, what moves with its boundary stays in it", () => {
  const look = lookOf(boundary("b"), box("a", { parent: "b" }));
  const out = commands.dropped(look, new Map([["a", { x: 900, y: 0 }]]));
  assert.equal(out[0].data.parent, null);
  const both = commands.dropped(
    look,
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

test("a boundary is never put into what it contains", () => {
  const look = lookOf(boundary("outer"), boundary("inner", { parent: "outer", x: 10, y: 10, width: 380, height: 380 }));
  const [{ data }] = commands.dropped(look, new Map([["outer", { x: 12, y: 12, width: 100, height: 100 }]]));
  assert.notEqual(data.parent, "inner");
});

test("with a boundary moves all it contains, at any depth", () => {
  const look = lookOf(
    box("deep", { parent: "inner" }),
    boundary("inner", { parent: "outer" }),
    boundary("outer"),
    box("free"),
  );
  assert.deepEqual(commands.withChildren(look, ["outer"]).sort(), ["deep", "inner", "outer"]);
});

test("cells that are gone are left out of a move: one of them would refuse all", () => {
  const changes = commands.placed(
    lookOf(box("a")),
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

test("a label is renamed where the editor that drew it keeps it", () => {
  assert.deepEqual(commands.renamed(box("a", { label: "A" }), "B")[0].data, { label: "B" });
  assert.deepEqual(commands.renamed(box("a", { attrs: { text: { text: "A" } } }), "B")[0].data, {
    "attrs/text/text": "B",
  });
});

test("a colour from a stranger is a plain colour or none", () => {
  assert.equal(commands.colourOf(box("a", { attrs: { body: { fill: "#ffeeaa" } } })), "#ffeeaa");
  for (const fill of ["url(#x)", "red;background:url(//x)", "#ffeeaa url(//x)", { toString: () => "#ffeeaa" }, 7]) {
    assert.equal(commands.colourOf(box("a", { attrs: { body: { fill } } })), null);
  }
});

test("a line leaves a box at its border", () => {
  assert.deepEqual(border(box("a"), false, { x: 500, y: 30 }), { x: 100, y: 30 });
  assert.deepEqual(border(box("a"), true, { x: 50, y: 500 }), { x: 50, y: 60 });
});

test("lines between the same boxes lie apart, whichever way they lead", () => {
  const [a, b] = [box("a"), box("b", { x: 300 })];
  const there = route(a, b, { lane: 0.6 }).middle;
  const back = route(b, a, { lane: -0.6 }).middle;
  assert.ok(Math.abs(there.y - back.y) > 10);
});

test("no route has a number that is none", () => {
  const same = box("a");
  for (const options of [{}, { lane: 0.6 }, { isLoop: true }, { vertices: [{ x: 50, y: 30 }] }]) {
    assert.doesNotMatch(JSON.stringify(route(same, { ...same }, options)), /NaN|Infinity|null/);
  }
});

test("positions stand on the grid", () => {
  assert.deepEqual([snapped(3), snapped(5), snapped(-13)], [0, 8, -16]);
});
