/** Pointer and keys on the editor's drawing, without a browser: what they ask for, and that a gesture always ends. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Gestures } from "../editor/diagram/gestures.js";
import { Keyboard } from "../editor/diagram/keyboard.js";

const PAGE = ["addEventListener", "requestAnimationFrame", "cancelAnimationFrame", "document"];

let heard; // type -> listener, of the window, the document and the drawing
beforeEach(() => {
  heard = {};
  const addEventListener = (type, listener) => (heard[type] ??= listener);
  globalThis.addEventListener = addEventListener;
  globalThis.requestAnimationFrame = () => 1;
  globalThis.cancelAnimationFrame = () => {};
  globalThis.document = { addEventListener };
  mock.timers.enable({ apis: ["Date"] });
});
afterEach(() => {
  for (const name of PAGE) delete globalThis[name];
  mock.reset();
});

/** A drawing with boxes of 100 by 50 at (0, 0), and what it was asked for. */
function drawing(...ids) {
  const nodes = new Map(ids.map((id) => [id, nodeOf(id)]));
  const cells = new Map(ids.map((id) => [id, { id, shape: "process", x: 0, y: 0, width: 100, height: 50 }]));
  const calls = [];
  const stage = {
    root: {
      addEventListener: (type, listener) => (heard[type] ??= listener),
      classList: { add() {}, remove() {}, toggle() {} },
      focus() {},
    },
    graph: { getCellById: (id) => nodes.get(id), getNodes: () => [...nodes.values()], getEdges: () => [] },
    selection: [ids[0]],
    scale: 1,
    viewport: { x: 0, y: 0, width: 1000, height: 1000 },
    get selectedNodes() {
      return this.selection.filter((id) => nodes.has(id));
    },
    boxOf: (id) => nodes.get(id)?.getBBox() ?? null,
    toWorld: ({ clientX, clientY }) => ({ x: clientX, y: clientY }),
    idAt: ({ id }) => id,
    select: (chosen) => (stage.selection = chosen),
    begin: () => calls.push("begin"),
    end: () => calls.push("end"),
  };
  const remove = (id) => {
    nodes.get(id).model = null;
    nodes.delete(id);
    cells.delete(id);
    stage.selection = stage.selection.filter((one) => one !== id);
  };
  const replica = { get: (id) => cells.get(id), cells: () => cells.values() };
  return { stage, nodes, calls, remove, diagram: { canWrite: true, replica } };
}

function nodeOf(id) {
  const box = { x: 0, y: 0, width: 100, height: 50 };
  return {
    id,
    shape: "process",
    model: {},
    getBBox: () => ({ ...box }),
    getPosition: () => ({ x: box.x, y: box.y }),
    getParentId: () => undefined,
    getSize: () => ({ width: box.width, height: box.height }),
    setPosition: (x, y) => Object.assign(box, { x, y }),
    setProp: (_, size) => Object.assign(box, size),
  };
}

const marks = { draw() {}, guides() {}, frame() {}, line() {} };
const at = (clientX, clientY, { handle, ...more } = {}) => ({
  pointerId: 1,
  button: 0,
  clientX,
  clientY,
  target: { closest: () => null, dataset: { handle } },
  ...more,
});

function gesturing(world, given = marks) {
  new Gestures({ ...world, marks: given, editor: { tool: "select" } });
  return { down: heard.pointerdown, move: heard.pointermove, up: heard.pointerup };
}

test("a drag whose box somebody removed before it began ends all the same", () => {
  const world = drawing("a");
  const { down, move, up } = gesturing(world);
  down(at(10, 10, { id: "a" }));
  world.remove("a");
  move(at(30, 10));
  up(at(30, 10));
  assert.deepEqual(world.calls, ["begin", "end"]);
});

test("a drag that fails at its end ends all the same", () => {
  const world = drawing("a");
  const draw = () => {
    throw new TypeError("cannot be drawn");
  };
  const { down, move, up } = gesturing(world, { ...marks, draw });
  down(at(10, 10, { id: "a" }));
  move(at(30, 10));
  assert.throws(() => up(at(30, 10)), TypeError);
  assert.deepEqual(world.calls, ["begin", "end"]);
});

for (const [altKey, size] of [
  [false, { x: 0, y: 0, width: 112, height: 56 }],
  [true, { x: 0, y: 0, width: 113, height: 55 }],
]) {
  test(`a box is resized ${altKey ? "freely with Alt" : "by the grid"}`, () => {
    const world = drawing("a");
    const { down, move, up } = gesturing(world);
    down(at(100, 50, { handle: "se" }));
    move(at(113, 55, { altKey }));
    up(at(113, 55, { altKey }));
    assert.deepEqual(world.nodes.get("a").getBBox(), size);
  });
}

