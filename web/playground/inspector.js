/** What goes over the wire, and whether both ends hold the same diagram. */

import { assign, h } from "../shell/dom.js";

const MOST_FRAMES = 300;
const NOISE = new Set(["awareness"]);

const SAMPLES = {
  heartbeat: { message_type: "heartbeat", ref: "h1" },
  resume: (replica) => ({ message_type: "resume", epoch: replica.epoch, update_vector: replica.vector }),
  sync_request: { message_type: "sync_request" },
  undo: { message_type: "undo", ref: "u1" },
  "no JSON": "{",
};

export class Inspector {
  #diagram;
  #facts = Object.fromEntries(
    ["vector", "epoch", "hash", "server-hash", "pending", "durability", "connection", "session"].map((name) => [
      name,
      h("dd", { id: `fact-${name}` }),
    ]),
  );
  #frames = h("ol", { class: "frames", "aria-label": "Frames, newest first" });
  #showsNoise = h("input", { type: "checkbox" });
  #raw = h("textarea", { rows: 4, spellcheck: "false", "aria-label": "A message to send as it is" });
  #heartbeat = null;
  #drawing = false;

  constructor(diagram) {
    this.#diagram = diagram;
    this.#raw.value = JSON.stringify(SAMPLES.heartbeat);
    this.root = h(
      "aside",
      { class: "inspector", id: "inspector", "aria-label": "Inspector", hidden: true },
      h(
        "section",
        h("h2", "Copy"),
        this.#factList(),
        h(
          "div",
          { class: "row" },
          this.#button("Compare now", () => diagram.check()),
          this.#button("Cut the wire", () => diagram.cut(), "cut"),
        ),
      ),
      h(
        "section",
        h(
          "details",
          h("summary", h("h2", "Send by hand")),
          this.#samples(),
          this.#raw,
          this.#button("Send", () => diagram.send(this.#raw.value), "send"),
        ),
      ),
      h(
        "section",
        { class: "grow" },
        h(
          "div",
          { class: "row" },
          h("h2", "Frames"),
          h("label", { class: "check" }, this.#showsNoise, "cursors too"),
          this.#button("Clear", () => this.#frames.replaceChildren()),
        ),
        this.#frames,
      ),
    );
    diagram.on("frame", (frame) => this.#show(frame));
    diagram.on("heartbeat", (heartbeat) => {
      this.#heartbeat = heartbeat;
      this.draw();
    });
    for (const type of ["change", "status", "welcome"]) diagram.on(type, () => this.draw());
  }

  get isOpen() {
    return !this.root.hidden;
  }

  toggle() {
    this.root.hidden = this.isOpen;
    if (this.isOpen && this.#diagram.isLive) this.#diagram.check();
    this.draw();
    return this.isOpen;
  }

  /** Once a frame at most, and only when it is seen: the hash costs. */
  draw() {
    if (!this.isOpen || this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#drawFacts();
    });
  }

  #factList() {
    const names = {
      vector: "Update vector",
      epoch: "Epoch",
      hash: "State hash",
      "server-hash": "Server's hash",
      pending: "Pending",
      durability: "Durability",
      connection: "Connection",
      session: "Session",
    };
    return h(
      "dl",
      Object.entries(names).flatMap(([name, title]) => [h("dt", title), this.#facts[name]]),
    );
  }

  #drawFacts() {
    const { replica, session, you } = this.#diagram;
    const hash = replica.epoch ? replica.stateHash : "–";
    const values = {
      vector: replica.vector,
      epoch: replica.epoch ?? "–",
      hash,
      pending: replica.pending.length,
      durability: session?.durability ?? "–",
      connection: you?.connection_id ?? "–",
      session: session?.session_id ?? "–",
    };
    for (const [name, value] of Object.entries(values)) this.#facts[name].textContent = value;
    const { update_vector, state_hash } = this.#heartbeat ?? {};
    const verdict = update_vector !== replica.vector ? "waiting" : state_hash === hash ? "equal" : "different";
    const told = this.#heartbeat
      ? `${verdict === "equal" ? "the same" : state_hash} at ${update_vector}`
      : "not told yet";
    assign(this.#facts["server-hash"], { "data-verdict": verdict }).textContent = told;
  }

  #samples() {
    return h(
      "div",
      { class: "row samples" },
      Object.entries(SAMPLES).map(([name, sample]) =>
        this.#button(name, () => {
          const message = typeof sample === "function" ? sample(this.#diagram.replica) : sample;
          this.#raw.value = typeof message === "string" ? message : JSON.stringify(message);
        }),
      ),
    );
  }

  #button(text, action, id) {
    return h("button", { class: "small", type: "button", onclick: action, ...(id && { id }) }, text);
  }

  #show({ direction, text, at }) {
    const message = readable(text);
    const type = message?.message_type ?? "not JSON";
    if (NOISE.has(type) && !this.#showsNoise.checked) return;
    const vector = message?.update_vector ?? message?.base_vector;
    const body = h("pre");
    const line = h(
      "details",
      { ontoggle: () => (body.textContent ||= message ? JSON.stringify(message, null, 1) : text) },
      h(
        "summary",
        h("span", { class: "arrow" }, direction === "in" ? "↓" : "↑"),
        h("time", new Date(at).toISOString().slice(11, 23)),
        h("b", type),
        vector !== undefined && h("span", { class: "vector" }, `@${vector}`),
        h("span", { class: "size" }, `${text.length} B`),
      ),
      body,
    );
    this.#frames.prepend(h("li", { class: direction }, line));
    if (this.#frames.childElementCount > MOST_FRAMES) this.#frames.lastChild.remove();
  }
}

function readable(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
