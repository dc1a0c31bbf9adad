// A program against the client that a generator makes of openapi.yml: from a threat model to a shared diagram and back.

import {
  beginSession, createDiagram, createThreatModel, deleteThreatModel, issueTicket, listDiagramChanges, listDiagrams,
  patchThreatModel, readDiagram, readMe, readThreatModel, replaceCells, submitOperation,
} from "./client/index.js";
import { client } from "./client/client.gen.js";

declare const process: { argv: string[] };

const [baseUrl, token] = process.argv.slice(2) as [string, string];
client.setConfig({ baseUrl, auth: (how) => (how.type === "http" ? token : undefined) });

const throwOnError = true;
const seen: Record<string, unknown> = {};

const { data: me } = await readMe({ throwOnError });
seen["name"] = me.display_name;

const { data: model } = await createThreatModel({
  body: { name: "Generated", metadata: { phase: "design" } }, throwOnError,
});
const path = { threat_model_id: model.id };
const { data: patched } = await patchThreatModel({ path, body: { description: "Patched" }, throwOnError });
seen["description"] = patched.description;

const { data: diagram } = await createDiagram({ path, body: { name: "Drawn" }, throwOnError });
const at = { ...path, diagram_id: diagram.id };
const node = { shape: "process", x: 100, y: 200, width: 120, height: 80 };
const { data: receipt } = await submitOperation({
  path: at,
  body: {
    operation_id: crypto.randomUUID(),
    operation: { type: "patch", cells: [{ id: crypto.randomUUID(), operation: "add", data: node }] },
  },
  throwOnError,
});
seen["vector"] = receipt.update_vector;

const { data: session } = await beginSession({ path: at, throwOnError });
const { data: { ticket } } = await issueTicket({ query: { session_id: session.session_id }, throwOnError });
seen["ticket"] = ticket.length > 20 && session.websocket_url.startsWith("ws:");

const stale = await replaceCells({ path: at, body: { cells: [] }, headers: { "If-Match": '"0"' } });
seen["stale"] = stale.error?.error;
const { data: live } = await readDiagram({ path: at, throwOnError });
seen["cells"] = live.cells.length;
const { data: listed } = await listDiagrams({ path, query: { limit: 5 }, throwOnError });
seen["listed"] = listed.diagrams.map((one) => one.name);
const { data: changes } = await listDiagramChanges({ path: at, query: { action: "created" }, throwOnError });
seen["changes"] = changes.items.map((one) => one.object_type);

await deleteThreatModel({ path, throwOnError });
const gone = await readThreatModel({ path });
seen["gone"] = gone.error?.error;

console.log(JSON.stringify(seen));
