/** Seeing what another sees: his part of the world, until one moves oneself; and the offer to follow who presents. */

import { h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { avatar, crowdOf } from "./crowd.js";
import { Frames, Glide, spanOf } from "./glide.js";

const GLIDE_MS = 70;
const OFFER_MS = 30_000;
const ABSENT_MS = 30_000; // a reload takes less

/**
 * @returns {{root: HTMLElement, follow(connectionId: string | null): void, followed: string | null,
 *   onChange(fn: () => void): () => void, stop(): void}} `root`: the banner
 */
export function following({ diagram, stage }) {
  return new Following(diagram, stage);
}

class Following {
  root = h("div", { class: "following", role: "status" });
  #diagram;
  #stage;
  #crowd;
  #edge = h("div", { class: "followed-edge", "aria-hidden": "true", hidden: true });
  #person = null; // whom we follow
  #window = null; // connection id; null while he is away
  #glide = null;
  #frames = new Frames((elapsed) => this.#draw(elapsed));
  #isBusy = false; // a gesture of ours goes on: the world must not move under it
  #offered = null; // the presenter we may follow
  #term = null;
  #timers = new Map();
  #listeners = new Set();
  #stops;
  #key = ({ key, target }) => {
    if (key === "Escape" && !target.closest("dialog, input, textarea")) this.follow(null);
  };

  constructor(diagram, stage) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#crowd = crowdOf(diagram);
    this.#stops = [
      diagram.on("awareness", ({ updates }) => this.#heard(updates)),
      diagram.on("participants", () => this.#peopleChanged()),
      diagram.on("status", ({ state }) => /closed|refused/.test(state) && this.#over()),
      diagram.on("presenter", ({ action, term }) => action === "changed" && this.#termIs(term)),
      stage.on("view", () => this.#tell()),
      stage.on("hand", () => this.follow(null)),
      stage.on("gesture", (isBusy) => this.#gesture(isBusy)),
    ];
    document.addEventListener("keydown", this.#key);
    stage.root.append(this.#edge);
    this.#tell();
    this.#show();
  }

  get followed() {
    return this.#window;
  }

  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop() {
    for (const stop of this.#stops) stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    document.removeEventListener("keydown", this.#key);
    this.#frames.stop();
    this.#edge.remove();
    this.root.remove();
  }

  /** Another's window, or nobody: null. */
  follow(connectionId) {
    const person = connectionId && this.#crowd.owner(connectionId);
    if (!person && !this.#person) return;
    this.#person = person;
    this.#look(person ? connectionId : null);
    this.#changed();
    if (!person) this.#tell();
  }

  #look(connectionId) {
    this.#window = connectionId;
    this.#glide = null;
    this.#set("absent", null);
    if (connectionId) this.#aim();
  }

  /** Who follows tells nothing: two who follow each other would chase each other for ever. */
  #tell() {
    const { width, height } = this.#stage.viewport;
    if (this.#person || !(width > 0 && height > 0)) return;
    this.#diagram.aware({ viewport: rounded(this.#stage.viewport) });
  }

  // -- where the other looks -----------------------------------------------------------------------------------------

  #heard(updates) {
    const sees = this.#diagram.peers.get(this.#window)?.viewport ? "viewport" : "cursor";
    if (updates.some((update) => update.connection_id === this.#window && update[sees])) this.#aim();
  }

  /** A window that tells no viewport (of another dialect) is followed by its cursor. */
  #aim() {
    const { viewport, cursor } = this.#diagram.peers.get(this.#window) ?? {};
    const seen = viewport ?? (cursor && this.#around(cursor));
    if (!seen) return;
    this.#glide ??= this.#departure();
    this.#glide.aim([seen.x, seen.y, seen.width, seen.height]);
    this.#frames.ask();
  }

  #around({ x, y }) {
    const { width, height } = this.#stage.viewport;
    return { x: x - width / 2, y: y - height / 2, width, height };
  }

  #departure() {
    const glide = new Glide(spanOf(GLIDE_MS));
    const { x, y, width, height } = this.#stage.viewport;
    glide.aim([x, y, width, height]);
    return glide;
  }

  #draw(elapsed) {
    if (!this.#glide || this.#isBusy) return false;
    this.#glide.step(elapsed);
    const [x, y, width, height] = this.#glide.values;
    const { zoom } = this.#diagram.peers.get(this.#window)?.viewport ?? this.#stage.viewport;
    this.#stage.show({ x, y, width, height, zoom });
    return !this.#glide.isThere;
  }

  #gesture(isBusy) {
    this.#isBusy = isBusy;
    if (!isBusy && this.#glide) {
      this.#glide = this.#departure();
      this.#aim();
    }
  }

  // -- who is there --------------------------------------------------------------------------------------------------

  #peopleChanged() {
    if (this.#person && !this.#crowd.owner(this.#window)) this.#lostSight();
    if (this.#offered && this.#crowd.presenter?.id !== this.#offered.id) this.#offer(null);
    this.#termIs(this.#diagram.roster.presenter_term);
  }

  /** PR4: a change that a leave or a removal brings about is told with the roster. */
  #termIs(term) {
    if (term === undefined || term === this.#term) return;
    this.#term = term;
    if (term > 1) this.#presenterChanged(); // the first presenter is the host, whom nobody has asked to present
  }

  /** His other window, or the next he opens; a reload is one. */
  #lostSight() {
    const next = this.#crowd.person(this.#person.id)?.windows.at(-1) ?? null;
    if (next === this.#window) return;
    this.#look(next);
    if (!next) this.#set("absent", ABSENT_MS, () => this.#gone());
    this.#changed();
  }

  #gone() {
    toast(`${this.#person.name} is no longer here.`);
    this.follow(null);
  }

  #over() {
    this.follow(null);
    this.#offer(null);
  }

  #presenterChanged() {
    const { presenter } = this.#crowd;
    const isOther = presenter && presenter.id !== this.#diagram.you?.id && presenter.windows.length > 0;
    this.#offer(isOther && presenter.id !== this.#person?.id ? presenter : null);
  }

  #offer(presenter) {
    this.#offered = presenter;
    this.#set("offer", presenter && OFFER_MS, () => this.#offer(null));
    this.#show();
  }

  // -- the banner ----------------------------------------------------------------------------------------------------

  #changed() {
    if (this.#person?.id === this.#offered?.id) this.#offered = null;
    this.#show();
    for (const listener of this.#listeners) listener();
  }

  #show() {
    const person = this.#person ?? this.#offered;
    this.root.hidden = !person;
    this.#edge.hidden = !this.#person;
    if (!person) return this.root.replaceChildren();
    this.#edge.style.setProperty("--who", person.colour);
    const parts = this.#person ? this.#followedParts() : this.#offeredParts();
    this.root.replaceChildren(avatar(person), ...parts);
  }

  #followedParts() {
    const { name } = this.#person;
    const words = this.#window ? `Following ${name}` : `Waiting for ${name}`;
    const act = () => this.follow(null);
    const stop = h("button", { type: "button", class: "small", title: "Stop following (Esc)", onclick: act }, "Stop");
    return [h("span", { class: "words" }, words), stop];
  }

  #offeredParts() {
    const { name, id } = this.#offered;
    const follow = () => this.follow(this.#crowd.person(id)?.windows.at(-1) ?? null);
    return [
      h("span", { class: "words" }, `${name} presents`),
      h("button", { type: "button", class: "small primary", onclick: follow }, icon("eye"), "Follow"),
      h("button", { type: "button", class: "small quiet", onclick: () => this.#offer(null) }, "Not now"),
    ];
  }

  #set(name, delay, action) {
    clearTimeout(this.#timers.get(name));
    if (delay) this.#timers.set(name, setTimeout(action, delay));
  }
}

const rounded = (viewport) =>
  Object.fromEntries(Object.entries(viewport).map(([key, value]) => [key, Math.round(value * 1000) / 1000]));
