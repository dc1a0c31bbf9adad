/** The first pages: words, what there is, examples; the parts that need no browser. */

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { Rest, RestError } from "../sdk/rest.js";
import { inTurn, Library, nameIn, roleOf } from "../shell/start/library.js";
import { afresh } from "../shell/start/templates.js";
import { ago, atWork, PageError, problemOf } from "../shell/start/words.js";

afterEach(() => mock.reset());

const ME = { provider: "corp", provider_id: "7", email: "ana@example.org", groups: ["architects"] };

// -- words ------------------------------------------------------------------------------------------------------------

for (const [ms, said] of [
  [-5_000, "just now"],
  [59_000, "just now"],
  [60_000, "1 minute ago"],
  [59 * 60_000, "59 minutes ago"],
  [3_600_000, "1 hour ago"],
  [26 * 3_600_000, "yesterday"],
  [6 * 86_400_000, "6 days ago"],
  [8 * 86_400_000, "January 7, 2026"],
]) {
  test(`${ms} ms ago is ${said}`, () => {
    const now = Date.parse("2026-01-15T12:00:00Z");
    assert.equal(ago(new Date(now - ms).toISOString(), now), said);
  });
}

test("it is said who is at work", () => {
  assert.equal(atWork([]), "Open, and nobody is in it now");
  assert.equal(atWork(["Ana"]), "Ana is drawing");
  assert.equal(atWork(["You"]), "You are in it, in another window");
  assert.equal(atWork(["You", "Ana"]), "You and Ana are drawing");
  assert.equal(atWork(["Ana", "Bob", "Cleo"]), "Ana and 2 others are drawing");
});

test("why something failed is said without the words of programs", () => {
  assert.match(problemOf(new RestError(429, { message: "rate_limited" }, 12_000)), /wait 12 seconds/);
  assert.match(problemOf(new RestError(503, { message: "store" })), /at the moment/);
  assert.match(problemOf(new TypeError("Failed to fetch")), /cannot be reached/);
  assert.equal(problemOf(new PageError("The drawing library did not load.")), "The drawing library did not load.");
  assert.equal(problemOf(new RestError(422, { message: "The name is too long." })), "The name is too long.");
});

test("a name is made of an e-mail address", () => {
  assert.equal(nameIn("ana.lopez@example.org"), "Ana Lopez");
  assert.equal(nameIn("bob+x@example.org"), "Bob X");
  assert.equal(nameIn("@"), "@");
});

// -- rights -----------------------------------------------------------------------------------------------------------

const user = (role, more) => ({ principal_type: "user", provider: "corp", provider_id: "7", role, ...more });
const group = (role, subject) => ({ principal_type: "group", provider: "*", subject, role });

for (const [what, entries, role] of [
  ["nobody", [], null],
  ["another person", [user("owner", { provider_id: "8" })], null],
  ["the same number of another provider", [user("owner", { provider: "other" })], null],
  ["the person", [user("writer")], "writer"],
  ["the address, before the person has signed in", [user("reader", { provider: "*", provider_id: "x", email: "Ana@example.org" })], "reader"],
  ["everyone", [group("reader", "everyone")], "reader"],
  ["a group", [group("writer", "architects")], "writer"],
  ["a group of others", [group("writer", "managers")], null],
  ["the most of all", [group("reader", "everyone"), user("owner"), group("writer", "architects")], "owner"],
]) {
  test(`an entry for ${what} gives ${role}`, () => assert.equal(roleOf(entries, ME), role));
}

// -- what there is ----------------------------------------------------------------------------------------------------

const at = (minute) => `2026-01-15T10:${String(minute).padStart(2, "0")}:00Z`;
const json = (body, status = 200) => new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

/** A server with these threat models: id -> diagrams; counts what it is asked for. */
function serving(models) {
  const asked = [];
  mock.method(globalThis, "fetch", async (address) => {
    const { pathname, searchParams } = new URL(address);
    asked.push(pathname);
    const [, collection, id, part] = pathname.split("/");
    if (collection === "me") return json([]);
    if (part === "authorization") return json({ items: [group("reader", "everyone")] });
    if (part === "diagrams") return models[id] ? json({ diagrams: models[id], total: models[id].length }) : json({ message: "m" }, 404);
    const all = Object.entries(models).map(([key, diagrams]) => model(key, diagrams));
    if (id) return models[id] ? json(model(id, models[id])) : json({ message: "m" }, 404);
    const named = all.filter(({ name }) => name.includes(searchParams.get("name") ?? ""));
    const [offset, limit] = ["offset", "limit"].map((key) => Number(searchParams.get(key) ?? 0));
    return json({ threat_models: named.slice(offset, offset + limit), total: named.length });
  });
  return asked;
}

const model = (id, diagrams) => ({ id, name: `model ${id}`, owner: id === "mine" ? ME.email : "bob@example.org", modified_at: at(0), diagram_count: diagrams.length });
const diagram = (id, minute) => ({ id, name: id, modified_at: at(minute), update_vector: 1 });
const library = () => new Library(new Rest({ server: "http://x" }), ME);

