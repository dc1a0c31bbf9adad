/**
 * Three editors at a real server: `node editors.js <address> <operations>`. They edit at random and cut their wires; a
 * line `half` on standard output says when to do something evil to the server. At the end one line of JSON tells what
 * each of them holds, and how many changes were reported as saved.
 */

import { connect, uuid } from "../../sdk/codraw.js";
import { Rest } from "../../sdk/rest.js";

const [address, operations] = [process.argv[2], Number(process.argv[3])];
const PATIENCE_MS = 60_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const below = (n) => Math.floor(Math.random() * n);
const one = (list) => list[below(list.length)];
const ids = Array.from({ length: 10 }, uuid);

async function signedIn(name) {
  const rest = new Rest({ server: address });
  await rest.signInAs(name);
  return rest;
}

function open(rest, place) {
  const editor = connect(rest.live(...place));
  editor.on("mismatch", () => mismatches++);
  return editor;
}

function randomChanges(editor) {
  const nodes = [...editor.replica.cells()].filter(({ shape }) => shape !== "flow").map(({ id }) => id);
  const id = one(ids);
  switch (below(9)) {
    case 0:
    case 1:
    case 2:
      return [
        {
          id,
          operation: "add",
          data: {
            shape: "process",
            x: below(50),
            y: 2.5,
            width: 100,
            height: 60,
            label: one(["A", "é😀"]),
            attrs: { body: { fill: "red" } },
            parent: one([null, one(nodes) ?? null]),
          },
        },
      ];
    case 3:
      return [{ id, operation: "remove" }];
    case 4:
      return [
        {
          id: uuid(),
          operation: "add",
          data: { shape: "flow", source: one(nodes) ?? id, target: { cell: one(nodes) ?? id, port: "top" } },
        },
      ];
    case 5:
      return [
        { id, operation: "update", data: { "attrs/body/fill": one(["blue", "red", null]) } },
        { id: one(ids), operation: "update", data: { y: below(5) } },
      ];
    default:
      return [{ id, operation: "update", data: { position: { x: below(100) }, label: one(["A", "B", null]) } }];
  }
}

function act(editor) {
  switch (below(20)) {
    case 0:
      return editor.undo();
    case 1:
      return editor.redo();
    default:
      return editor.edit(randomChanges(editor), { groupId: one([undefined, "g"]) });
  }
}

/** Nothing pending, and nobody ahead of the others. */
async function settled(editors) {
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await pause(200)) {
    const calm = editors.every((editor) => editor.isLive && editor.status.pending === 0);
    if (calm && new Set(editors.map((editor) => editor.replica.vector)).size === 1) return;
  }
}

let mismatches = 0;
const people = await Promise.all(["ana", "bo", "cy"].map(signedIn));
const model = await people[0].createThreatModel("editors", { everyone: "writer" });
const diagram = await people[0].createDiagram(model.id, "diagram");
await people[0].collaborate(model.id, diagram.id);
const editors = people.map((rest) => open(rest, [model.id, diagram.id]));

// One that grew offline is asked for several times and happens once.
const asked = new Map();
for (let count = 0; count < operations; count++) {
  if (count === operations / 2) console.log("half");
  const editor = one(editors);
  const { id, saved } = act(editor);
  asked.set(id, saved);
  if (below(40) === 0) editor.cut();
  await pause(below(12));
}
await settled(editors);
const outcomes = await Promise.race([Promise.all(asked.values()), pause(5000).then(() => [])]);
console.log(
  JSON.stringify({
    path: `/threat_models/${model.id}/diagrams/${diagram.id}`,
    editors: editors.map(({ replica, status }) => ({
      ...status,
      vector: replica.vector,
      hash: replica.stateHash,
      order: Array.from(replica.cells(), ({ id }) => id),
    })),
    saved: outcomes.filter(({ accepted, changed }) => accepted && changed).length,
    mismatches,
  }),
);
process.exit(0);
