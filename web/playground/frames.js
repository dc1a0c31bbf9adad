/** What went over the wires of this page: the newest frames, and which of them one wants to see. Pure. */

export const MOST_FRAMES = 2_000;
/** Full states of a large diagram are megabytes each. */
const MOST_CHARACTERS = 32 * 2 ** 20;

const TYPE = /"message_type"\s*:\s*"([^"]{1,64})"/;
const EVENT = /"event"\s*:\s*"([^"]{1,64})"/; // presence frames of the classic dialect have nothing else
const VECTOR = /"(?:update|base)_vector"\s*:\s*(\d+)/;

/** Without parsing: a thousand frames a second are looked at, a state of a large diagram is among them. */
export function typeOf(text) {
  const type = TYPE.exec(text)?.[1];
  if (type) return type;
  const event = EVENT.exec(text)?.[1];
  return event ? `event: ${event}` : "no type";
}

export const vectorOf = (text) => VECTOR.exec(text)?.[1];

const utf8 = new TextEncoder();
export const bytesOf = (text) => utf8.encode(text).length;

/**
 * The newest frames, oldest first. A frame: `{number, wire, direction: "in" | "out" | "wire", type, text, at, note}`;
 * `wire` as a direction: the connection was opened or closed.
 */
export class FrameLog {
  frames = [];
  #characters = 0;
  #number = 0;

  add({ wire, direction, text, at, note = "" }) {
    const type = direction === "wire" ? note : typeOf(text);
    const frame = { number: ++this.#number, wire, direction, type, text, at, note };
    this.frames.push(frame);
    this.#characters += text.length;
    while (this.frames.length > MOST_FRAMES || (this.#characters > MOST_CHARACTERS && this.frames.length > 1))
      this.#characters -= this.frames.shift().text.length;
    return frame;
  }

  clear() {
    this.frames = [];
    this.#characters = 0;
  }
}

/** Types that hide all others when somebody works beside. */
const NOISE = new Set(["awareness", "presenter_cursor", "presenter_selection"]);
export const ALL = "all";
export const QUIET = "quiet";

/** @param wanted `{wire, direction, type, query}`; `type` may be ALL or QUIET (no cursors), `query` is looked for as text */
export function isWanted(frame, { wire = ALL, direction = ALL, type = ALL, query = "" }) {
  return (
    (wire === ALL || frame.wire === wire) &&
    (direction === ALL || frame.direction === direction) &&
    (type === ALL || (type === QUIET ? !NOISE.has(frame.type) : frame.type === type)) &&
    (query === "" || frame.type.includes(query) || frame.text.toLowerCase().includes(query.toLowerCase()))
  );
}

/** One frame a line, as it was: for a program, or for a report of what went wrong. */
export function asLines(frames) {
  const lines = frames.map(({ at, wire, direction, note, text }) => {
    const about = { at: new Date(at).toISOString(), wire, direction, ...(note && { note }) };
    return JSON.stringify({ ...about, frame: parsed(text) ?? text });
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** Undefined: it is no JSON. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function pretty(text) {
  const value = parsed(text);
  return value === undefined ? text : JSON.stringify(value, null, 2);
}
