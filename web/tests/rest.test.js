/** REST calls against answers made by hand. */

import assert from "node:assert/strict";
import { afterEach, mock, test } from "node:test";

import { Rest, RestError } from "../sdk/rest.js";

afterEach(() => mock.reset());

const json = (body, more) =>
  new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" }, ...more });

/** A server that keeps `total` things and gives at most `most` of them at once. */
function listing(name, total, most) {
  const things = Array.from({ length: total }, (_, id) => ({ id }));
  mock.method(globalThis, "fetch", async (address) => {
    const query = new URL(address).searchParams;
    const [offset, limit] = ["offset", "limit"].map((key) => Number(query.get(key)));
    return json({ [name]: things.slice(offset, offset + Math.min(limit, most)), total });
  });
}

for (const [name, list] of [
  ["threat_models", (rest) => rest.threatModels()],
  ["diagrams", (rest) => rest.diagrams("1")],
]) {
  for (const total of [0, 5, 2_345]) {
    test(`${total} ${name} are listed whole, each once`, async () => {
      listing(name, total, 1_000);
      const ids = (await list(new Rest({ server: "http://x" }))).map(({ id }) => id);
      assert.deepEqual(ids, [...Array(total).keys()]);
    });
  }
}

test("a list that shrinks while it is read comes to an end", async () => {
  mock.method(globalThis, "fetch", async () => json({ diagrams: [], total: 7 }));
  assert.deepEqual(await new Rest({ server: "http://x" }).diagrams("1"), []);
});

test("any other call goes with the login, and is answered whole", async () => {
  const sent = [];
  mock.method(globalThis, "fetch", async (address, options) => {
    sent.push([address, options.method, options.headers, options.body]);
    return new Response("<svg/>", { headers: { ETag: '"7"', "Content-Type": "image/svg+xml" } });
  });
  const tokens = { access_token: "a", refresh_token: "r", expiresAt: Date.now() + 3_600_000 };
  const rest = new Rest({ server: "http://x", tokens });
  const answer = await rest.request("PUT", "/y", { body: { z: 1 }, headers: { Accept: "image/svg+xml" } });
  assert.deepEqual([await answer.text(), answer.headers.get("ETag")], ["<svg/>", '"7"']);
  const headers = { Accept: "image/svg+xml", "Content-Type": "application/json", Authorization: "Bearer a" };
  assert.deepEqual(sent, [["http://x/y", "PUT", headers, '{"z":1}']]);
});

for (const [answer, fails] of [
  [json({ access_token: "ana's next", refresh_token: "r", expires_in: 3_600 }), false],
  [json({ error: "invalid_grant" }, { status: 400 }), true],
]) {
  test(`who signs in as somebody else during a refresh that ${fails ? "fails" : "succeeds"} stays so`, async () => {
    let answered;
    const waiting = new Promise((resolve) => (answered = resolve));
    mock.method(globalThis, "fetch", async (address) =>
      address.endsWith("/refresh") ? waiting : json({ access_token: "bo's", refresh_token: "b", expires_in: 3_600 }),
    );
    const kept = [];
    const tokens = { access_token: "ana's", refresh_token: "a", expiresAt: Date.now() + 3_600_000 };
    const rest = new Rest({ server: "http://x", tokens, keep: (now) => kept.push(now?.access_token) });
    const refreshed = rest.refresh().catch(({ status }) => status);
    await rest.signInAs("bo");
    answered(answer);
    assert.equal(await refreshed, undefined);
    assert.deepEqual(kept, ["bo's"]);
  });
}

test("who forgets the login during a refresh has none afterwards", async () => {
  const answer = json({ access_token: "next", refresh_token: "r", expires_in: 3_600 });
  mock.method(globalThis, "fetch", async () => answer);
  const tokens = { access_token: "a", refresh_token: "r", expiresAt: Date.now() + 3_600_000 };
  const rest = new Rest({ server: "http://x", tokens });
  const refreshed = rest.refresh();
  rest.forget();
  await refreshed;
  assert.equal(rest.isSignedIn, false);
});

test("what a balancer says while it knows no server ends no login, and is asked again", async () => {
  const said = () => new Response("404 page not found", { status: 404, headers: { "Content-Type": "text/plain" } });
  mock.method(globalThis, "fetch", async () => said());
  const tokens = { access_token: "a", refresh_token: "r", expiresAt: 0 };
  const rest = new Rest({ server: "http://x", tokens });
  const { status, retryAfterMs } = await rest.ticket("1").catch((error) => error);
  assert.deepEqual([status, retryAfterMs, rest.isSignedIn], [404, 1_000, true]);
});

test("a refresh that the server refuses ends the login", async () => {
  mock.method(globalThis, "fetch", async () => json({ error: "invalid_grant" }, { status: 400 }));
  const rest = new Rest({ server: "http://x", tokens: { access_token: "a", refresh_token: "r", expiresAt: 0 } });
  const { status, reason } = await rest.ticket("1").catch((error) => error);
  assert.deepEqual([status, reason, rest.isSignedIn], [401, "login_ended", false]);
});

test("a refusal says how long to wait", async () => {
  const headers = { "Content-Type": "application/json", "Retry-After": "30" };
  mock.method(globalThis, "fetch", async () => json({ error: "unavailable", message: "m" }, { status: 503, headers }));
  const { name, ...refusal } = await new Rest({ server: "http://x" }).me().catch((error) => error);
  const body = { error: "unavailable", message: "m" };
  assert.deepEqual(refusal, { status: 503, reason: "unavailable", body, retryAfterMs: 30_000 });
  assert.equal(new RestError(404, {}).retryAfterMs, 0);
});

for (const [ended, answers] of [
  ["before it is joined", { POST: [409, 201], PUT: [404], GET: [200] }],
  ["before there is a ticket for it", { POST: [409, 201], PUT: [200], GET: [404, 200] }],
]) {
  test(`who finds a session that ends ${ended} is let into the next`, async () => {
    mock.method(globalThis, "fetch", async (address, { method }) => {
      const status = answers[method].shift();
      return json(status < 400 ? { session_id: "s", ticket: "t" } : { error: "not_found" }, { status });
    });
    const { ticket } = new Rest({ server: "http://x" }).live("m", "d");
    assert.equal(await ticket({ wants: "connect" }), "t");
    assert.deepEqual(answers, { POST: [], PUT: [], GET: [] });
  });
}

test("a diagram that is gone is looked for twice, and then no more", async () => {
  const fetched = mock.method(globalThis, "fetch", async () => json({ error: "not_found" }, { status: 404 }));
  const { ticket } = new Rest({ server: "http://x" }).live("m", "d");
  await assert.rejects(ticket({ wants: "connect" }), { status: 404 });
  assert.equal(fetched.mock.callCount(), 2);
});

test("whoever goes live is told of the session with every connection", async () => {
  const session = { session_id: "s", diagram_name: "Checkout" };
  mock.method(globalThis, "fetch", async (address) => json(/ticket/.test(address) ? { ticket: "t" } : session));
  const told = [];
  const { ticket } = new Rest({ server: "http://x" }).live("1", "2", { told: ({ diagram_name }) => told.push(diagram_name) });
  assert.equal(await ticket({ wants: "connect" }), "t");
  await ticket({ wants: "connect" });
  assert.deepEqual(told, ["Checkout", "Checkout"]);
});
