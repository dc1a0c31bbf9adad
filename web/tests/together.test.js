/** What is laid around a canvas: colours, movement, frames, sentences; the parts that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { COLOURS, Palette } from "../shell/together/colours.js";
import { described } from "../shell/together/connection.js";
import { crowdOf, initials, listed } from "../shell/together/crowd.js";
import { Glide } from "../shell/together/glide.js";
import { wantedMarks } from "../shell/together/marks.js";
import { Arrivals, Refusals } from "../shell/together/notices.js";

// -- colours ----------------------------------------------------------------------------------------------------------

function luminance(colour) {
  const [r, g, b] = colour
    .match(/\w\w/g)
    .map((part) => parseInt(part, 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

for (const colour of COLOURS) {
  test(`${colour} carries a white name and stands out from the light and the dark page (WCAG AA)`, () => {
    assert.ok(contrast(colour, "#ffffff") >= 4.5);
    for (const ground of ["#f4f6f9", "#ffffff", "#12161b", "#1a2027"]) assert.ok(contrast(colour, ground) >= 3);
  });
}

const names = (count) => Array.from({ length: count }, (_, at) => `test:user${at}`);

test("those who are there together differ while there are colours", () => {
  const palette = new Palette();
  palette.seat(names(COLOURS.length));
  assert.equal(new Set(names(COLOURS.length).map((id) => palette.of(id))).size, COLOURS.length);
});

test("the same people have the same colours in every window, in whatever order they are listed", () => {
  const [one, other] = [new Palette(), new Palette()];
  one.seat(names(8));
  other.seat(names(8).reverse());
  for (const id of names(8)) assert.equal(one.of(id), other.of(id));
});

test("nobody's colour changes because another comes or goes", () => {
  const palette = new Palette();
  palette.seat(names(4));
  const before = names(4).map((id) => palette.of(id));
  palette.seat(names(12));
  palette.seat(names(2));
  assert.deepEqual(
    names(4).map((id) => palette.of(id)),
    before,
  );
});

test("with more people than colours everybody has one, and a program that is not listed has its own", () => {
  const palette = new Palette();
  palette.seat(names(50));
  for (const id of [...names(50), "test:bot"]) assert.ok(COLOURS.includes(palette.of(id)));
});

// -- people -----------------------------------------------------------------------------------------------------------

const user = (id) => ({ provider: "test", provider_id: id, email: `${id}@x`, display_name: id });

const participant = (id, windows, more) => ({
  user: user(id),
  role: "writer",
  permissions: "writer",
  is_host: false,
  is_presenter: false,
  connections: windows.map((connection_id) => ({ connection_id, dialect: "codraw.v1", joined_at: "" })),
  ...more,
});

const meeting = (participants, more) => ({
  roster: { participants, host: null, host_state: "here", presenter: null },
  you: { id: "test:bob", connection_id: "b1" },
  peers: new Map(),
  ...more,
});

test("two windows of one person are one person with two windows", () => {
  const crowd = crowdOf(meeting([participant("ana", ["a1", "a2"]), participant("bob", ["b1"])]));
  assert.deepEqual(
    crowd.people.map(({ id, windows }) => [id, windows]),
    [
      ["test:bob", ["b1"]],
      ["test:ana", ["a1", "a2"]],
    ],
  );
  assert.equal(crowd.owner("a1"), crowd.owner("a2"));
});

test("who presents is read from the session, not from who was listed first", () => {
  const diagram = meeting([participant("ana", ["a1"]), participant("bob", ["b1"])]);
  const crowd = crowdOf(diagram);
  assert.equal(crowd.presenter, null);
  diagram.roster = { ...diagram.roster, presenter: user("ana") };
  assert.equal(crowd.presenter.name, "ana");
  assert.equal(crowd.person("test:ana").isPresenter, true);
});

test("everybody who asks about a diagram gets the same crowd", () => {
  const diagram = meeting([]);
  assert.equal(crowdOf(diagram), crowdOf(diagram));
});

for (const [count, sentence] of [
  [1, "a"],
  [2, "a and b"],
  [3, "a, b and c"],
  [5, "a, b and 3 others"],
]) {
  test(`${count} names are listed as "${sentence}"`, () => {
    assert.equal(listed([..."abcde"].slice(0, count)), sentence);
  });
}

// -- frames around cells ----------------------------------------------------------------------------------------------

const crowded = () => {
  const diagram = meeting([participant("ana", ["a1", "a2"]), participant("bob", ["b1"]), participant("eve", ["e1"])]);
  return [diagram, crowdOf(diagram)];
};

test("what others have selected is framed, ours is not, and only the first frame of a person bears the name", () => {
  const [diagram, crowd] = crowded();
  diagram.peers.set("a1", { selection: ["x", "y"] }).set("b1", { selection: ["z"] });
  assert.deepEqual(
    wantedMarks(diagram, crowd, new Map()).map(({ ids, name, isEditing }) => [ids, name, isEditing]),
    [
      [["x"], "ana", false],
      [["y"], "", false],
    ],
  );
});

test("names at one cell stand above each other", () => {
  const [diagram, crowd] = crowded();
  diagram.peers.set("a1", { selection: ["x"] }).set("e1", { selection: ["x"] });
  assert.deepEqual(
    wantedMarks(diagram, crowd, new Map()).map(({ name, row }) => [name, row]),
    [
      ["ana", 0],
      ["eve", 1],
    ],
  );
});

test("who changes what he has selected is seen to edit it, in one frame", () => {
  const [diagram, crowd] = crowded();
  diagram.peers.set("a1", { selection: ["x"] });
  const edits = new Map([["test:ana", { name: "ana", ids: ["x"] }]]);
  assert.deepEqual(
    wantedMarks(diagram, crowd, edits).map(({ ids, isEditing }) => [ids, isEditing]),
    [[["x"], true]],
  );
});

test("a program that selects nothing is seen at what it changes", () => {
  const [diagram, crowd] = crowded();
  const [mark] = wantedMarks(diagram, crowd, new Map([["test:bot", { name: "Bot", ids: ["x"] }]]));
  assert.deepEqual([mark.name, mark.isEditing], ["Bot", true]);
});

test("a selection of hundreds is one frame", () => {
  const [diagram, crowd] = crowded();
  diagram.peers.set("a1", { selection: Array.from({ length: 300 }, (_, at) => `c${at}`) });
  assert.equal(wantedMarks(diagram, crowd, new Map()).length, 1);
});

// -- movement ---------------------------------------------------------------------------------------------------------

test("the first place is taken at once, the next is glided to and reached", () => {
  const glide = new Glide(50);
  glide.aim([0, 0]);
  assert.deepEqual(glide.values, [0, 0]);
  glide.aim([100, 0]);
  glide.step(16);
  assert.ok(glide.values[0] > 10 && glide.values[0] < 50);
  for (let frame = 0; frame < 40; frame++) glide.step(16);
  assert.deepEqual([glide.values, glide.isThere], [[100, 0], true]);
});

test("with less motion there are arrivals only", () => {
  const glide = new Glide(0);
  glide.aim([0, 0]);
  glide.aim([100, 7]);
  glide.step(16);
  assert.deepEqual(glide.values, [100, 7]);
});

// -- arrivals ---------------------------------------------------------------------------------------------------------

const ref = (name) => ({ id: name, name });

function said(...notes) {
  const sentences = [];
  const arrivals = new Arrivals((sentence) => sentences.push(sentence));
  for (const [joined, left] of notes) arrivals.note(joined.map(ref), left.map(ref));
  arrivals.tell();
  return sentences;
}

test("a crowd comes in one sentence", () => {
  assert.deepEqual(said([["Ana"], []], [["Bob", "Eve", "Kim"], []]), ["Ana, Bob and 2 others joined."]);
});

test("whoever reloads a page has neither left nor joined", () => {
  assert.deepEqual(said([[], ["Ana"]], [["Ana"], ["Bob"]]), ["Bob left."]);
  assert.deepEqual(said([["Ana"], []], [[], ["Ana"]]), []);
});

test("after a restart of the server those who come back with us have not joined", () => {
  const sentences = [];
  const arrivals = new Arrivals((sentence) => sentences.push(sentence));
  arrivals.lost([ref("Ana"), ref("Bob")]);
  arrivals.note([ref("Ana"), ref("Eve")], []);
  arrivals.tell();
  arrivals.note([], [ref("Bob")]);
  arrivals.tell();
  arrivals.note([ref("Bob")], []);
  arrivals.tell();
  assert.deepEqual(sentences, ["Eve joined.", "Bob left.", "Bob joined."]);
});

test("what is refused a hundred times is said once, with how often", () => {
  const sentences = [];
  const refusals = new Refusals((...said) => sentences.push(said));
  for (let at = 0; at < 100; at++) refusals.note({ reason: "permission_denied", message: "You may only read." });
  refusals.note({ reason: "nothing_to_undo", message: "" });
  refusals.note({ reason: "nothing_to_redo", message: "nothing to redo" });
  refusals.tell();
  assert.deepEqual(sentences, [
    ["Not accepted: You may only read (100 times).", "bad"],
    ["Nothing to undo.", "note"],
    ["Nothing to redo.", "note"],
  ]);
});

// -- the connection ---------------------------------------------------------------------------------------------------

for (const [status, hasBeenLive, state, text] of [
  [{ state: "live", pending: 0 }, true, "live", "Live · all saved"],
  [{ state: "live", pending: 3 }, true, "saving", "Saving 3"],
  [{ state: "connecting", pending: 0 }, false, "connecting", "Connecting"],
  [{ state: "connecting", pending: 2 }, false, "connecting", "Connecting · 2 changes not saved"],
  [{ state: "connecting", pending: 1 }, true, "reconnecting", "Reconnecting · 1 change not saved"],
  [{ state: "offline", pending: 2, retryAt: 3100 }, true, "offline", "Offline · 2 changes not saved"],
  [{ state: "offline", pending: 0, retryAt: 3100, reason: "nobody_there" }, false, "offline", "Nobody has it open"],
  [{ state: "refused", pending: 1, reason: "host_left" }, true, "refused", "Not connected · 1 change not saved"],
]) {
  test(`the state of the connection reads "${text}"`, () => {
    const words = described(status, hasBeenLive, 1000);
    assert.deepEqual([words.state, words.text], [state, text]);
  });
}

test("offline counts down to the next attempt and says why, and that what is not saved waits", () => {
  const words = described({ state: "offline", pending: 1, retryAt: 3100, reason: "restart" }, true, 1000);
  assert.equal(words.countdown, "again in 3 s");
  assert.match(words.detail, /^The server restarts\. They wait here/);
});

test("a receipt that does not come is worth a word after some seconds", () => {
  const countdown = (now) => described({ state: "live", pending: 1 }, true, now, 1000).countdown;
  assert.deepEqual([countdown(1000), countdown(4900), countdown(7200)], ["", "", "no answer for 6 s"]);
});

test("whoever was removed is not offered to come back", () => {
  assert.equal(described({ state: "refused", pending: 0, reason: "removed" }, true, 0).action, null);
  assert.equal(described({ state: "refused", pending: 0, reason: "host_left" }, true, 0).action, "Open again");
});

test("whoever's login has ended is asked to sign in again", () => {
  assert.equal(described({ state: "refused", pending: 0, reason: "login_ended" }, true, 0).action, "Sign in again");
});

test("the end of a session is told apart from being turned away", () => {
  const isEnd = (reason) => described({ state: "refused", pending: 0, reason }, true, 0).isEnd;
  assert.deepEqual(["host_ended", "idle", "removed", "login_ended"].map(isEnd), [true, true, false, false]);
});

test("initials are whole characters", () => {
  assert.deepEqual(["ana", "Ana Lopez Ruiz", "😀 Bob", "Ana 😀"].map(initials), ["A", "AL", "😀B", "A😀"]);
});
