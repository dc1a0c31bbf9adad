/** A colour for everybody: each carries white text and stands out from the light and the dark page. */

/** Relative luminance (WCAG 2.2) near 0.155: 5:1 under white text, 3:1 and more on either ground. */
export const COLOURS = [
  "#1d6dc9",
  "#ce2c54",
  "#257e34",
  "#a73ebb",
  "#b84d0f",
  "#0c7792",
  "#5860d5",
  "#5d7515",
  "#c03095",
  "#916808",
  "#0a7b68",
  "#8551cd",
];

/** What a person has wherever nobody else wants it. */
function preferred(userId) {
  let sum = 0;
  for (const letter of userId) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum % COLOURS.length;
}

/** Keeps what it has given; those who are there together differ while there are colours. */
export class Palette {
  #given = new Map(); // user id -> place in COLOURS

  /** @param {string[]} userIds who is there now: the same people get the same colours in every window */
  seat(userIds) {
    const taken = new Set(userIds.map((id) => this.#given.get(id)));
    for (const id of [...userIds].sort()) {
      if (this.#given.has(id)) continue;
      const place = free(preferred(id), taken);
      this.#given.set(id, place);
      taken.add(place);
    }
  }

  of(userId) {
    return COLOURS[this.#given.get(userId) ?? preferred(userId)];
  }
}

function free(wanted, taken) {
  for (let step = 0; step < COLOURS.length; step++) {
    const place = (wanted + step) % COLOURS.length;
    if (!taken.has(place)) return place;
  }
  return wanted;
}
