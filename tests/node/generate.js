// node generate.js DOCUMENT FOLDER: a TypeScript client of an OpenAPI document.

import { createClient } from "@hey-api/openapi-ts";

const [input, path] = process.argv.slice(2);
await createClient({
  input,
  // Node reads no module whose import leaves the extension out.
  output: { path, module: { extension: ".js" } },
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
  logs: { level: "error", file: false },
});
