/**
 * Scenes at a real server: `node scenes.js <address> <scene>`. Prints what came of it as one line of JSON.
 */

import { bind } from "../../sdk/binding.js";
import { connect, uuid } from "../../sdk/codraw.js";
import { localQueue } from "../../sdk/offline.js";
import { Rest } from "../../sdk/rest.js";
import { canonicalJson } from "../../sdk/statehash.js";
import { Items } from "./items.js";
import { adapterOf, Library } from "./library.js";

const [address, scene] = process.argv.slice(2);
const PATIENCE_MS = 20_000;

async function signedIn(name) {
  const rest = new Rest({ server: address });
  await rest.signInAs(name);
  return rest;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until it holds; fails loudly where it never does. */
async function until(holds, what) {
  for (const deadline = Date.now() + PATIENCE_MS; !holds(); await pause(10)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
  }
}

async function open(rest, place, more) {
  const diagram = connect({ ...rest.live(...place), ...more });
  await until(() => diagram.isLive, "live");
  return diagram;
}

async function meeting() {
  const ana = await signedIn("ana");
  const model = await ana.createThreatModel("scene", { everyone: "writer" });
  const drawing = await ana.createDiagram(model.id, "diagram");
  const place = [model.id, drawing.id];
  return { place, host: await open(ana, place), guestAt: async (name) => open(await signedIn(name), place) };
}

const box = (more) => ({ shape: "process", x: 0, y: 0, width: 100, height: 60, ...more });
const add = (id, more) => [{ id, operation: "add", data: box(more) }];

const SCENES = {
  /** The copy is wrong where no operation was; one heartbeat later it is right. */
  async damage() {
    const { host } = await meeting();
    const [id, extra] = [uuid(), uuid()];
    await host.edit(add(id)).saved;
    const { epoch, vector: update_vector, stateHash } = host.replica;
    let beats = 0;
    host.on("heartbeat", () => beats++);
    const cells = [
      { id: extra, ...box() },
      { id, ...box({ x: 99 }) },
    ];
    host.replica.repair({ epoch, update_vector, cells, removed: [] });
    const wasDamaged = host.replica.stateHash !== stateHash;
    host.check();
    await until(() => host.replica.stateHash === stateHash, "healed");
    return { wasDamaged, beats, x: host.replica.get(id).x, extra: host.replica.get(extra) ?? null };
  },

  /** Edits made offline, and a page that is gone and opened again. */
  async reload() {
    const { place, host } = await meeting();
    const items = new Items();
    const bo = await signedIn("bo");
    const id = uuid();
    const before = await open(bo, place, { storage: localQueue("bo", () => items) });
    await before.edit(add(id)).saved;
    before.cut();
    before.edit([{ id, operation: "update", data: { x: 5 } }]);
    before.edit([{ id, operation: "update", data: { "attrs/body/fill": "red" } }]);
    before.close({ patienceMs: 0 });
    const kept = items.length;
    const after = await open(bo, place, { storage: localQueue("bo", () => items) });
    await until(() => after.status.pending === 0 && host.replica.vector >= 3, "saved");
    await pause(100);
    return { kept, left: items.length, vector: host.replica.vector, cell: host.replica.get(id), id };
  },

  /** An operation that reached the server, whose page died before the answer: sent again it is a duplicate. */
  async doubled() {
    const { place, host } = await meeting();
    const bo = await signedIn("bo");
    const id = uuid();
    let saved = [];
    const storage = { load: () => [], save: (operations) => (saved = operations.length > 0 ? operations : saved) };
    const before = await open(bo, place, { storage });
    await before.edit(add(id)).saved;
    before.cut();
    before.close({ patienceMs: 0 });
    const receipts = [];
    const after = connect({ ...bo.live(...place), storage: { load: () => saved, save() {} } });
    after.on("accepted", ({ duplicate, update_vector }) => receipts.push([duplicate, update_vector]));
    await until(() => after.isLive && after.status.pending === 0, "answered");
    return { receipts, vector: host.replica.vector, cells: [...after.replica.cells()].length };
  },

  /** Two diagram libraries that tell everything they hear, one of them late, under random changes and cuts. */
  async libraries() {
    const { host, guestAt } = await meeting();
    const guest = await guestAt("bo");
    let changes = 0;
    const people = [host, guest].map((diagram, at) => {
      const library = new Library({ isLate: at === 1 });
      const binding = bind(diagram, adapterOf(library));
      library.onChange((id) => binding.changed(id));
      return { diagram, library };
    });
    for (let round = 0; round < 60; round++) {
      const { diagram, library } = people[round % 2];
      const id = [...library.cells.keys()][round % 5];
      if (round < 8 || !id) library.put(uuid(), box({ x: round * 1.3 }));
      else if (round % 3 === 0) library.paint(id, `#0000${10 + round}`);
      else library.move(id, 1_000 + round);
      changes++;
      if (round % 20 === 19) diagram.cut();
      await pause(5);
    }
    await until(() => people.every(({ diagram }) => diagram.isLive && diagram.status.pending === 0), "all saved");
    await until(() => host.replica.vector === guest.replica.vector, "both there");
    await pause(50);
    const looks = people.map(({ library }) => canonicalJson([...library.cells].sort(([a], [b]) => (a < b ? -1 : 1))));
    const hashes = people.map(({ diagram }) => diagram.replica.stateHash);
    return { changes, vector: host.replica.vector, isSame: looks[0] === looks[1], isEqual: hashes[0] === hashes[1] };
  },

  /** A drag in a library that reports late, partly without a connection; one undo takes all of it back. */
  async drag() {
    const { host, guestAt } = await meeting();
    const guest = await guestAt("bo");
    const library = new Library({ isLate: true });
    const binding = bind(host, adapterOf(library), { sendEveryMs: 20 });
    library.onChange((id) => binding.changed(id));
    const id = uuid();
    await host.edit(add(id)).saved;
    binding.begin();
    for (let x = 1; x <= 60; x++) {
      library.move(id, x);
      if (x === 30) host.cut();
      await pause(5);
    }
    library.move(id, 777);
    binding.end();
    await until(() => guest.replica.get(id).x === 777 && host.isLive && host.status.pending === 0, "dragged");
    const steps = host.replica.vector - 1;
    await host.undo().saved;
    await until(() => guest.replica.vector === steps + 2, "undone");
    const places = [guest.replica.get(id).x, library.cells.get(id).position.x];
    await pause(50);
    return { hasSteps: steps > 1 && steps < 30, places, echoes: host.replica.vector - steps - 2 };
  },

  /** The presenter's place is asked for, given, left; a guest is removed. */
  async people() {
    const { host, guestAt } = await meeting();
    const guest = await guestAt("bo");
    const asked = new Promise((resolve) => host.on("presenter", ({ user }) => user && resolve(user)));
    const answers = [await guest.presenter("request")];
    const user = await asked;
    answers.push(await guest.presenter("grant", user), await host.presenter("grant", user));
    await until(() => guest.roster.presenter?.provider_id === user.provider_id, "presents");
    answers.push(await guest.presenter("release"), await host.removeParticipant(user));
    await until(() => guest.status.state === "refused", "removed");
    answers.push(await host.removeParticipant(user));
    return { answers: answers.map(({ accepted, reason }) => reason ?? accepted), reason: guest.status.reason };
  },
};

console.log(JSON.stringify(await SCENES[scene]()));
process.exit(0);
