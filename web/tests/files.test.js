import assert from "node:assert/strict";
import test from "node:test";

import { asJson, fileName, picture } from "../editor/files/exporting.js";
import { NotImported, planned, read } from "../editor/files/importing.js";
import { flow } from "./support/drawn.js";

const A = "7d3e6f5a-1b2c-4d3e-8f90-a1b2c3d4e5f6";
const B = "0b9c1d2e-3f40-4a5b-8c6d-7e8f90a1b2c3";
const LIMITS = { max_frame_bytes: 262_144, max_cells_per_operation: 500, max_cells_per_diagram: 10_000 };
const node = (id, more) => ({ id, shape: "process", x: 0, y: 0, width: 120, height: 80, ...more });
const look = (...cells) => ({ cells: () => cells });
const file = (...cells) => JSON.stringify(cells);
const problems = (text) => {
  try {
    read(text);
  } catch (error) {
    assert(error instanceof NotImported, String(error));
    return [error.message, ...error.problems].join("\n");
  }
  return assert.fail("it was read");
};
const importing = (cells, there = [], limits = LIMITS) =>
  planned(read(JSON.stringify(cells)).changes, look(...there), limits);

test("what was exported is imported as it was", () => {
  const cells = [node(A, { label: "A", stranger: { kept: [1] } }), flow(B, A, A, { vertices: [{ x: 1, y: 2 }] })];
  const { name, changes } = read(asJson("A name", cells));
  assert.equal(name, "A name");
  const { batches } = planned(changes, look(), LIMITS);
  assert.deepEqual(batches, [cells.map(({ id, ...data }) => ({ id, operation: "add", data }))]);
});

test("a list of cells, and a diagram as TMI or REST show it, are read too", () => {
  const nested = { id: A, type: "process", position: { x: 5, y: 6 }, size: { width: 120, height: 80 } };
  for (const given of [
    [nested],
    { name: "D", cells: [nested] },
    { diagram_json: { cells: [nested] } },
    { diagram: { cells: [nested] } },
  ]) {
    const [{ data }] = read(JSON.stringify(given)).changes;
    assert.deepEqual([data.shape, data.x, data.y, data.width, data.height], ["process", 5, 6, 120, 80]);
  }
});

test("beside what is there everything gets a new id, and whatever names it", () => {
  const cells = [
    node(A, { shape: "security-boundary", children: [B, "gone"] }),
    node(B, { parent: A }),
    flow("f", B, A),
  ];
  const { batches, count } = importing(cells, [node(A)]);
  const [boundary, child, edge] = batches[0];
  assert.equal(new Set([A, B, "f", boundary.id, child.id, edge.id]).size, 3 + count);
  assert.deepEqual([boundary.data.children, child.data.parent], [[child.id], boundary.id]);
  assert.deepEqual([edge.data.source.cell, edge.data.target.cell], [child.id, boundary.id]);
});

test("a free id becomes one that sockets take", () => {
  const [[change]] = importing([node("a")]).batches;
  assert.match(change.id, /^[0-9a-f-]{36}$/);
});

test("it comes to the right of what is there, with its vertices", () => {
  const given = [node("a", { x: 7, y: 7 }), flow("f", "a", "a", { vertices: [{ x: 10, y: 20 }] })];
  const { batches, box } = importing(given, [node(A, { x: 500, y: 100 })]);
  assert.deepEqual(box, { x: 700, y: 100, width: 120, height: 80 });
  const [{ data }, { data: edge }] = batches[0];
  assert.deepEqual([data.x, data.y, edge.vertices], [700, 100, [{ x: 703, y: 113 }]]);
});

test("operations hold what they may, and refer to nothing that comes later", () => {
  const cells = [];
  for (let at = 0; at < 700; at++) cells.push(flow(`f${at}`, `n${at}`, `n${(at + 1) % 700}`));
  for (let at = 0; at < 700; at++)
    cells.push(node(`n${at}`, at > 0 ? { parent: `n${at + 1 < 700 ? at + 1 : 0}` } : {}));
  const { batches } = importing(cells);
  const known = new Set();
  for (const batch of batches) {
    assert(batch.length <= 500);
    for (const { id } of batch) known.add(id);
    for (const { data } of batch) {
      for (const id of [data.parent, data.source?.cell, data.target?.cell]) assert(id === undefined || known.has(id));
    }
  }
  assert.equal(known.size, 1400);
});

