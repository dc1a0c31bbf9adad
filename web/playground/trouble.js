/** What one can do to the connection: the panel over `Weather`. */

import { h, toast } from "../shell/dom.js";
import { isEdge, Replica } from "../sdk/codraw.js";
import { canHoldBack } from "./weather.js";

const MOVED = 40;
const WORDS = {
  spoil: "Moves a box in this copy alone: the next comparison of hashes finds it, and a repair heals it",
  unread:
    "Nothing is taken from the connection, so that the server's queue for it fills: cursors go first, " +
    "then events give way to a full state, then it cuts",
  late: "Frames wait in the page; this browser cannot hold the server back",
  stale: "Operations say that they were made upon vector 0; without strict that rejects nothing",
  strict: "Operations are refused where somebody else has changed the cell since",
};

export class Trouble {
  #diagram;
  #weather;
  #forget = () => {}; // that it shall be deaf once it is live
  #waiting = h("p", { class: "verdict", id: "waiting" });
  #delay = h("input", {
    type: "number",
    id: "delay",
    min: 0,
    max: 60_000,
    step: 50,
    value: 0,
    onchange: ({ target }) => this.#weather.setLatency(Math.max(0, Number(target.value) || 0)),
  });

  constructor(diagram, weather) {
    this.#diagram = diagram;
    this.#weather = weather;
    this.root = h(
      "div",
      { class: "trouble" },
      h(
        "div",
        { class: "row" },
        this.#toggle("Offline", "offline", (isOn) => this.#offline(isOn), "Cut, and kept cut until released"),
        this.#button("Spoil my copy", "spoil", () => this.#spoil(), WORDS.spoil),
      ),
      h(
        "div",
        { class: "row" },
        h("label", { class: "inline" }, h("span", "Late by"), this.#delay, h("span", "ms")),
        this.#toggle(
          "Read nothing",
          "deaf",
          (isOn) => this.#deaf(isOn),
          canHoldBack ? WORDS.unread : WORDS.late,
        ),
      ),
      h(
        "div",
        { class: "row" },
        this.#flag("Send twice", "double", "isDoubling", "Every frame; nothing may happen twice"),
        this.#toggle("Hold what is sent", "hold", (isOn) => this.#hold(isOn), "Until released"),
        this.#button("Release", "release", () => this.#release(), "In order"),
        this.#button("Release last first", "reversed", () => this.#release({ isReversed: true }), "Out of order"),
      ),
      h(
        "div",
        { class: "row" },
        this.#flag("Old base_vector", "stale", "isStale", WORDS.stale),
        this.#flag("Strict", "strict", "isStrict", WORDS.strict),
      ),
      this.#waiting,
    );
  }

  draw() {
    const { into, out } = this.#weather.waiting;
    const waits = [
      this.#weather.isDeaf && "nothing is read",
      into > 0 && `${into} received wait`,
      out > 0 && `${out} wait to be sent`,
    ];
    const text = waits.filter(Boolean).join(", ");
    if (this.#waiting.textContent !== text) this.#waiting.textContent = text;
  }

  #offline(isOn) {
    this.#weather.setOffline(isOn);
    if (!isOn) this.#diagram.open();
  }

  /** Only a stream can be left unread, so the connection becomes one first. */
  #deaf(isOn) {
    const weather = this.#weather;
    this.#forget();
    if (!isOn || !canHoldBack || weather.wantsStream || !this.#diagram.isLive) return weather.setDeaf(isOn);
    weather.wantsStream = true;
    this.#diagram.cut();
    this.#forget = this.#diagram.on("status", ({ state }) => {
      if (state !== "live") return;
      this.#forget();
      weather.setDeaf(true);
    });
    this.#diagram.open();
  }

  #hold(isOn) {
    this.#weather.isHolding = isOn;
    if (!isOn) this.#release();
  }

  #release(how) {
    this.#weather.release(how);
    this.draw();
  }

  #spoil() {
    const repair = falseRepair(this.#diagram.replica);
    if (!this.#diagram.isLive || !repair) return toast("There is nothing to spoil.");
    this.#weather.forge(repair);
  }

  #flag(text, id, name, title) {
    return this.#toggle(text, id, (isOn) => (this.#weather[name] = isOn), title);
  }

  #toggle(text, id, changed, title) {
    const button = this.#button(
      text,
      id,
      () => {
        const isOn = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(isOn));
        changed(isOn);
        this.draw();
      },
      title,
    );
    button.setAttribute("aria-pressed", "false");
    return button;
  }

  #button(text, id, action, title) {
    return h("button", { class: "small", type: "button", id, title, onclick: action }, text);
  }
}

/** A repair that makes the copy wrong and fits its own hash, so that nothing is noticed until the server is asked. */
export function falseRepair(replica) {
  const { epoch, vector: update_vector } = replica;
  const cells = [...replica.confirmedCells()];
  const box = cells.find((cell) => !isEdge(cell));
  if (!box) return null;
  const moved = { ...box, x: box.x + MOVED };
  const spoiled = new Replica();
  spoiled.show({ epoch, update_vector, cells: cells.map((cell) => (cell === box ? moved : cell)) });
  return { message_type: "repair", epoch, update_vector, state_hash: spoiled.stateHash, cells: [moved], removed: [] };
}
