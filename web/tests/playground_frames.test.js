/** The inspector's frames and figures, and messages written by hand. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { verdictOn } from "../playground/composer.js";
import { Figures, Meter, Receipts, spoken } from "../playground/figures.js";
import { asLines, FrameLog, isWanted, MOST_FRAMES, pretty, QUIET, typeOf, vectorOf } from "../playground/frames.js";
import { TEMPLATES, templateText } from "../playground/templates.js";
import { Replica } from "../sdk/codraw.js";

const frame = (text, more) => ({ wire: "codraw.v1", direction: "in", text, at: 0, ...more });
const heartbeat = '{"message_type":"heartbeat","update_vector":7}';
const cursor = '{"message_type":"awareness","updates":[{"connection_id":"a"},{"connection_id":"b"}]}';

test("a frame is named by its type without being parsed, whatever the dialect", () => {
  const texts = [heartbeat, '{ "event" : "join", "user_id": "a" }', "{", '{"operation":{}, "message_type": "undo"}'];
  assert.deepEqual(texts.map(typeOf), ["heartbeat", "event: join", "no type", "undo"]);
  assert.deepEqual([vectorOf(heartbeat), vectorOf("{}")], ["7", undefined]);
});

test("of all frames the newest are kept", () => {
  const log = new FrameLog();
  for (let at = 0; at < MOST_FRAMES + 5; at++) log.add(frame(heartbeat, { at }));
  assert.deepEqual([log.frames.length, log.frames[0].at, log.frames.at(-1).number], [MOST_FRAMES, 5, MOST_FRAMES + 5]);
});

test("of frames of a megabyte fewer are kept, the newest always", () => {
  const log = new FrameLog();
  for (let at = 0; at < 40; at++) log.add(frame("x".repeat(2 ** 20), { at }));
  assert.deepEqual([log.frames.length, log.frames.at(-1).at], [32, 39]);
  log.add(frame("x".repeat(2 ** 26), { at: 40 }));
  assert.deepEqual(log.frames.map(({ at }) => at), [40]);
});

test("frames are chosen by direction, type, connection and by what stands in them", () => {
  const log = new FrameLog();
  const [beat, moved, undo] = [
    log.add(frame(heartbeat)),
    log.add(frame(cursor)),
    log.add(frame('{"message_type":"undo","operation_id":"AbC"}', { direction: "out", wire: "tmi" })),
  ];
  const chosen = (wanted) => [beat, moved, undo].filter((one) => isWanted(one, wanted));
  assert.deepEqual(chosen({ type: QUIET }), [beat, undo]);
  assert.deepEqual(chosen({ direction: "out" }), [undo]);
  assert.deepEqual(chosen({ type: "heartbeat" }), [beat]);
  assert.deepEqual(chosen({ wire: "codraw.v1" }), [beat, moved]);
  assert.deepEqual(chosen({ query: "aBc" }), [undo]);
});

test("what is exported is one JSON a line, with what was no JSON as text", () => {
  const log = new FrameLog();
  log.add(frame(heartbeat));
  log.add(frame("{", { direction: "out", note: "again" }));
  const lines = asLines(log.frames).trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, [
    { at: "1970-01-01T00:00:00.000Z", wire: "codraw.v1", direction: "in", frame: JSON.parse(heartbeat) },
    { at: "1970-01-01T00:00:00.000Z", wire: "codraw.v1", direction: "out", note: "again", frame: "{" },
  ]);
  assert.deepEqual([pretty("[1]"), pretty("{")], ["[\n  1\n]", "{"]);
});

test("a meter tells how many per second of the last two", () => {
  const meter = new Meter();
  assert.equal(meter.rate(0), 0);
  meter.add(10);
  assert.equal(meter.rate(1000), 10);
  for (const now of [2000, 3000, 4000, 5000]) meter.rate(now);
  assert.equal(meter.rate(6000), 0);
});

test("receipts are measured from the first sending, and not over a lost connection", () => {
  const receipts = new Receipts();
  assert.equal(receipts.quantile(0.5), null);
  for (let n = 1; n <= 100; n++) {
    receipts.sent(`${n}`, 0);
    receipts.sent(`${n}`, 5); // sent again
    receipts.answered(`${n}`, n);
  }
  assert.deepEqual([receipts.quantile(0.5), receipts.quantile(0.99), receipts.count], [51, 100, 100]);
  receipts.sent("x", 0);
  receipts.lost();
  receipts.answered("x", 9000);
  assert.equal(receipts.count, 100);
});

test("a slow reader's ladder is what this connection was told", () => {
  const figures = new Figures();
  const log = new FrameLog();
  const note = (text, more) => figures.note(log.add(frame(text, more)), 0);
  note('{"message_type":"state","reason":"joined","cells":[]}');
  note('{"message_type":"state","cells":[],"reason":"overflow"}');
  note('{"code":4408,"reason":"slow"}', { direction: "wire", note: "closed" });
  note('{"code":1006,"reason":""}', { direction: "wire", note: "closed" });
  assert.deepEqual(figures.slow, { states: 1, closes: 1 });
  note(cursor);
  assert.deepEqual([figures.into.cursors.total, figures.into.cursorFrames.total], [2, 1]);
});

test("an age is told in the unit that fits", () => {
  assert.deepEqual([3, 4200, 300_000].map(spoken), ["3 ms", "4.2 s", "5 min"]);
});

test("there is a template for everything that a client of codraw.v1 may send", () => {
  const about = { replica: new Replica(), selection: [], others: [] };
  const types = Object.keys(TEMPLATES["codraw.v1"]).map((name) => typeOf(templateText("codraw.v1", name, about)));
  const all = ["operation", "undo", "redo", "resume", "awareness", "presenter", "remove_participant", "refresh_token"];
  for (const type of [...all, "heartbeat"]) assert.ok(types.includes(type), type);
});

test("what is written by hand is judged, and may be sent all the same", () => {
  const texts = ["{", "[]", "{}", heartbeat];
  assert.deepEqual(texts.map((text) => verdictOn(text).isGood), [false, false, false, true]);
});
