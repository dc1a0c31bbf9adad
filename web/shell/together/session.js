/** Leaving and ending: the host's button, the question before one goes, and what is said when all is over. */

import { confirmed, h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { described, LOGIN_ENDED } from "./connection.js";
import { crowdOf } from "./crowd.js";

const MOMENT_MS = 1_000;
const GONE = "diagram_deleted"; // there is nothing to come back to

/**
 * @param rest ends the session for all; without it there is no button for that
 * @param onLeave the way out of the diagram
 * @returns {{root: HTMLElement, leave(): Promise<boolean>, stop(): void}} `leave` asks where something would be lost;
 *   false: the user would rather stay
 */
export function session({ diagram, rest, onLeave }) {
  return new Session(diagram, rest, onLeave);
}

class Session {
  #diagram;
  #rest;
  #onLeave;
  #end = h(
    "button",
    { type: "button", class: "icon-button", id: "end-session", hidden: true, onclick: () => this.#askToEnd() },
    icon("power"),
  );
  #over = h("section", { class: "session-over card", role: "alert", hidden: true });
  #waiting = h("p", { class: "hint" });
  #away = h("p", { class: "host-away", role: "status", hidden: true });
  #awaySince = null;
  #isKept = true; // what is not saved, in this browser
  #ticking;
  #unload = new AbortController();
  #stops;
  root = h("div", { class: "session" }, this.#end, this.#away, this.#over);

  constructor(diagram, rest, onLeave) {
    this.#diagram = diagram;
    this.#rest = rest;
    this.#onLeave = onLeave;
    this.#end.title = "End the session for everybody";
    this.#end.setAttribute("aria-label", this.#end.title);
    const { signal } = this.#unload;
    addEventListener("beforeunload", (event) => this.#isLossy() && event.preventDefault(), { signal });
    this.#stops = [
      diagram.on("participants", () => this.#draw()),
      diagram.on("welcome", () => this.#draw()),
      diagram.on("status", () => this.#draw()),
      diagram.on("trouble", ({ error }) => (this.#isKept &&= error !== "storage_failed")),
      () => this.#unload.abort(),
      () => clearTimeout(this.#ticking),
    ];
    this.#draw();
  }

  stop() {
    for (const stop of this.#stops) stop();
  }

  // -- leaving -------------------------------------------------------------------------------------------------------

  async leave() {
    await this.#moment();
    const { pending, reason } = this.#diagram.status;
    const rest = this.#isKept ? "is sent when you are here again" : "is lost: this browser keeps nothing";
    const unsaved = `Not all is saved yet. The rest ${reason === GONE ? "goes with the diagram" : rest}.`;
    if (pending > 0 && !(await confirmed(unsaved, "Leave", "Stay"))) return false;
    if (!this.#isHostOfOthers()) return true;
    return confirmed("You are the host: when you leave, the session ends for everybody.", "Leave", "Stay");
  }

  /** What was typed before one left the field for the way out is saved at once, and no question. */
  #moment() {
    return new Promise((resolve) => {
      const stops = [];
      const done = () => resolve(stops.forEach((stop) => stop()));
      const look = () => (this.#diagram.isLive && this.#diagram.status.pending > 0) || done();
      const timer = setTimeout(done, MOMENT_MS);
      stops.push(this.#diagram.on("status", look), () => clearTimeout(timer));
      look();
    });
  }

  #isLossy() {
    return this.#diagram.status.pending > 0 || this.#isHostOfOthers();
  }

  /** From another window of the host's the session goes on. */
  #isHostOfOthers() {
    const { isLive, you } = this.#diagram;
    const crowd = crowdOf(this.#diagram);
    return isLive && you.is_host && crowd.you?.windows.length === 1 && crowd.others.length > 0;
  }

  async #askToEnd() {
    const question = "End the session for everybody? The diagram stays, and whoever may edit it can open it again.";
    if (!(await confirmed(question, "End it"))) return;
    const { threat_model_id: threatModelId, diagram_id: diagramId } = this.#diagram.session;
    try {
      await this.#rest.endSession(threatModelId, diagramId);
    } catch ({ message }) {
      toast(message, "bad");
    }
  }

  /** The page asks who we are when it begins; what is not saved waits in this browser. */
  #signInAgain() {
    this.#unload.abort();
    location.reload();
  }

  // -- what is to be seen --------------------------------------------------------------------------------------------

  #draw() {
    const { status, isLive, you } = this.#diagram;
    this.#end.hidden = !(this.#rest && isLive && (you.is_host || you.role === "owner"));
    this.#drawAway();
    this.#drawOver(status);
  }

  /** When the grace ends is not told, so the time is counted up. */
  #drawAway() {
    const { isLive, roster, you } = this.#diagram;
    const isAway = isLive && roster.host_state === "away" && !you.is_host;
    clearTimeout(this.#ticking);
    this.#away.hidden = !isAway;
    if (!isAway) return void (this.#awaySince = null);
    this.#awaySince ??= Date.now();
    const seconds = Math.round((Date.now() - this.#awaySince) / 1000);
    const since = h("span", { "aria-hidden": "true" }, ` Away for ${seconds} s.`);
    const words = `${roster.host.display_name}, the host, has lost the connection. Without a return the session ends.`;
    if (seconds === 0) this.#away.replaceChildren(words, since);
    else this.#away.lastChild.replaceWith(since);
    this.#ticking = setTimeout(() => this.#drawAway(), 1000);
  }

  #drawOver({ state, pending, ...why }) {
    const isOver = state === "refused";
    if (isOver) this.#drawWaiting(why.reason, pending);
    if (isOver === !this.#over.hidden) return;
    this.#over.hidden = !isOver;
    if (!isOver) return this.#over.replaceChildren();
    const { detail, action, isEnd } = described({ state, pending, ...why }, true, 0);
    const again = () => (why.reason === LOGIN_ENDED ? this.#signInAgain() : this.#diagram.open());
    this.#over.replaceChildren(
      h("h2", isEnd ? "The session is over" : "You are not connected"),
      h("p", detail ?? "The server has closed the connection."),
      this.#waiting,
      h(
        "div",
        { class: "row end" },
        h("button", { type: "button", class: "quiet", onclick: () => this.#onLeave() }, "All diagrams"),
        action && h("button", { type: "button", class: "primary", onclick: again }, action),
      ),
    );
  }

  /** One may go on drawing. */
  #drawWaiting(reason, pending) {
    const where = this.#isKept ? "wait in this browser until you are back" : "are lost with this page";
    const what = `Changes that ${reason === GONE ? "go with the diagram" : where}`;
    this.#waiting.hidden = pending === 0;
    this.#waiting.textContent = `${what}: ${pending}.`;
  }
}
