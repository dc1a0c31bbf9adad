/** Who else is there: the roster in the header, cursors and selections in the drawing. */

import { h, s } from "./dom.js";

const COLOURS = ["#d6336c", "#7048e8", "#1c7ed6", "#0c8599", "#2b8a3e", "#d9480f", "#9c36b5", "#5c940d"];

const idOf = ({ provider, provider_id }) => `${provider}:${provider_id}`;

/** The same colour for a person in every window. */
function colourFor(userId) {
  let sum = 0;
  for (const letter of userId) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return COLOURS[sum % COLOURS.length];
}

function avatar({ display_name, ...user }) {
  const initials = display_name
    .split(/\s+/)
    .map((word) => [...word][0])
    .join("")
    .slice(0, 2)
    .toUpperCase();
  const element = h("span", { class: "avatar", "aria-hidden": "true" }, initials);
  element.style.setProperty("--who", colourFor(idOf(user)));
  return element;
}

export class People {
  #diagram;
  #canvas;
  #faces = h("span", { class: "faces" });
  #count = h("span", { class: "hidden" });
  #list = h("ul", { class: "people" });
  #cursors = new Map(); // connection_id -> element

  constructor(diagram, canvas) {
    this.#diagram = diagram;
    this.#canvas = canvas;
    this.root = h(
      "details",
      { class: "roster" },
      h("summary", { title: "Who is here" }, this.#faces, this.#count),
      this.#list,
    );
  }

  close() {
    this.root.open = false;
  }

  drawRoster() {
    const { participants } = this.#diagram.roster;
    this.#faces.replaceChildren(...participants.slice(0, 5).map(({ user }) => avatar(user)));
    if (participants.length > 5) this.#faces.append(h("span", { class: "avatar more" }, `+${participants.length - 5}`));
    this.#count.textContent = `${participants.length} people here`;
    this.#list.replaceChildren(...participants.map((participant) => this.#line(participant)));
  }

  #line({ user, permissions, is_host, is_presenter, connections }) {
    const notes = [
      idOf(user) === this.#diagram.you?.id && "you",
      is_host && (this.#diagram.roster.host_state === "away" ? "host, away" : "host"),
      is_presenter && "presents",
      permissions === "reader" && "looks on",
      connections.length === 0 && "on the way",
      connections.length > 1 && `${connections.length} windows`,
    ];
    return h("li", avatar(user), h("span", user.display_name), h("small", notes.filter(Boolean).join(" · ")));
  }

  /** Cursors and selections as they are now. */
  drawAwareness() {
    const others = this.#others();
    this.#canvas.showOthers(
      others
        .filter(({ selection }) => selection?.length > 0)
        .map(({ selection, name, colour }) => ({ ids: selection, name, colour })),
    );
    const here = new Set(others.filter(({ cursor }) => cursor).map(({ id }) => id));
    for (const [id, element] of this.#cursors) {
      if (here.has(id)) continue;
      element.remove();
      this.#cursors.delete(id);
    }
    for (const other of others) if (other.cursor) this.#drawCursor(other);
  }

  #others() {
    const known = new Map();
    for (const { user, connections } of this.#diagram.roster.participants) {
      for (const { connection_id } of connections) known.set(connection_id, user);
    }
    return [...this.#diagram.peers]
      .filter(([id]) => known.has(id))
      .map(([id, shown]) => {
        const user = known.get(id);
        return { ...shown, id, name: user.display_name, colour: colourFor(idOf(user)) };
      });
  }

  #drawCursor({ id, cursor, name, colour }) {
    let element = this.#cursors.get(id);
    if (!element) {
      element = s(
        "g",
        { class: "cursor", "data-name": name },
        s("path", { d: "M0 0l5 14 3.2-5.6L14 6z" }),
        s("rect", { x: 12, y: 12, height: 20, rx: 6 }),
        s("text", { x: 19, y: 26 }, name),
      );
      element.style.setProperty("--who", colour);
      this.#canvas.cursors.append(element);
      element.querySelector("rect").setAttribute("width", element.querySelector("text").getComputedTextLength() + 14);
      this.#cursors.set(id, element);
    }
    const { x, y } = this.#canvas.toScreen(cursor);
    element.setAttribute("transform", `translate(${x} ${y})`);
  }
}
