/** Where everybody points, what they have selected and what they are changing; and the same of ourselves, told. */

import { h, s } from "../dom.js";
import { crowdOf } from "./crowd.js";
import { Frames, Glide, spanOf } from "./glide.js";
import { Marks } from "./marks.js";

const GLIDE_MS = 45;
const SILENT_MS = 30_000;
const LOOK_MS = 5_000;
const MOST_SELECTED = 500; // the most a message may hold

/** @param stage what shows the world, as web/editor/diagram/stage.js offers it */
export function cursors({ diagram, stage }) {
  const shown = new Cursors(diagram, stage);
  return { stop: () => shown.stop() };
}

class Cursors {
  #diagram;
  #stage;
  #crowd;
  #pointers = new Map(); // connection id -> Pointer
  #marks;
  #place = h("div", { class: "cursors" });
  #layer;
  #frames = new Frames((elapsed) => this.#draw(elapsed));
  #isViewNew = true;
  #stops;
  #looking = setInterval(() => this.#fade(), LOOK_MS);

  constructor(diagram, stage) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#crowd = crowdOf(diagram);
    this.#marks = new Marks(diagram, stage, () => this.#frames.ask());
    this.#layer = h("div", { class: "together", "aria-hidden": "true" }, this.#marks.root, this.#place);
    stage.root.append(this.#layer);
    this.#stops = [
      diagram.on("awareness", ({ updates }) => this.#heard(updates)),
      diagram.on("participants", () => this.#everybody()),
      stage.on("view", () => this.#viewChanged()),
      stage.on("pointer", (point) => diagram.aware({ cursor: point && { x: tenth(point.x), y: tenth(point.y) } })),
      stage.on("selection", (ids) => diagram.aware({ selection: ids.length > 0 ? ids.slice(0, MOST_SELECTED) : null })),
    ];
    this.#everybody();
  }

  stop() {
    for (const stop of this.#stops) stop();
    clearInterval(this.#looking);
    this.#frames.stop();
    this.#marks.stop();
    this.#layer.remove();
  }

  /** No updates: people have come or gone, or the connection has. */
  #heard(updates) {
    if (updates.length === 0) return this.#everybody();
    for (const { connection_id: id, ...update } of updates) {
      if ("cursor" in update) this.#point(id, update.cursor);
      if ("selection" in update) this.#marks.selectionsChanged();
    }
    this.#frames.ask();
  }

  #everybody() {
    const { peers, you } = this.#diagram;
    for (const [id, pointer] of this.#pointers) {
      if (!peers.get(id)?.cursor) pointer.remove();
      if (!pointer.isShown) this.#pointers.delete(id);
    }
    for (const [id, { cursor }] of peers) {
      if (id !== you?.connection_id && !this.#pointers.has(id)) this.#point(id, cursor);
    }
    this.#marks.selectionsChanged();
    this.#frames.ask();
  }

  #point(id, cursor) {
    const owner = this.#crowd.owner(id);
    if (!cursor || !owner) {
      this.#pointers.get(id)?.remove();
      this.#pointers.delete(id);
      return;
    }
    if (!this.#pointers.has(id)) this.#pointers.set(id, new Pointer(this.#place, owner));
    this.#pointers.get(id).aim(cursor);
  }

  #viewChanged() {
    this.#isViewNew = true;
    this.#frames.ask();
  }

  /** One frame: transforms only, nothing is measured. */
  #draw(elapsed) {
    const view = viewOf(this.#stage);
    let goesOn = this.#marks.draw(view, this.#isViewNew);
    for (const pointer of this.#pointers.values()) goesOn = pointer.draw(view, elapsed, this.#isViewNew) || goesOn;
    this.#isViewNew = false;
    return goesOn;
  }

  #fade() {
    const now = Date.now();
    for (const pointer of this.#pointers.values()) pointer.fade(now);
  }
}

/** World to screen as two numbers and a scale, asked for once a frame however much is drawn. */
function viewOf(stage) {
  const from = stage.toScreen({ x: 0, y: 0 });
  const to = stage.toScreen({ x: 1000, y: 0 });
  return { x: from.x, y: from.y, scale: (to.x - from.x) / 1000 };
}

const tenth = (value) => Math.round(value * 10) / 10;

/** The arrow of one window, with the name of whose it is. */
class Pointer {
  isShown = true;
  #glide = new Glide(spanOf(GLIDE_MS));
  #heardAt;
  #isMoved = true;

  constructor(place, { name, colour, isYou }) {
    this.element = h(
      "div",
      { class: "cursor", "data-name": name },
      s("svg", { viewBox: "-1 -1 17 17", width: 22, height: 22 }, s("path", { d: "M0 0l5 14 3.2-5.6L14 6z" })),
      h("span", { class: "tag" }, isYou ? "You, elsewhere" : name),
    );
    this.element.style.setProperty("--who", colour);
    place.append(this.element);
  }

  aim({ x, y }) {
    this.#glide.aim([x, y]);
    this.#isMoved = true;
    this.#heardAt = Date.now();
    this.element.classList.remove("silent");
  }

  /** @returns whether it is still on its way */
  draw(view, elapsed, isViewNew) {
    if (!this.#isMoved && !isViewNew) return false;
    this.#glide.step(elapsed);
    const [x, y] = this.#glide.values;
    const place = [view.x + x * view.scale, view.y + y * view.scale].map(Math.round); // names between pixels blur
    this.element.style.transform = `translate(${place[0]}px, ${place[1]}px)`;
    this.#isMoved = !this.#glide.isThere;
    return this.#isMoved;
  }

  fade(now) {
    this.element.classList.toggle("silent", now - this.#heardAt > SILENT_MS);
  }

  remove() {
    this.isShown = false;
    this.element.remove();
  }
}