test("a threat model has changed when one of its diagrams has", async () => {
  serving({ a: [diagram("d", 1)], b: [diagram("e", 2), diagram("f", 9)], c: [] });
  const found = library();
  await found.more();
  assert.deepEqual(found.models.map(({ id, changedAt, diagrams }) => [id, changedAt, diagrams.map((one) => one.id)]), [
    ["b", at(9), ["f", "e"]],
    ["a", at(1), ["d"]],
    ["c", at(0), []],
  ]);
});

test("one's own are known without asking for their entries, and empty ones without asking for diagrams", async () => {
  const asked = serving({ mine: [], theirs: [diagram("d", 1)] });
  const found = library();
  await found.more();
  assert.deepEqual(found.models.map(({ id, role }) => [id, role]), [["theirs", "reader"], ["mine", "owner"]]);
  assert.deepEqual(asked.slice(1).sort(), ["/threat_models/theirs/authorization", "/threat_models/theirs/diagrams"]);
});

test("a long list is read page by page, and anew as far as it was read", async () => {
  const models = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`m${index}`, []]));
  serving(models);
  const found = library();
  await found.more();
  assert.deepEqual([found.models.length, found.hasMore], [24, true]);
  await found.more();
  delete models.m3;
  await found.again();
  assert.deepEqual([found.models.length, found.hasMore], [48, true]);
  assert.ok(!found.models.some(({ id }) => id === "m3"));
  await found.more();
  assert.deepEqual([found.models.length, found.hasMore], [59, false]);
});

test("a search finds what stands further down", async () => {
  serving(Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`m${index}`, []])));
  const found = library();
  await found.more();
  await found.find("m59");
  assert.ok(found.models.some(({ id }) => id === "m59"));
});

test("a search reads on while it is wanted, up to as many as it may, and ends with the first request that fails", async () => {
  const asked = serving(Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`m${index}`, []])));
  const found = library();
  await found.more();
  await found.search("m89", { most: 60, goesOn: () => true });
  assert.equal(found.models.length, 73); // 24 a page, and the one that was looked for
  await found.search("x", { most: 90, goesOn: () => false });
  assert.equal(found.models.length, 73);
  asked.length = 0;
  mock.method(globalThis, "fetch", async (address) => (asked.push(address), json({ message: "m" }, 403)));
  await assert.rejects(found.search("x", { most: 90, goesOn: () => true }), RestError);
  assert.equal(asked.length, 1);
});

test("what was deleted meanwhile is not there, and no error", async () => {
  const models = { a: [diagram("d", 1)], b: [diagram("e", 1)] };
  serving(models);
  const found = library();
  await found.more();
  delete models.a;
  await found.refresh("a");
  assert.deepEqual(found.models.map(({ id }) => id), ["b"]);
});

test("what is deleted between two requests for it is not there either", async () => {
  const models = { a: [diagram("d", 1)], b: [diagram("e", 1)] };
  serving(models);
  const found = library();
  await found.more();
  const answer = globalThis.fetch;
  mock.method(globalThis, "fetch", async (address) => {
    const told = await answer(address);
    delete models.a;
    return told;
  });
  await found.refresh("a");
  assert.deepEqual(found.models.map(({ id }) => id), ["b"]);
});

for (const [form, participants] of [
  ["the wiki's", [{ user_id: "bob@example.org" }, { user_id: "ana@example.org" }, { user_id: "bob@example.org" }]],
  ["the other", [{ user: { provider: "corp", provider_id: "8", display_name: "Bob" } }, { user: { provider: "corp", provider_id: "7", display_name: "Ana" } }]],
]) {
  test(`who is in a session is read from ${form} form, oneself first`, async () => {
    mock.method(globalThis, "fetch", async () => json([{ session_id: "s", participants }]));
    assert.deepEqual((await library().sessions())[0].people, ["You", "Bob"]);
  });
}

test("of many requests few are under way at once, and all get their answer", async () => {
  let [now, most] = [0, 0];
  const doubled = await inTurn([...Array(30).keys()], async (number) => {
    most = Math.max(most, (now += 1));
    await new Promise(setImmediate);
    now -= 1;
    return number * 2;
  });
  assert.deepEqual(doubled, [...Array(30).keys()].map((number) => number * 2));
  assert.equal(most, 6);
});

// -- examples ---------------------------------------------------------------------------------------------------------

test("an example is drawn with ids of its own, tied together as before", () => {
  const cells = [
    { id: "b", shape: "security-boundary" },
    { id: "p", shape: "process", parent: "b" },
    { id: "f", shape: "flow", source: { cell: "p", port: "left" }, target: { cell: "b" } },
  ];
  const [boundary, process, flow] = afresh(cells);
  assert.match(boundary.id, /^[0-9a-f-]{36}$/);
  assert.notEqual(boundary.id, afresh(cells)[0].id);
  assert.equal(process.parent, boundary.id);
  assert.deepEqual([flow.source, flow.target], [{ port: "left", cell: process.id }, { cell: boundary.id }]);
  assert.ok(!("parent" in boundary));
});
