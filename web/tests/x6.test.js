/** What the adapter tells X6 of a cell: known keys, checked values, text as text. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { caption, metadataOf } from "../adapters/x6.js";
import { colourOr, inkOn, SHAPES, wrapped } from "../adapters/x6-shapes.js";

const node = (more) => ({ id: "n", shape: "process", x: 1, y: 2, width: 128, height: 80, ...more });
const flow = (more) => ({
  id: "f",
  shape: "flow",
  source: { cell: "a", port: "right" },
  target: { cell: "b" },
  ...more,
});

test("a node keeps its id, place, size and layer", () => {
  const { id, shape, x, y, width, height, zIndex } = metadataOf(node({ zIndex: 7 }));
  assert.deepEqual(
    { id, shape, x, y, width, height, zIndex },
    { id: "n", shape: "process", x: 1, y: 2, width: 128, height: 80, zIndex: 7 },
  );
});

test("boundaries lie behind, flows in the middle, nodes in front where no layer is given", () => {
  const layers = [node({ shape: "security-boundary" }), flow(), node()].map((cell) => metadataOf(cell).zIndex);
  assert.deepEqual(layers, [-1, 0, 1]);
});

test("a shape that nobody knows is a plain box", () => {
  assert.equal(metadataOf(node({ shape: "cloud" })).shape, "box");
  assert.equal(metadataOf(node({ shape: "constructor" })).shape, "box");
});

test("markup, events, links, filters and styles of strangers do not reach X6", () => {
  const evil = { html: "<b>", event: "x", xlinkHref: "javascript:1", filter: { name: "blur" }, style: "x", ref: "y" };
  const told = metadataOf(
    node({ attrs: { body: evil, text: evil, root: evil, evil }, markup: [{ tagName: "script" }], tools: ["x"] }),
  );
  assert.deepEqual(Object.keys(told.attrs), ["body", "text"]);
  for (const key of Object.keys(evil)) assert.ok(!(key in told.attrs.body) && !(key in told.attrs.text), key);
  assert.ok(!("markup" in told) && !("tools" in told));
});

test("only plain colours are colours", () => {
  for (const colour of ["#fff", "#a1B2c3", "#11223344", "tomato", "rgb(1, 2, 3)", "hsla(10 20% 30% / 0.5)"])
    assert.equal(colourOr(colour), colour);
  for (const colour of ["url(#x)", "var(--ink)", "url(http://x)", "#12", "red;x", 7, null, { type: "linearGradient" }])
    assert.equal(colourOr(colour), undefined);
});

test("numbers of strangers are held within bounds", () => {
  const { body, text } = metadataOf(
    node({ attrs: { body: { strokeWidth: 1e9, fillOpacity: -4 }, text: { fontSize: "x" } } }),
  ).attrs;
  assert.deepEqual([body.strokeWidth, body.fillOpacity, text.fontSize], [20, 0, SHAPES.process.text.fontSize]);
});

test("the ink can be read on the fill", () => {
  assert.equal(inkOn("#ffffff"), "#1b2430");
  assert.equal(inkOn("#123"), "#ffffff");
  assert.equal(metadataOf(node({ attrs: { body: { fill: "#5b6470" } } })).attrs.text.fill, "#ffffff");
  assert.equal(
    metadataOf(node({ attrs: { body: { fill: "#5b6470" }, text: { fill: "#abcdef" } } })).attrs.text.fill,
    "#abcdef",
  );
});

test("ports are as the cell has them, else one at each side", () => {
  const ids = (cell) => metadataOf(cell).ports.items.map(({ id, group }) => `${id}@${group}`);
  assert.deepEqual(ids(node()), ["top@top", "right@right", "bottom@bottom", "left@left"]);
  assert.deepEqual(ids(node({ ports: { items: [{ id: "p", group: "left" }, { id: "bottom" }, { id: 7 }, null] } })), [
    "p@left",
    "bottom@bottom",
  ]);
  assert.deepEqual(ids(node({ ports: [{ id: "q", group: "strange" }] })), ["q@right"]);
});

test("a flow keeps its ends, bends and known lines", () => {
  const told = metadataOf(
    flow({
      vertices: [{ x: 1, y: 2, extra: 3 }],
      router: { name: "manhattan", args: { step: 0.001 } },
      connector: "smooth",
    }),
  );
  assert.deepEqual(
    [told.source, told.target, told.vertices],
    [{ cell: "a", port: "right" }, { cell: "b" }, [{ x: 1, y: 2 }]],
  );
  assert.deepEqual([told.router, told.connector], [{ name: "orth" }, { name: "smooth" }]);
  assert.deepEqual(metadataOf(flow({ router: "toString", connector: "evil" })).router, { name: "lanes" });
});

test("markers are those of X6 by name, or none", () => {
  const line = (attrs) => metadataOf(flow({ attrs: { line: attrs } })).attrs.line;
  assert.equal(line({}).targetMarker.name, "block");
  assert.deepEqual(line({ targetMarker: { name: "classic", size: 8, tagName: "script" } }).targetMarker, {
    name: "classic",
    size: 8,
  });
  assert.equal(line({ targetMarker: { tagName: "foreignObject" } }).targetMarker.name, "block");
  assert.equal(line({ targetMarker: { name: "" } }).targetMarker, "");
});

test("the text is found wherever an editor keeps it", () => {
  const text = { text: { text: "b" } };
  assert.equal(caption({ label: "a", attrs: text }), "a");
  assert.equal(caption({ attrs: text }), "b");
  assert.equal(caption({ labels: [{ attrs: { labelText: { text: "c" } } }] }), "c");
  assert.equal(caption({ label: { not: "text" } }), "");
});

test("labels of a flow stand where they were put", () => {
  const { labels } = metadataOf(
    flow({ labels: [{ attrs: { text: { text: "x" } }, position: 0.25 }, { attrs: { label: { text: "y" } } }] }),
  );
  assert.deepEqual(
    labels.map(({ attrs, position }) => [attrs.text.caption, position.distance]),
    [
      ["x", 0.25],
      ["y", 0.5],
    ],
  );
  assert.deepEqual(
    metadataOf(flow({ label: "z" })).labels.map(({ attrs }) => attrs.text.caption),
    ["z"],
  );
});

test("lines fit, and the last one says that there is more", () => {
  const width = (_, words) => words.length;
  assert.deepEqual(wrapped("one two three", "", 7, 3, width), ["one two", "three"]);
  assert.deepEqual(wrapped("one two three four", "", 7, 2, width), ["one two", "three …"]);
  assert.deepEqual(wrapped("incomprehensibilities", "", 7, 2, width), ["incomp…"]);
  assert.deepEqual(wrapped("one\ntwo", "", 20, 3, width), ["one", "two"]);
  assert.deepEqual(wrapped("", "", 20, 3, width), []);
});

test("a line of Chinese or Japanese ends behind any letter, and never before a full stop", () => {
  const width = (_, words) => words.length;
  assert.deepEqual(wrapped("決済サービスは、", "", 4, 9, width), ["決済サー", "ビスは、"]);
  assert.deepEqual(wrapped("注文を受ける。", "", 6, 9, width), ["注文を受け", "る。"]);
  assert.deepEqual(wrapped("API 決済", "", 5, 9, width), ["API 決", "済"]);
  assert.deepEqual(wrapped("日本 語", "", 9, 9, width), ["日本 語"]);
});

test("a line is cut between two characters, never within one", () => {
  const width = (_, words) => words.length;
  for (const room of [4, 5, 6, 7]) assert.match(wrapped("😀".repeat(9), "", room, 1, width)[0], /^😀+…$/u);
  const long = wrapped(`${"a".repeat(599)}😀b`, "", 999, 1, width)[0];
  assert.equal(long, `${"a".repeat(599)}😀`);
});
