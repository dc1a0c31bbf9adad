/** The live figures: what this copy is, how the connection is, what waits. */

import { assign, h } from "../shell/dom.js";
import { Figures, spoken } from "./figures.js";

const MOST_LINES = 6;

const NAMES = {
  connection: "Connection",
  vector: "Vector",
  pending: "Pending",
  receipts: "Receipts",
  cursors: "Cursors",
  traffic: "Frames",
  slow: "Slow reader",
  durability: "Durability",
  epoch: "Epoch",
  hash: "State hash",
  "server-hash": "Server's hash",
  session: "Session",
};

export class Facts {
  figures = new Figures();
  /** Nothing is drawn before. */
  isSeen = false;

  #diagram;
  #facts = Object.fromEntries(Object.keys(NAMES).map((name) => [name, h("dd", { id: `fact-${name}` })]));
  #queue = h("ol", { class: "queue", id: "queue", "aria-label": "Pending operations" });
  #heldList = h("ol", { class: "queue", id: "held", "aria-label": "Held operations" });
  #held = [];
  #heartbeat = null;
  #hashed = { vector: -1, hash: "–" };
  #isDrawn = true;

  constructor(diagram) {
    this.#diagram = diagram;
    this.root = h(
      "section",
      { "aria-label": "Figures" },
      h(
        "dl",
        { class: "facts" },
        Object.entries(NAMES).map(([name, title]) => h("div", { class: name }, h("dt", title), this.#facts[name])),
      ),
      this.#queue,
      this.#heldList,
      h(
        "div",
        { class: "row" },
        button("Compare now", { id: "compare", title: "Asks where the server stands", onclick: () => diagram.check() }),
        button("Cut once", { id: "cut", title: "It comes back by itself", onclick: () => diagram.cut() }),
      ),
    );
    diagram.on("heartbeat", (heartbeat) => {
      this.#heartbeat = heartbeat;
      this.draw();
    });
    diagram.on("held", (held) => {
      if (held.reason !== "unsettled") this.#held.push(held);
      this.draw();
    });
    for (const type of ["change", "status", "welcome"]) diagram.on(type, () => this.draw());
  }

  /** With the next picture of the screen, and only where it is seen: the hash costs. */
  draw() {
    if (!this.isSeen || !this.#isDrawn) return;
    this.#isDrawn = false;
    requestAnimationFrame(() => {
      this.#isDrawn = true;
      this.#drawNow(Date.now());
    });
  }

  #drawNow(now) {
    const { replica, session } = this.#diagram;
    const values = {
      connection: this.#connection(now),
      vector: replica.vector,
      epoch: replica.epoch || "–",
      hash: this.#hash(),
      pending: this.#pending(),
      durability: session?.durability ?? "–",
      session: session?.session_id ?? "–",
      ...this.#measured(now),
    };
    for (const [name, value] of Object.entries(values)) setText(this.#facts[name], String(value));
    this.#drawVerdict();
    this.#queue.replaceChildren(...this.#queueLines(now));
    this.#heldList.replaceChildren(...this.#held.map((held) => this.#heldLine(held)));
  }

  /** The rung of the ladder of reconnections, while one stands on it. */
  #connection(now) {
    const { state, reason, code, retryAt, attempt } = this.#diagram.status;
    const why = [reason, code].filter(Boolean).join(" ");
    if (state === "offline") {
      return `offline, ${why}: attempt ${attempt} in ${spoken(Math.max(0, retryAt - now))}`;
    }
    const id = this.#diagram.you?.connection_id;
    return state === "live" ? `live as ${id}` : why ? `${state}, ${why}` : state;
  }

  #pending() {
    const { pending } = this.#diagram.replica;
    const sent = pending.filter(({ isSent }) => isSent).length;
    return pending.length === 0 ? "0" : `${pending.length}, ${sent} sent`;
  }

  #measured(now) {
    const { receipts, into, out, slow } = this.figures;
    const [p50, p99] = [0.5, 0.99].map((part) => receipts.quantile(part));
    const rate = (meter) => Math.round(meter.rate(now));
    const traffic = ({ frames, bytes }) => `${rate(frames)}/s ${(rate(bytes) / 1024).toFixed(1)} KiB/s`;
    const rungs = [
      slow.states > 0 && `${slow.states} full states instead of events`,
      slow.closes > 0 && `${slow.closes} × 4408`,
    ];
    return {
      receipts: p50 === null ? "none yet" : `p50 ${spoken(p50)}, p99 ${spoken(p99)} of ${receipts.count}`,
      cursors: `${rate(into.cursors)}/s in ${rate(into.cursorFrames)} frames/s, ${rate(out.cursors)}/s sent`,
      traffic: `↓ ${traffic(into)}, ↑ ${traffic(out)}`,
      slow: rungs.filter(Boolean).join(", ") || "keeps up",
    };
  }

  #hash() {
    const { replica } = this.#diagram;
    this.#hashed = { vector: replica.vector, hash: replica.epoch ? replica.stateHash : "–" };
    return this.#hashed.hash;
  }

  #drawVerdict() {
    const { vector, hash } = this.#hashed;
    const { update_vector, state_hash } = this.#heartbeat ?? {};
    const verdict = update_vector !== vector ? "waiting" : state_hash === hash ? "equal" : "different";
    const told = this.#heartbeat
      ? `${verdict === "equal" ? "the same" : state_hash} at ${update_vector}`
      : "not told yet";
    setText(assign(this.#facts["server-hash"], { "data-verdict": verdict }), told);
  }

  #queueLines(now) {
    const { pending } = this.#diagram.replica;
    const lines = pending.slice(0, MOST_LINES).map(({ kind, cells, askedAt, isSent, operationId }) =>
      h(
        "li",
        { title: operationId },
        h("b", kind),
        cells.length > 0 && h("span", cells.length === 1 ? "1 cell" : `${cells.length} cells`),
        h("span", isSent ? "sent" : "waits"),
        h("span", { class: "size" }, spoken(now - askedAt)),
      ),
    );
    if (pending.length > MOST_LINES) lines.push(h("li", `and ${pending.length - MOST_LINES} more`));
    return lines;
  }

  #heldLine(held) {
    const { reason, operations } = held;
    const forget = () => {
      this.#held = this.#held.filter((one) => one !== held);
      this.draw();
    };
    const again = () => {
      for (const { kind, cells } of operations) if (kind === "edit") this.#diagram.edit(cells);
      forget();
    };
    return h(
      "li",
      h("b", "held"),
      h("span", `${operations.length}, ${reason.replace("_", " ")}`),
      button("Make anew", { onclick: again }),
      button("Forget", { onclick: forget }),
    );
  }
}

const button = (text, attributes) => h("button", { class: "small", type: "button", ...attributes }, text);

/** What is selected with the mouse stays so while nothing changes. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
