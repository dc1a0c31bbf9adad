/** How the playground lays the lines of edges. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { border, route } from "../playground/lines.js";

const box = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });

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
