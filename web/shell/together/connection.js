/** The state of the connection in words: always to be seen, never untrue. */

import { h } from "../dom.js";

const TICK_MS = 500;
const PATIENCE_MS = 4_000; // for a receipt, before its absence is worth a word

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
  removed_from_session: "The host has removed you from this session.",
  access_revoked: "You no longer have access to this diagram.",
  token_expired: "Your login has ended.",
  login_ended: "Your login has ended.",
  session_not_found: "There is no session for this diagram.",
  nobody_there: "It becomes live when somebody who may edit opens it.",
  not_found: "There is no such diagram.",
  diagram_not_found: "There is no such diagram.",
  too_many_connections: "You have this diagram open in too many windows.",
  session_full: "The session is full.",
  restart: "The server restarts.",
  slow: "This connection is too slow.",
  silent: "The server has fallen silent.",
  unreachable: "The server cannot be reached.",
  lost: "The connection was lost.",
  cut: "The wire was cut.",
};

export const LOGIN_ENDED = "login_ended";
const NOBODY_THERE = "nobody_there";

const FINAL = new Set([
  "removed",
  "removed_from_session",
  "access_revoked",
  "diagram_deleted",
  "diagram_not_found",
  "forbidden",
]);

/** The session is over for all, and whoever may edit can begin another. */
const ENDS = new Set(["host_left", "host_ended", "owner_ended", "host_lost", "idle", "empty"]);

const silence = (span) => (span < PATIENCE_MS ? "" : `no answer for ${Math.floor(span / 1000)} s`);
const changes = (count) => (count === 1 ? "1 change" : `${count} changes`);

/**
 * @param status as the SDK has it
 * @param since when the last receipt came that was waited for
 * @returns {{state: string, text: string, countdown?: string, detail?: string, action?: string | null,
 *   isEnd?: boolean}} `state` is what style and tests go by; `text` without what changes every second
 */
export function described({ state, pending, reason, message, retryAt }, hasBeenLive, now, since = now) {
  const waiting = pending > 0 ? ` · ${changes(pending)} not saved` : "";
  const detail = WHY[reason] ?? message;
  switch (state) {
    case "live":
      if (pending > 0) return { state: "saving", text: `Saving ${pending}`, countdown: silence(now - since) };
      return { state: "live", text: "Live · all saved" };
    case "connecting":
      return hasBeenLive
        ? { state: "reconnecting", text: `Reconnecting${waiting}` }
        : { state: "connecting", text: `Connecting${waiting}` };
    case "offline": {
      const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
      const kept = pending > 0 && "They wait here and are sent when the connection is back.";
      return {
        state: "offline",
        text: `${reason === NOBODY_THERE ? "Nobody has it open" : "Offline"}${waiting}`,
        countdown: `again in ${seconds} s`,
        detail: [detail, kept].filter(Boolean).join(" "),
        action: "Try now",
      };
    }
    case "refused":
      return {
        state: "refused",
        text: `Not connected${waiting}`,
        detail,
        action: FINAL.has(reason) ? null : reason === LOGIN_ENDED ? "Sign in again" : "Open again",
        isEnd: ENDS.has(reason),
      };
    default:
      return { state: "closed", text: `Closed${waiting}` };
  }
}

/** `root` has the state as `data-state`, and who may only look on as `data-reader`. */
export function connection({ diagram }) {
  const line = new ConnectionLine(diagram);
  const stops = [
    diagram.on("status", () => line.draw()),
    diagram.on("welcome", () => line.draw()),
    diagram.on("participants", () => line.draw()),
  ];
  // A socket does not notice that the network is gone, the browser does; where the wire holds it comes back at once.
  const unplugged = () => diagram.isLive && diagram.cut();
  addEventListener("offline", unplugged);
  const stop = () => {
    for (const end of stops) end();
    removeEventListener("offline", unplugged);
    line.stop();
  };
  return { root: line.root, stop };
}

class ConnectionLine {
  #diagram;
  #hasBeenLive = false;
  #waiting = { pending: 0, since: 0 };
  #text = h("span", { class: "text" });
  #countdown = h("span", { class: "countdown" });
  #button = h("button", { class: "small", type: "button", hidden: true });
  #detail = h("span", { class: "detail" });
  #badge = h(
    "span",
    { class: "badge", title: "You can look on and point, but not edit.", hidden: true },
    "You look on",
  );
  #said = h("span", { class: "hidden", role: "status" });
  #ticking;

  constructor(diagram) {
    this.#diagram = diagram;
    this.#button.addEventListener("click", () => diagram.open());
    this.root = h(
      "div",
      { class: "status", id: "status" },
      h("span", { class: "lamp", "aria-hidden": "true" }),
      this.#text,
      this.#countdown,
      this.#badge,
      this.#button,
      this.#detail,
      this.#said,
    );
    this.draw();
  }

  draw() {
    const { status, you, canWrite } = this.#diagram;
    this.#hasBeenLive ||= status.state === "live";
    const now = Date.now();
    const words = described(status, this.#hasBeenLive, now, this.#waitingSince(status, now));
    const { state, text, countdown = "", action } = words;
    const detail = status.reason === "cut" && !navigator.onLine ? "This device has no network." : (words.detail ?? "");
    this.root.dataset.state = state;
    setText(this.#text, text);
    setText(this.#countdown, countdown && ` · ${countdown}`);
    setText(this.#detail, detail);
    setText(this.#button, action ?? "");
    this.#detail.title = detail;
    this.#button.hidden = state !== "offline"; // who was refused is asked by session.js
    this.#badge.hidden = !you || canWrite;
    this.#say(state, text, detail);
    clearTimeout(this.#ticking);
    if (state === "offline" || state === "saving") this.#ticking = setTimeout(() => this.draw(), TICK_MS);
  }

  #waitingSince({ state, pending }, now) {
    const before = this.#waiting;
    const isNew = state !== "live" || before.pending === 0 || pending < before.pending;
    this.#waiting = { pending, since: isNew ? now : before.since };
    return this.#waiting.since;
  }

  /** Saving comes and goes with every edit, counting with every second: neither is read aloud. */
  #say(state, text, detail) {
    if (state !== "saving") setText(this.#said, state === "live" ? "Connected" : `${text}. ${detail}`);
  }

  stop() {
    clearTimeout(this.#ticking);
  }
}

/** A screen reader repeats a live region whenever it is touched. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
