/** Who is in the session: each person once, however many windows, with a colour; one view for all parts of a page. */

import { h } from "../dom.js";
import { Palette } from "./colours.js";

export const idOf = ({ provider, provider_id }) => `${provider}:${provider_id}`;

const crowds = new WeakMap(); // LiveDiagram -> Crowd

/** @returns {Crowd} the same for everybody who asks about this diagram */
export function crowdOf(diagram) {
  if (!crowds.has(diagram)) crowds.set(diagram, new Crowd(diagram));
  return crowds.get(diagram);
}

/**
 * `Person`: `{id, name, colour, user, isYou, isHost, isPresenter, isReader, windows, seen}`; `windows` are connection
 * ids, `seen` those of them that show where they look.
 */
class Crowd {
  #diagram;
  #palette = new Palette();
  #read = null; // the roster and the own id that the rest is made of
  #people = new Map(); // user id -> Person
  #owners = new Map(); // connection id -> Person

  constructor(diagram) {
    this.#diagram = diagram;
  }

  /** You first, then in order of arrival. */
  get people() {
    this.#look();
    return [...this.#people.values()].sort((a, b) => b.isYou - a.isYou);
  }

  get others() {
    return this.people.filter(({ isYou, windows }) => !isYou && windows.length > 0);
  }

  get you() {
    return this.person(this.#diagram.you?.id);
  }

  get presenter() {
    const { presenter } = this.#diagram.roster;
    return presenter && (this.person(idOf(presenter)) ?? this.#stranger(presenter));
  }

  person(userId) {
    this.#look();
    return this.#people.get(userId) ?? null;
  }

  /** Whose window that is; null: nobody's who is listed. */
  owner(connectionId) {
    this.#look();
    return this.#owners.get(connectionId) ?? null;
  }

  /** The colour of anybody, of programs that are not in the session too. */
  colour(userId) {
    return this.#palette.of(userId);
  }

  #stranger(user) {
    return { id: idOf(user), name: user.display_name, colour: this.colour(idOf(user)), user, windows: [], seen: [] };
  }

  #look() {
    const { roster, you } = this.#diagram;
    if (this.#read?.roster === roster && this.#read.me === you?.id) return;
    this.#read = { roster, me: you?.id };
    const present = roster.participants.map(({ user }) => idOf(user));
    this.#palette.seat(present);
    this.#people.clear();
    this.#owners.clear();
    for (const participant of roster.participants) {
      const person = this.#person(participant, roster, you?.id);
      this.#people.set(person.id, person);
      for (const connectionId of person.windows) this.#owners.set(connectionId, person);
    }
  }

  #person({ user, permissions, is_host, connections }, { presenter }, me) {
    const id = idOf(user);
    return {
      id,
      user,
      name: user.display_name,
      colour: this.#palette.of(id),
      isYou: id === me,
      isHost: is_host,
      isPresenter: presenter !== null && idOf(presenter) === id,
      isReader: permissions === "reader",
      windows: connections.map(({ connection_id }) => connection_id),
      seen: connections.filter(({ dialect }) => dialect === "codraw.v1").map(({ connection_id }) => connection_id),
    };
  }
}

/** Two letters on the person's colour; whoever shows it writes the name beside it. */
export function avatar({ name, colour }) {
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, initials(name));
  element.style.setProperty("--who", colour);
  return element;
}

/** Of the first two words; a letter may be an emoji. */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean).slice(0, 2);
  return words.map((word) => [...word][0]).join("").toUpperCase();
}

/** "Bob", "Bob and Carol", "Bob, Carol and 3 others". */
export function listed(names) {
  if (names.length <= 1) return names.join("");
  if (names.length === 2) return `${names[0]} and ${names[1]}`;
  if (names.length === 3) return `${names[0]}, ${names[1]} and ${names[2]}`;
  return `${names[0]}, ${names[1]} and ${names.length - 2} others`;
}
