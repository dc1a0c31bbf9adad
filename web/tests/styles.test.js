/** What one browser understands in the styles stands beside its like for the others. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const web = new URL("../", import.meta.url);
const styles = ["editor", "playground", "shell"].flatMap((folder) =>
  readdirSync(new URL(folder, web), { recursive: true })
    .filter((name) => name.endsWith(".css"))
    .map((name) => readFileSync(new URL(`${folder}/${name}`, web), "utf8")),
);

test("what cannot be selected as text is not selected in Safari either", () => {
  const declared = (name) => styles.flatMap((css) => css.match(new RegExp(`(?<=[{;\\s])${name}: \\w+`, "g")) ?? []);
  const plain = declared("user-select");
  assert.ok(plain.length > 0);
  assert.deepEqual(
    declared("-webkit-user-select"),
    plain.map((one) => `-webkit-${one}`),
  );
});

test("a swatch that is hidden is hidden in Firefox, too", () => {
  const hidden = (prefix) => styles.filter((css) => css.includes(`::-${prefix}-color-swatch {`));
  assert.ok(hidden("webkit").length > 0);
  assert.deepEqual(hidden("moz"), hidden("webkit"));
});
