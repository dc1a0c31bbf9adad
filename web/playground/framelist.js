/** The frames as a list: as many as there are, drawn are those that are seen. Newest last; the list follows them. */

import { h, toast } from "../shell/dom.js";
import { ALL, asLines, bytesOf, FrameLog, isWanted, pretty, QUIET, vectorOf } from "./frames.js";

const ROW = 24; // as in playground.css
const DRAW_EVERY_MS = 100; // a thousand frames a second are ten drawings
const MOST_SHOWN = 200_000;
const ARROW = { in: "↓", out: "↑", wire: "•" };
const WAYS = { [ALL]: "both ways", in: "↓ received", out: "↑ sent", wire: "• opened, closed" };
const DIRECTION = { in: "received", out: "sent", wire: "connection" };

export class FrameList {
  #log = new FrameLog();
  #wanted = { type: QUIET, direction: ALL, wire: ALL, query: "" };
  #shown = []; // what of the log is wanted
  #chosen = null;
  #isPaused = false;
  #isFollowing = true;
  #placedAt = 0; // where the list was scrolled to by us
  #timer = null;
  #types = new Set();
  #resend;

  #rows = h("div", { class: "rows", role: "none" });
  #list = h(
    "div",
    {
      class: "frames",
      id: "frames",
      role: "listbox",
      tabindex: 0,
      "aria-label": "Frames, newest last",
      onscroll: () => this.#scrolled(),
      onkeydown: (event) => this.#key(event),
      onclick: ({ target }) => this.#choose(this.#shown[target.closest("[data-at]")?.dataset.at]),
    },
    this.#rows,
  );
  #count = h("span", { class: "count" });
  #type = h(
    "select",
    { id: "frame-type", "aria-label": "Type", onchange: ({ target }) => this.#want({ type: target.value }) },
    h("option", { value: QUIET }, "all but cursors"),
    h("option", { value: ALL }, "all types"),
  );
  #wire = this.#select("Connection", "wire", { [ALL]: "all wires" });
  #pause = this.#button("Pause", () => this.#setPaused(!this.#isPaused), "pause");
  #detail = h("div", { class: "frame-detail", hidden: true });

  /** @param resend called with the text of a frame that shall be sent again */
  constructor(resend) {
    this.#resend = resend;
    this.#wire.hidden = true;
    const search = h("input", {
      type: "search",
      id: "frame-search",
      placeholder: "Search",
      "aria-label": "Search in frames",
      oninput: ({ target }) => this.#want({ query: target.value }),
    });
    this.root = h(
      "section",
      { class: "grow framelist", "aria-label": "Frames" },
      h(
        "div",
        { class: "row" },
        h("h2", "Frames"),
        this.#count,
        this.#pause,
        this.#button("Clear", () => this.#clear()),
        this.#button("Export", () => this.#export(), "export"),
      ),
      h(
        "div",
        { class: "filters" },
        search,
        this.#type,
        this.#select("Direction", "direction", WAYS),
        this.#wire,
      ),
      this.#list,
      this.#detail,
    );
    new ResizeObserver(() => this.draw()).observe(this.#list);
  }

  /** Called for every frame: a handful of comparisons, and a drawing now and then. */
  add(frame) {
    const added = this.#log.add(frame);
    if (!this.#types.has(added.type)) this.#newType(added.type);
    if (!this.#isPaused && isWanted(added, this.#wanted)) {
      this.#shown.push(added);
      this.#forgetOld();
    }
    this.#timer ??= setTimeout(() => this.draw(), DRAW_EVERY_MS);
    return added;
  }

  wiresAre(wires) {
    this.#wire.replaceChildren(...[[ALL, "all wires"], ...wires.map((wire) => [wire, wire])].map(option));
    this.#wire.hidden = wires.length < 2;
    if (![...this.#wire.options].some(({ value }) => value === this.#wanted.wire)) this.#want({ wire: ALL });
    this.#wire.value = this.#wanted.wire;
  }

  stop() {
    clearTimeout(this.#timer);
  }

  // -- what is shown -------------------------------------------------------------------------------------------------

  #want(change) {
    Object.assign(this.#wanted, change);
    this.#refill();
  }

  #refill() {
    this.#shown = this.#log.frames.filter((frame) => isWanted(frame, this.#wanted));
    this.#isFollowing = true;
    this.draw();
  }

  /** What the log has dropped goes here too; who looks at older ones keeps them under the eye. */
  #forgetOld() {
    const oldest = this.#log.frames[0].number;
    let gone = 0;
    while (this.#shown[gone].number < oldest) gone++;
    if (gone === 0) return;
    this.#shown.splice(0, gone);
    if (!this.#isFollowing) this.#list.scrollTop -= gone * ROW;
  }

  #newType(type) {
    this.#types.add(type);
    const options = [...this.#types].sort().map((one) => option([one, one]));
    this.#type.replaceChildren(...[...this.#type.options].slice(0, 2), ...options);
    this.#type.value = this.#wanted.type;
  }

  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#pause.setAttribute("aria-pressed", String(isPaused));
    if (!isPaused) this.#refill();
    this.draw();
  }

  #clear() {
    this.#log.clear();
    this.#choose(null);
    this.#refill();
  }

  #export() {
    const url = URL.createObjectURL(new Blob([asLines(this.#shown)], { type: "application/jsonl" }));
    h("a", { href: url, download: `codraw-frames-${new Date().toISOString().replace(/[:.]/g, "-")}.jsonl` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    if (scrollTop === this.#placedAt) return;
    this.#isFollowing = scrollTop + clientHeight >= scrollHeight - ROW;
    this.draw();
  }

  draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#list.clientHeight === 0) return; // nobody looks
    this.#count.textContent = `${this.#shown.length} of ${this.#log.frames.length}${this.#isPaused ? ", paused" : ""}`;
    this.#rows.style.height = `${this.#shown.length * ROW}px`;
    if (this.#isFollowing) this.#list.scrollTop = this.#shown.length * ROW;
    this.#placedAt = this.#list.scrollTop;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - 2);
    const end = Math.min(this.#shown.length, first + Math.ceil(this.#list.clientHeight / ROW) + 4);
    this.#rows.replaceChildren(...this.#shown.slice(first, end).map((frame, at) => this.#row(frame, first + at)));
    const seen = this.#chosen && this.#rows.querySelector("[aria-selected=true]");
    if (seen) this.#list.setAttribute("aria-activedescendant", seen.id);
    else this.#list.removeAttribute("aria-activedescendant");
  }

  #row(frame, at) {
    const { number, direction, type, text, note, wire } = frame;
    const vector = direction === "wire" ? undefined : vectorOf(text);
    const row = h(
      "div",
      {
        class: `frame-row ${direction}`,
        role: "option",
        id: `frame-${number}`,
        "data-at": at,
        "aria-selected": String(frame === this.#chosen),
        "aria-posinset": at + 1,
        "aria-setsize": this.#shown.length,
      },
      h("span", { class: "arrow", "aria-hidden": "true" }, ARROW[direction]),
      h("span", { class: "hidden" }, DIRECTION[direction]),
      h("time", new Date(frame.at).toISOString().slice(11, 23)),
      !this.#wire.hidden && h("span", { class: "wire" }, wire),
      h("b", type),
      note && note !== type && h("em", note),
      vector !== undefined && h("span", { class: "vector" }, `@${vector}`),
      h("span", { class: "size" }, direction === "wire" ? text : `${bytesOf(text)} B`),
    );
    row.style.top = `${at * ROW}px`;
    return row;
  }

  // -- one of them ---------------------------------------------------------------------------------------------------

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") this.#choose(null);
    else if (event.key in steps) this.#walk(steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #walk(by) {
    const last = this.#shown.length - 1;
    if (last < 0) return;
    const from = this.#chosen ? this.#shown.indexOf(this.#chosen) : last + 1;
    const at = Math.max(0, Math.min(last, from + by));
    const top = at * ROW;
    const { scrollTop, clientHeight } = this.#list;
    this.#isFollowing = false;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.#list.scrollTop = top + ROW - clientHeight;
    this.#choose(this.#shown[at]);
  }

  #choose(frame) {
    this.#chosen = frame && frame !== this.#chosen ? frame : null;
    this.#detail.hidden = !this.#chosen;
    this.#detail.replaceChildren(...(this.#chosen ? this.#detailOf(this.#chosen) : []));
    if (this.#chosen) this.#detail.scrollIntoView({ block: "nearest" });
    this.draw();
  }

  #detailOf({ text, type, at }) {
    const whole = pretty(text);
    return [
      h(
        "div",
        { class: "row" },
        h("strong", type),
        h("small", new Date(at).toISOString()),
        h("span", { class: "spring" }),
        this.#button("Copy", () => copied(text)),
        this.#button("Edit and send", () => this.#resend(whole)),
        this.#button("Close", () => this.#choose(null)),
      ),
      h("pre", { tabindex: 0, "aria-label": "The frame" }, whole.slice(0, MOST_SHOWN), whole.length > MOST_SHOWN && " …"),
    ];
  }

  #select(label, name, options) {
    const change = ({ target }) => this.#want({ [name]: target.value });
    return h("select", { "aria-label": label, onchange: change }, Object.entries(options).map(option));
  }

  #button(text, action, id) {
    return h("button", { class: "small", type: "button", onclick: action, ...(id && { id }) }, text);
  }
}

const option = ([value, text]) => h("option", { value }, text);

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser does not let this page copy.", "bad");
  }
}
