/** What goes over the wire, whether both ends hold the same diagram, and what one can do to both. */

import { h, toast } from "../shell/dom.js";
import { Composer } from "./composer.js";
import { Facts } from "./facts.js";
import { FrameList } from "./framelist.js";
import { Listeners } from "./listeners.js";
import { V1 } from "./templates.js";
import { Trouble } from "./trouble.js";

const DRAW_EVERY_MS = 500; // ages and rates change by themselves

export class Inspector {
  #diagram;
  #facts;
  #frames = new FrameList((text) => this.#edit(text));
  #composer;
  #sending;
  #trouble;
  #listeners;
  #ticking;

  /** @param weather of the diagram's connection; @param chosen tells what is selected */
  constructor({ diagram, weather, place, rest, chosen }) {
    this.#diagram = diagram;
    this.#facts = new Facts(diagram);
    this.#trouble = new Trouble(diagram, weather);
    this.#listeners = new Listeners({
      place,
      rest,
      frame: (frame) => this.#frames.add(frame),
      changed: () => this.#wiresChanged(),
    });
    this.#composer = new Composer({
      send: (wire, text) => (wire === V1 ? diagram.send(text) : this.#listeners.send(wire, text)),
      about: () => ({ replica: diagram.replica, selection: chosen(), others: this.#others() }),
    });
    this.#sending = section("Send by hand", "send-section", this.#composer.root);
    this.root = h(
      "aside",
      { class: "inspector", id: "inspector", "aria-label": "Inspector", hidden: true },
      this.#facts.root,
      section("Make trouble", "trouble-section", this.#trouble.root),
      this.#sending,
      section("Other dialects", "dialects-section", this.#dialects()),
      this.#frames.root,
    );
    diagram.on("welcome", () => this.isOpen && diagram.check());
  }

  get isOpen() {
    return !this.root.hidden;
  }

  /** A frame of the diagram's own connection. */
  note(frame) {
    const noted = { ...frame, wire: V1 };
    this.#facts.figures.note(this.#frames.add(noted), performance.now());
  }

  toggle() {
    this.root.hidden = this.isOpen;
    this.#facts.isSeen = this.isOpen;
    clearInterval(this.#ticking);
    if (this.isOpen) this.#shown();
    return this.isOpen;
  }

  stop() {
    clearInterval(this.#ticking);
    this.#frames.stop();
    this.#listeners.stop();
  }

  #shown() {
    this.#ticking = setInterval(() => this.#draw(), DRAW_EVERY_MS);
    this.#draw();
    this.#frames.draw();
    if (this.#diagram.isLive) this.#diagram.check();
  }

  #draw() {
    this.#facts.draw();
    this.#trouble.draw();
  }

  #edit(text) {
    this.#sending.open = true;
    this.#composer.show(text);
  }

  #others() {
    const me = this.#diagram.you?.id;
    return this.#diagram.roster.participants
      .map(({ user: { provider, provider_id } }) => ({ provider, provider_id }))
      .filter(({ provider, provider_id }) => `${provider}:${provider_id}` !== me);
  }

  #dialects() {
    return h(
      "div",
      h("p", { class: "hint" }, "A connection more, as clients of another dialect have it: its frames stand below."),
      h(
        "div",
        { class: "row" },
        this.#listeners.dialects.map((dialect) =>
          h(
            "button",
            {
              class: "small",
              type: "button",
              "data-dialect": dialect,
              "aria-pressed": "false",
              onclick: () => this.#listen(dialect),
            },
            `Listen as ${dialect}`,
          ),
        ),
      ),
    );
  }

  async #listen(dialect) {
    if (this.#listeners.wires.includes(dialect)) return this.#listeners.close(dialect);
    try {
      await this.#listeners.open(dialect);
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  #wiresChanged() {
    const { wires } = this.#listeners;
    for (const button of this.root.querySelectorAll("[data-dialect]"))
      button.setAttribute("aria-pressed", String(wires.includes(button.dataset.dialect)));
    this.#frames.wiresAre(wires);
    this.#composer.wiresAre(wires);
  }
}

function section(title, id, content) {
  return h("details", { class: "part", id, name: "inspector-part" }, h("summary", h("h2", title)), content);
}
