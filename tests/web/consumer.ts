/* Somebody's program in TypeScript: it is not run, it must be understood. */

import { bind, difference, type Editor } from "../../web/sdk/binding.js";
import { connect, isEdge, Replica } from "../../web/sdk/codraw.js";
import type { Cell, Kept, LiveDiagram, Outcome } from "../../web/sdk/codraw.js";
import { localQueue } from "../../web/sdk/offline.js";
import { Rest, RestError } from "../../web/sdk/rest.js";

const rest = new Rest({ server: "https://codraw.example", keep: (tokens) => console.log(tokens?.expiresAt) });
const storage = localQueue("codraw/alice/1", () => localStorage);
const diagram: LiveDiagram = connect({ ...rest.live("1", "2"), storage, WebSocket });

const stop: () => void = diagram.on("change", ({ ids, event }) => console.log(ids.size, event?.update_vector));
diagram.on("held", ({ reason, operations }) => console.log(reason === "too_old", operations[0]?.cells));
diagram.on("presenter", ({ action, user }) => {
  if (action === "requested" && user) void diagram.presenter("grant", user);
});
// @ts-expect-error there is no such event
diagram.on("changes", () => {});
// @ts-expect-error who is denied has a name
void diagram.presenter("deny");
// @ts-expect-error an operation is one of three
diagram.edit([{ id: "a", operation: "move" }]);

async function read(): Promise<number> {
  for await (const event of diagram.events("accepted", "status")) {
    if (event.type === "accepted") return event.detail.update_vector;
    if (event.detail.state === "offline") console.log(event.detail.retryAt?.toFixed());
  }
  const outcome: Outcome = await diagram.edit([{ id: "a", operation: "remove" }], { strict: true, groupId: "g" }).saved;
  if (!outcome.accepted) throw new Error(outcome.reason);
  const answer = await diagram.removeParticipant({ provider: "test", provider_id: "bob" });
  return answer.accepted ? outcome.vector : NaN;
}

const cells = new Map<string, Cell>();
const editor: Editor = {
  draw: (cell) => cells.set(cell.id, cell),
  erase: (id) => cells.delete(id),
  read: (id) => cells.get(id),
  failed: ({ message }) => console.log(message),
};
const binding = bind(diagram, editor, { sendEveryMs: 100 });
binding.begin();
binding.changed("a");
binding.end();

interface Box {
  shape: string;
  x: number;
}
const box: Box = { shape: "process", x: 1 };
bind(diagram, { draw() {}, erase() {}, read: () => box }).stop();
void diagram.edit([{ id: "a", operation: "update", data: box }]).saved;
// @ts-expect-error a cell is an object
bind(diagram, { ...editor, read: () => "a" });

diagram.aware({ cursor: { x: 1, y: 2 }, selection: null });
const where: string | undefined = diagram.peers.get("c1")?.selection?.[0];
const kept: Kept[] | Promise<Kept[]> = storage.load();
const copy = new Replica();
console.log(stop, read, where, kept, copy.stateHash, difference({}, {}), isEdge({ id: "e", shape: "flow" }));
rest.diagram("1", "2").catch((error: unknown) => error instanceof RestError && error.status);
