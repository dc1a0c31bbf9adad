/** The state hash: the vectors that Python keeps too, and SHA-256 against the platform's own. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { canonicalJson, cellHash, hex32, sha256 } from "../sdk/statehash.js";

const sum = (hashes) => hashes.reduce((total, hash) => total + hash, 0n);
const vectors = JSON.parse(readFileSync(new URL("../../tests/data/statehash.json", import.meta.url), "utf8"));

test("VEC14 every cell has the hash that the server gives it", () => {
  for (const { cell, hash } of vectors.cells) assert.equal(hex32(cellHash(cell)), hash, cell.id);
});

test("VEC14 the hash of a diagram is the sum of its cells'", () => {
  const hashes = vectors.cells.map(({ cell }) => cellHash(cell));
  assert.equal(hex32(sum(hashes)), vectors.sum);
});

test("VEC14 without cells the hash is 0", () => {
  assert.equal(hex32(0n), "0".repeat(32));
});

test("VEC14 a sum is written modulo 2^128", () => {
  assert.equal(hex32(-1n), "f".repeat(32));
  assert.equal(hex32(2n ** 128n + 5n), "5".padStart(32, "0"));
});

test("canonical JSON sorts keys by UTF-16 unit and leaves undefined out", () => {
  assert.equal(canonicalJson({ "\ue000": 1, "😀": [{ b: -0, a: null }], c: undefined }), '{"😀":[{"a":null,"b":0}],"\ue000":1}');
});

test("SHA-256 agrees with the platform for every length up to three blocks", () => {
  for (let length = 0; length <= 192; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
    const words = Array.from(sha256(bytes), (word) => word.toString(16).padStart(8, "0"));
    assert.equal(words.join(""), createHash("sha256").update(bytes).digest("hex"), `${length} bytes`);
  }
});
