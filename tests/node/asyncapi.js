/* Prints what AsyncAPI's own parser has to say about each of the named documents, as JSON lines. */

import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(path, "utf8"));
  const said = diagnostics.map(({ code, message, path: place, severity }) => ({ code, message, severity, place: place.join("/") }));
  console.log(JSON.stringify({ understood: document !== undefined, said }));
}
