/** The state of the connection in words: always to be seen, never untrue. */

import { h } from "./dom.js";

const WHY = {
  host_left: "The host has left, the session is over.",
  host_ended: "The host has ended the session.",
  owner_ended: "An owner has ended the session.",
  host_lost: "The host did not come back, the session is over.",
  idle: "Nothing happened for a long time, the session is over.",
  empty: "The session is over.",
  left: "You have left in another window.",
  diagram_deleted: "The diagram has been deleted.",
  removed: "The host has removed you from this session.",
  access_revoked: "You no longer have access to this diagram.",
  token_expired: "Your login has ended.",
  login_ended: "Your login has ended.",
  session_not_found: "There is no session for this diagram.",
  not_found: "There is no such diagram, or nobody has opened it for you.",
  diagram_not_found: "There is no such diagram.",
  too_many_connections: "You have this diagram open in too many windows.",
  session_full: "The session is full.",
  forbidden: "You have no access to this diagram.",
  restart: "The server restarts.",
  slow: "This connection is too slow.",
  silent: "The server has fallen silent.",
  unreachable: "The server cannot be reached.",
  cut: "The wire was cut.",
};

const FINAL = new Set(["removed", "access_revoked", "diagram_deleted", "diagram_not_found", "forbidden"]);

const changes = (count) => (count === 1 ? "1 change" : `${count} changes`);

/** @returns `{state, text, detail?, action?}`; `state` is what style and tests go by. */
export function described({ state, pending, reason, message, retryAt }, hasBeenLive, now) {
  const waiting = pending > 0 ? ` · ${changes(pending)} not saved` : "";
  const detail = WHY[reason] ?? message;
  switch (state) {
    case "live":
      return pending > 0 ? { state: "saving", text: `Saving ${pending}` } : { state: "live", text: "Live · all saved" };
    case "connecting":
      return hasBeenLive
        ? { state: "reconnecting", text: `Reconnecting${waiting}` }
        : { state: "connecting", text: "Connecting" };
    case "offline": {
      const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
      return { state: "offline", text: `Offline${waiting} · again in ${seconds} s`, detail, action: "Try now" };
    }
    case "refused":
      return {
        state: "refused",
        text: `Not connected${waiting}`,
        detail,
        action: FINAL.has(reason) ? null : "Open again",
      };
    default:
      return { state: "closed", text: "Closed" };
  }
}

export class StatusLine {
  #diagram;
  #hasBeenLive = false;
  #text = h("span", { class: "text" });
  #button = h("button", { class: "small", type: "button" });
  #detail = h("span", { class: "detail" });
  #ticking;

  constructor(diagram) {
    this.#diagram = diagram;
    this.#button.addEventListener("click", () => diagram.open());
    this.root = h(
      "div",
      { class: "status", id: "status", role: "status", "aria-live": "polite" },
      h("span", { class: "lamp", "aria-hidden": "true" }),
      this.#text,
      this.#button,
      this.#detail,
    );
    this.draw();
  }

  draw() {
    const { status } = this.#diagram;
    this.#hasBeenLive ||= status.state === "live";
    const { state, text, detail = "", action } = described(status, this.#hasBeenLive, Date.now());
    this.root.dataset.state = state;
    setText(this.#text, text);
    setText(this.#detail, detail);
    setText(this.#button, action ?? "");
    this.#button.hidden = !action;
    clearTimeout(this.#ticking);
    if (state === "offline") this.#ticking = setTimeout(() => this.draw(), 500);
  }

  stop() {
    clearTimeout(this.#ticking);
  }
}

/** A screen reader repeats a live region whenever it is touched. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
