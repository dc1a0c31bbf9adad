/** Which steps by keys are one step of undo. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Stepping } from "../shell/drawing/stepping.js";

test("steps of the same cells in quick succession are one group; others, and after a pause, begin another", () => {
  mock.timers.enable({ apis: ["Date"] });
  const stepping = new Stepping();
  const first = stepping.groupOf(["a", "b"]);
  mock.timers.tick(1000);
  assert.equal(stepping.groupOf(["a", "b"]), first);
  const second = stepping.groupOf(["a"]);
  assert.notEqual(second, first);
  mock.timers.tick(1001);
  assert.notEqual(stepping.groupOf(["a"]), second);
  mock.reset();
});
