/** Smooth movement between values that come twenty times a second, drawn once a frame. */

/** Numbers that run after others. Time comes from outside, in milliseconds. */
export class Glide {
  #span;
  #now = null;
  #goal = null;

  /** @param span how long two thirds of the way take; 0: no way, only arrivals */
  constructor(span) {
    this.#span = span;
  }

  get values() {
    return this.#now;
  }

  get isThere() {
    return this.#now === this.#goal;
  }

  /** Where to; the first place is taken at once. */
  aim(goal) {
    this.#goal = goal;
    this.#now ??= goal;
  }

  step(elapsed) {
    if (this.isThere) return;
    const share = this.#span > 0 ? 1 - Math.exp(-elapsed / this.#span) : 1;
    const next = this.#now.map((value, at) => value + (this.#goal[at] - value) * share);
    const isThere = next.every((value, at) => Math.abs(this.#goal[at] - value) < 0.25);
    this.#now = isThere ? this.#goal : next;
  }
}

/** Whoever asked the system for less motion gets arrivals only. */
export const spanOf = (milliseconds) => (matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : milliseconds);

/** Calls `draw(elapsed)` once in the next frame, however often it is asked, and on while that returns true. */
export class Frames {
  #draw;
  #asked = 0;
  #last = null; // when the frame before was, while they follow each other

  constructor(draw) {
    this.#draw = draw;
  }

  ask() {
    this.#asked ||= requestAnimationFrame((now) => {
      this.#asked = 0;
      const goesOn = this.#draw(now - (this.#last ?? now - 16));
      this.#last = goesOn ? now : null;
      if (goesOn) this.ask();
    });
  }

  stop() {
    cancelAnimationFrame(this.#asked);
    this.#asked = 0;
  }
}
