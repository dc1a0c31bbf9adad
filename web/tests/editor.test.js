/** How the editor is used without seeing it: the order of cells, and what is said of them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { inReadingOrder, spoken, walked } from "../editor/diagram/spoken.js";
import { takesLetters } from "../shell/dom.js";
import { box, flow, look } from "./support/drawn.js";


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

test("going on through the cells lets go of the last, but not of those that are kept", () => {
  const ids = ["a", "b", "c"];
  assert.deepEqual(walked(ids, [], [], 1), { id: "a", at: 0, selection: ["a"] });
  assert.deepEqual(walked(ids, ["a"], [], 1), { id: "b", at: 1, selection: ["b"] });
  assert.deepEqual(walked(ids, ["a"], ["a"], 1), { id: "b", at: 1, selection: ["a", "b"] });
  assert.deepEqual(walked(ids, ["a", "b"], ["a"], 1), { id: "c", at: 2, selection: ["a", "c"] });
  assert.deepEqual(walked(ids, ["a", "c"], ["a", "c"], -1), { id: "b", at: 1, selection: ["a", "c", "b"] });
  assert.deepEqual(walked(ids, ["c", "b"], ["c"], 1), { id: "c", at: 2, selection: ["c"] });
  assert.deepEqual(walked(ids, [], [], -1), { id: "c", at: 2, selection: ["c"] });
  assert.equal(walked(ids, ["c"], ["a"], 1), null);
  assert.equal(walked(ids, ["a"], [], -1), null);
});

test("letters are commands only where the drawing or its tools have the focus, or nothing has", (t) => {
  const body = {};
  globalThis.document = { body };
  t.after(() => delete globalThis.document);
  const within = (home) => ({ closest: (homes) => (homes.split(", ").includes(home) ? {} : null) });
  assert.ok(takesLetters(body, ".stage, .tools"));
  assert.ok(takesLetters(within(".tools"), ".stage, .tools"));
  assert.ok(!takesLetters(within(".bar"), ".stage, .tools"));
});