test("several that are pulled smaller end where the smallest of them is as small as it may be", () => {
  const world = drawing("a", "b");
  world.stage.selection = ["a", "b"];
  world.nodes.get("b").setPosition(100, 50);
  world.nodes.get("b").setProp("size", { width: 50, height: 60 });
  const { down, move, up } = gesturing(world);
  down(at(150, 110, { handle: "se" }));
  move(at(0, 0));
  up(at(0, 0));
  assert.deepEqual(world.nodes.get("a").getBBox(), { x: 0, y: 0, width: 80, height: 30 });
  assert.deepEqual(world.nodes.get("b").getBBox(), { x: 80, y: 30, width: 40, height: 36 });
});

test("Escape gives several that are being pulled back as they were", () => {
  const world = drawing("a", "b");
  world.stage.selection = ["a", "b"];
  world.nodes.get("b").setPosition(200.5, 50);
  const gestures = new Gestures({ ...world, marks, editor: { tool: "select" } });
  globalThis.requestAnimationFrame = (draw) => (draw(), 1);
  heard.pointerdown(at(300, 100, { handle: "nw" }));
  heard.pointermove(at(353, 155));
  assert.notDeepEqual(world.nodes.get("a").getBBox(), { x: 0, y: 0, width: 100, height: 50 });
  gestures.cancel();
  assert.deepEqual(world.nodes.get("a").getBBox(), { x: 0, y: 0, width: 100, height: 50 });
  assert.deepEqual(world.nodes.get("b").getBBox(), { x: 200.5, y: 50, width: 100, height: 50 });
  assert.deepEqual(world.calls, ["begin", "end"]);
});

test("a finger beside the drawing has no part in a drag and does not end it", () => {
  const world = drawing("a");
  const { down, move, up } = gesturing(world);
  down(at(10, 10, { id: "a" }));
  move(at(30, 10));
  move(at(900, 900, { pointerId: 2 }));
  up(at(900, 900, { pointerId: 2 }));
  heard.pointercancel(at(900, 900, { pointerId: 3 }));
  move(at(50, 10));
  up(at(50, 10));
  assert.deepEqual(world.nodes.get("a").getPosition(), { x: 40, y: 0 });
  assert.deepEqual(world.calls, ["begin", "end"]);
});

test("a drag ends where it was when nobody tells that the button was let go of", () => {
  const world = drawing("a");
  const { down, move } = gesturing(world);
  down(at(10, 10, { id: "a" }));
  move(at(50, 10));
  move(at(300, 10, { buttons: 0 }));
  move(at(400, 10, { buttons: 0 }));
  assert.deepEqual(world.nodes.get("a").getPosition(), { x: 40, y: 0 });
  assert.deepEqual(world.calls, ["begin", "end"]);
});

test("what is pressed next is a gesture of its own though nobody told of the release before", () => {
  const world = drawing("a", "b");
  const { down, up } = gesturing(world);
  down(at(10, 10, { id: "a" }));
  down(at(10, 10, { id: "b" }));
  up(at(10, 10, { id: "b" }));
  assert.deepEqual(world.stage.selection, ["b"]);
});

test("a third finger neither drags nor zooms", () => {
  const world = drawing("a");
  const views = [];
  Object.assign(world.stage, { pan: (...by) => views.push(by), zoom: (by) => views.push(by) });
  const { down, move, up } = gesturing(world);
  for (const [pointerId, x] of [[1, 200], [2, 400], [3, 10]]) down(at(x, 10, { pointerId, id: x === 10 && "a" }));
  up(at(200, 10, { pointerId: 1 }));
  move(at(10, 10, { pointerId: 3 }));
  assert.deepEqual(views, [[0, 0], 1]); // from where the two that are left were
  up(at(400, 10, { pointerId: 2 }));
  move(at(90, 10, { pointerId: 3 }));
  up(at(90, 10, { pointerId: 3 }));
  assert.deepEqual(world.nodes.get("a").getPosition(), { x: 0, y: 0 });
});

test("steps by arrows that follow each other are one undo for the same cells only", () => {
  const world = drawing("a", "b");
  const groups = [];
  const editor = { edit: (_, { groupId }) => groups.push(groupId) };
  new Keyboard({ ...world, editor });
  const press = (id) => {
    world.stage.selection = [id];
    heard.keydown({ key: "ArrowRight", target: world.stage.root, preventDefault() {} });
    mock.timers.tick(300);
  };
  for (const id of ["a", "a", "b", "b"]) press(id);
  mock.timers.tick(2000);
  press("b");
  const [first, second, third, fourth, last] = groups;
  assert.deepEqual([first, third], [second, fourth]);
  assert.equal(new Set([first, third, last]).size, 3);
});
