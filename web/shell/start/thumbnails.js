/** Pictures of diagrams, asked for when they come into sight and again when they have changed. */

import { onTheme, theme } from "../theme.js";

const WIDTH = 480;
const AT_ONCE = 3;
const NEAR = "200px";

export class Thumbnails {
  #rest;
  #wanted = new Map(); // img -> {threatModelId, id, vector}
  #seen = new Set(); // img that are in sight, or were
  #shown = new Map(); // img -> {key, address}
  #queue = [];
  #running = 0;
  #isStopped = false;
  #watch = new IntersectionObserver((entries) => this.#cameIntoSight(entries), { rootMargin: NEAR });
  #forget;

  constructor(rest) {
    this.#rest = rest;
    this.#forget = onTheme(() => this.#seen.forEach((image) => this.#ask(image)));
  }

  /** Shows that version of a diagram in an `img`; until it is there, and where it cannot be had, what was there stays. */
  show(image, { threatModelId, id, vector }) {
    const isNew = !this.#wanted.has(image);
    this.#wanted.set(image, { threatModelId, id, vector });
    if (isNew) this.#watch.observe(image);
    else if (this.#seen.has(image)) this.#ask(image);
  }

  drop(image) {
    this.#watch.unobserve(image);
    this.#wanted.delete(image);
    this.#seen.delete(image);
    URL.revokeObjectURL(this.#shown.get(image)?.address);
    this.#shown.delete(image);
  }

  stop() {
    this.#isStopped = true;
    this.#watch.disconnect();
    this.#forget();
    for (const image of this.#wanted.keys()) this.drop(image);
  }

  #cameIntoSight(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.#watch.unobserve(target);
      this.#seen.add(target);
      this.#ask(target);
    }
  }

  #ask(image) {
    if (!this.#queue.includes(image)) this.#queue.push(image);
    this.#goOn();
  }

  #goOn() {
    while (this.#running < AT_ONCE && this.#queue.length > 0) this.#next();
  }

  async #next() {
    const image = this.#queue.shift();
    const wanted = this.#wanted.get(image);
    const key = wanted && `${wanted.vector} ${theme()}`;
    if (!wanted || this.#shown.get(image)?.key === key) return;
    this.#running += 1;
    try {
      const address = URL.createObjectURL(await this.#picture(wanted));
      if (this.#wanted.has(image) && !this.#isStopped) this.#put(image, key, address);
      else URL.revokeObjectURL(address);
    } catch {
      // What stands there until then says enough.
    } finally {
      this.#running -= 1;
      this.#goOn();
    }
  }

  #put(image, key, address) {
    const before = this.#shown.get(image)?.address;
    this.#shown.set(image, { key, address });
    image.onload = () => URL.revokeObjectURL(before);
    image.src = address;
  }

  async #picture({ threatModelId, id }) {
    const query = new URLSearchParams({ format: "svg", width: WIDTH, theme: theme(), background: "transparent" });
    const path = `/threat_models/${threatModelId}/diagrams/${id}/image?${query}`;
    const answer = await this.#rest.request("GET", path, { headers: { Accept: "image/svg+xml" } });
    return answer.blob();
  }
}
