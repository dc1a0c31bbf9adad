/** What the open diagram is called, where nobody tells of another name. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { titleOf } from "../shell/title.js";

let asked, hasFocus;
beforeEach(() => {
  [asked, hasFocus] = [0, true];
  globalThis.addEventListener = () => {};
  globalThis.document = { createElement: () => ({}), addEventListener() {}, hasFocus: () => hasFocus };
  mock.timers.enable({ apis: ["setInterval"] });
});
afterEach(() => {
  delete globalThis.addEventListener;
  delete globalThis.document;
  mock.reset();
});

const rest = { request: async () => (asked++, { json: async () => ({ diagram_name: "Payments" }) }) };

async function later(ms) {
  mock.timers.tick(ms);
  await new Promise((resolve) => setImmediate(resolve));
}

test("who stays in the window sees within a minute that the diagram has another name", async () => {
  const title = titleOf({ rest, place: {}, name: "Overview" });
  await later(60_000);
  assert.deepEqual([title.name, title.root.textContent, document.title], ["Payments", "Payments", "Payments · codraw"]);
  title.stop();
});

test("nobody asks for a window that one does not look at, or has left", async () => {
  const title = titleOf({ rest, place: {}, name: "Overview" });
  hasFocus = false;
  await later(60_000);
  hasFocus = true;
  title.stop();
  await later(60_000);
  assert.deepEqual([asked, title.name], [0, "Overview"]);
});
