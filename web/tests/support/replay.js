/**
 * Replays a history made elsewhere, from standard input: `[{asked, effect, hash}]`, each `effect` what `asked` came to.
 * Prints where the client's reading differs: `[[index, "asked" or "effect", hash]…]`.
 */

import { text } from "node:stream/consumers";

import { applyEffect, canonicalChanges, Overlay } from "../../sdk/cells.js";
import { cellHash, hex32 } from "../../sdk/statehash.js";

const hashOf = (cells) => hex32(Array.from(cells.values(), cellHash).reduce((sum, hash) => sum + hash, 0n));

const cells = new Map();
const differences = [];
for (const [index, { asked, effect, hash }] of JSON.parse(await text(process.stdin)).entries()) {
  const guess = new Map(cells);
  const overlay = new Overlay(guess);
  overlay.lay(canonicalChanges(asked));
  overlay.settle();
  applyEffect(cells, { cells: effect });
  const results = { asked: guess, effect: cells };
  for (const [name, result] of Object.entries(results)) {
    const isSame = hashOf(result) === hash && [...result.keys()].join() === [...cells.keys()].join();
    if (!isSame) differences.push([index, name, hashOf(result)]);
  }
}
console.log(JSON.stringify(differences));
