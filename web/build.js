/** What `make web` does after `npm ci`: lays the one library of the editor, and the licences of what is in it, into vendor/. */

import { copyFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";

const HERE = new URL("./", import.meta.url);
const PACKAGES = ["@antv/x6", "dom-align", "lodash-es", "mousetrap", "utility-types"];

async function licence(name) {
  const folder = new URL(`node_modules/${name}/`, HERE);
  const { version } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"));
  const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one));
  return `${name} ${version}\n\n${(await readFile(new URL(file, folder), "utf8")).trim()}\n`;
}

const vendor = new URL("vendor/", HERE);
await mkdir(vendor, { recursive: true });
await writeFile(new URL("x6.LICENSE.txt", vendor), (await Promise.all(PACKAGES.map(licence))).join(`\n${"-".repeat(78)}\n\n`));
// Last and at once: it being there is what says that the editor is built.
const draft = new URL("x6.min.js.new", vendor);
await copyFile(new URL("node_modules/@antv/x6/dist/x6.min.js", HERE), draft);
await rename(draft, new URL("x6.min.js", vendor));
