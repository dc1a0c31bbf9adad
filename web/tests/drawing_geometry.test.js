/** Where boxes are, where they snap, and how they are pulled. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { aligned, around, between, pulled, snapped, stretched } from "../shell/drawing/geometry.js";

test("positions stand on the grid", () => {
  assert.deepEqual([snapped(3), snapped(5), snapped(-13)], [0, 8, -16]);
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

test("a part of a box keeps its place in it when the box becomes another", () => {
  const before = { x: 0, y: 0, width: 300, height: 100 };
  const [left, right] = [{ x: 0, y: 0.5, width: 100, height: 50 }, { x: 200, y: 50, width: 100, height: 50 }];
  const wide = { ...before, x: -1, width: 401 };
  assert.deepEqual(stretched(left, before, wide), { x: -1, y: 0.5, width: 134, height: 50 });
  assert.deepEqual(stretched(right, before, wide), { x: 266, y: 50, width: 134, height: 50 });
  assert.deepEqual(stretched(left, before, before), left);
});

test("around many boxes is one, without those that are gone; there is none around nothing", () => {
  const box = { x: 10, y: 20, width: 30, height: 40 };
  const low = { x: 0, y: 50, width: 5, height: 50 };
  assert.deepEqual(around([box, null, low]), { x: 0, y: 20, width: 40, height: 80 });
  assert.equal(around([null, undefined]), null);
});

test("a frame is the same from whichever corner it is pulled", () => {
  const frame = { x: -5, y: 2, width: 15, height: 6 };
  assert.deepEqual(between({ x: 10, y: 2 }, { x: -5, y: 8 }), frame);
  assert.deepEqual(between({ x: -5, y: 8 }, { x: 10, y: 2 }), frame);
});
