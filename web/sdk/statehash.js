/** The state hash (VEC14): the sum of the hashes of all cells. Twin of `protocol/statehash.py`. */

const utf8 = new TextEncoder();

/** RFC 8785 of a JSON value: no spaces, keys in UTF-16 order. A key that holds `undefined` is left out. */
export function canonicalJson(value) {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys.sort().map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(",")}}`;
}

/** `h(cell)`: the first 16 bytes of the SHA-256 of its canonical bytes, as a BigInt. */
export function cellHash(cell) {
  const [a, b, c, d] = sha256(utf8.encode(canonicalJson(cell)));
  return (((((BigInt(a) << 32n) | BigInt(b)) << 32n) | BigInt(c)) << 32n) | BigInt(d);
}

/** The wire form of a hash or of a sum of hashes: modulo 2^128, 32 lower-case hex digits. */
export function hex32(hash) {
  return BigInt.asUintN(128, hash).toString(16).padStart(32, "0");
}

/** SHA-256 (FIPS 180-4) as eight 32-bit words. WebCrypto's is asynchronous, and absent on plain http pages. */
export function sha256(bytes) {
  const blocks = padded(bytes);
  const state = Uint32Array.from(INITIAL);
  const words = new Uint32Array(64);
  for (let at = 0; at < blocks.byteLength; at += 64) {
    for (let i = 0; i < 16; i++) words[i] = blocks.getUint32(at + 4 * i);
    compress(state, words);
  }
  return state;
}

function padded(bytes) {
  const message = new Uint8Array(((bytes.length + 72) >> 6) << 6);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  view.setUint32(message.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(message.length - 4, bytes.length << 3);
  return view;
}

const rotate = (word, by) => (word >>> by) | (word << (32 - by));

function compress(state, words) {
  for (let i = 16; i < 64; i++) {
    const low = words[i - 15];
    const high = words[i - 2];
    const s0 = rotate(low, 7) ^ rotate(low, 18) ^ (low >>> 3);
    const s1 = rotate(high, 17) ^ rotate(high, 19) ^ (high >>> 10);
    words[i] = words[i - 16] + s0 + words[i - 7] + s1;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND[i] + words[i]) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] += word;
}

/** The first 32 bits of the fractional parts of a root of the first primes, as FIPS 180-4 defines its constants. */
function fractions(count, root) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime)) primes.push(n);
  return Uint32Array.from(primes, (prime) => Math.floor((root(prime) % 1) * 2 ** 32));
}

const INITIAL = fractions(8, Math.sqrt);
const ROUND = fractions(64, Math.cbrt);
