/** The drawing as those around it see it: the same that web/editor/diagram/stage.js offers over its own drawing. */

import { h } from "../shell/dom.js";
import { Canvas } from "./canvas.js";

/**
 * `on(type, fn)` returns how to stop; types: `view` (it looks elsewhere, whatever made it), `hand` (the person did),
 * `pointer` (`{x, y}` of the world, null: away), `selection` (ids), `gesture` (whether one goes on).
 */
export class Stage {
  canvas;
  root = h("div", { class: "stage" });
  #listeners = new Map(); // type -> Set of functions

  constructor(look) {
    this.canvas = new Canvas(look, (type, detail) => this.tell(type, detail));
    this.root.append(this.canvas.root);
    this.canvas.root.addEventListener("pointermove", (event) => this.tell("pointer", this.toWorld(event)));
    this.canvas.root.addEventListener("pointerleave", () => this.tell("pointer", null));
  }

  on(type, fn) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(fn);
    return () => this.#listeners.get(type).delete(fn);
  }

  tell(type, detail) {
    for (const fn of [...(this.#listeners.get(type) ?? [])]) fn(detail);
  }

  toScreen(point) {
    return this.canvas.toScreen(point);
  }

  toWorld(event) {
    return this.canvas.toWorld(event);
  }

  boxOf(id) {
    return this.canvas.extentOf(id);
  }

  get viewport() {
    return this.canvas.seen;
  }

  show(viewport) {
    this.canvas.show(viewport);
  }

  reveal(id) {
    this.canvas.reveal(id);
  }

  get selection() {
    return [...this.canvas.selection];
  }
}