test("an operation fits a frame", () => {
  const limits = { ...LIMITS, max_frame_bytes: 4000 };
  const { batches } = importing(
    Array.from({ length: 40 }, (_, at) => node(`n${at}`, { label: "€".repeat(100) })),
    [],
    limits,
  );
  assert(batches.length > 4);
  for (const batch of batches) assert(new TextEncoder().encode(JSON.stringify(batch)).length < 4000);
});

test("more than a diagram holds is refused", () => {
  assert.throws(
    () => importing([node("a"), node("b")], [node(A)], { ...LIMITS, max_cells_per_diagram: 2 }),
    /2 cells at most.* 3/,
  );
});

for (const [text, expected] of [
  ["no json", /not JSON/],
  ["7", /no cells/],
  ['{"name": "D"}', /no cells/],
  ["[]", /empty/],
  ['{"codraw": 2, "cells": [1]}', /newer version/],
  [file("x"), /Cell 1 is not an object/],
  [file(node(A), { shape: "process" }), /Cell 2 has no usable “id”/],
  [file({ ...node("a b") }), /no usable “id”/],
  [file(node("a", { shape: "<svg>" })), /Cell 1 \(a\): “shape”/],
  [file(node("a", { x: "1", width: null })), /“x”, “width” must be a number/],
  [file(node("a", { width: 10 })), /smaller than 40 × 30/],
  [file(node("a"), node("a")), /Cell 2 \(a\): another cell has the same “id”/],
  [file(node("a"), flow("f", "a", "b")), /Cell 2 \(f\): “target” names b, which is no node/],
  [file(node("a"), { id: "f", shape: "flow", source: { cell: "a" } }), /“target” names no cell/],
  [file(node("a", { parent: "b" })), /“parent” names no node/],
  [file(node("a", { parent: "b" }), node("b", { parent: "a" })), /within itself/],
  [file(node("a", { label: "x".repeat(1025) })), /“label”/],
  [file(node("a", { attrs: "x" })), /Cell 1 \(a\): “attrs” is no object/],
  [file(node("a", { zIndex: "x" })), /Cell 1 \(a\): “zIndex” is no number/],
  [file(node("a", { children: "x" })), /Cell 1 \(a\): “children” is no list/],
  [file(node("a"), flow("f", "a", "a", { vertices: [null] })), /Cell 2 \(f\): “vertices” is no list of points/],
  [file(node("a"), flow("f", "a", "a", { labels: ["x"] })), /Cell 2 \(f\): “labels” is no list of objects/],
  ['[{"id": "a", "data": {"__proto__": 1}}]', /“__proto__”/],
  ['[{"id": "a", "x": 1e999}]', /too large/],
  ['[{"id": "a", "label": "\\ud800"}]', /broken text/],
  [`[{"id": "a", "data": ${"[".repeat(40)}${"]".repeat(40)}}]`, /too deeply/],
]) {
  test(`an import says which cell is wrong, and how: ${expected.source}`, () => assert.match(problems(text), expected));
}

test("of many problems the first are named, and how many more there are", () => {
  assert.match(problems(file(...Array.from({ length: 50 }, () => 1))), /Cell 12 .*\nand 38 more$/);
});

for (const [title, name] of [
  ["Plan", "Plan.json"],
  ["Zahlung / Übersicht", "Zahlung Übersicht.json"],
  ["../../etc/passwd", "etc passwd.json"],
  ['a"b<c>|?*:\\', "a b c.json"],
  ["\u202egnp.exe\n", "gnp.exe.json"],
  [" . ", "diagram.json"],
  ["con", "diagram con.json"],
  ["x".repeat(200), `${"x".repeat(80)}.json`],
  [`${"x".repeat(79)}😀`, `${"x".repeat(79)}.json`],
]) {
  test(`a title is safe as the name of a file: ${JSON.stringify(title).slice(0, 30)}`, () =>
    assert.equal(fileName(title, "json"), name));
}

test("a picture is asked for again while the server is busy, and smaller where it is too large", async () => {
  const answers = [{ status: 503, retryAfterMs: 1 }, { reason: "limit_exceeded" }, new Response("png")];
  const asked = [];
  const rest = {
    async request(_method, path) {
      asked.push(path);
      const answer = answers.shift();
      if (answer instanceof Response) return answer;
      throw Object.assign(new Error("refused"), answer);
    },
  };
  const given = await picture(rest, { threatModelId: "t", diagramId: "d" }, "png", { pauseMs: 0 });
  assert.equal(await given.text(), "png");
  assert.deepEqual(
    asked.map((path) => path.split("format=")[1]),
    ["png&scale=2", "png&scale=2", "png"],
  );
});
