/** A part of the world seen in an element: how one looks around in it, and who listens. */

import { h } from "../../shell/dom.js";

const MARGIN = 60;
const FAR = 0.4; // below this the text of flows cannot be read, and is not drawn
const VERY_FAR = 0.2; // nor that of nodes

export const ZOOM = { least: 0.01, most: 4 }; // what stands far apart must fit into a window, too

export class Surface {
  #view = { x: 0, y: 0, scale: 1 };
  #size = { width: 0, height: 0 };
  #corner = null; // of `root` in the window; asking for it lays the page out, so not with every move of the pointer
  #listeners = new Map(); // type -> Set of functions
  #moved;
  #observer = new ResizeObserver(([{ contentRect }]) => this.#resized(contentRect));

  /** @param moved called with `{x, y, scale}` and the size whenever one of them has changed */
  constructor(attributes, moved) {
    this.root = h("div", attributes);
    this.#moved = moved;
    for (const type of ["pointerdown", "pointerenter"]) {
      this.root.addEventListener(type, () => (this.#corner = null), { capture: true });
    }
    this.#observer.observe(this.root);
  }

  /** `view`, `hand`, `pointer`, `selection`, `gesture`; returns how to stop. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    this.#listeners.get(type).add(listener);
    return () => this.#listeners.get(type).delete(listener);
  }

  tell(type, detail) {
    for (const listener of this.#listeners.get(type) ?? []) listener(detail);
  }

  stop() {
    this.#observer.disconnect();
  }

  // -- where things are -----------------------------------------------------------------------------------------------

  toScreen({ x, y }) {
    return { x: x * this.#view.scale + this.#view.x, y: y * this.#view.scale + this.#view.y };
  }

  toWorld({ clientX, clientY }) {
    const { left, top } = this.#place;
    return {
      x: (clientX - left - this.#view.x) / this.#view.scale,
      y: (clientY - top - this.#view.y) / this.#view.scale,
    };
  }

  get viewport() {
    const { x, y, scale } = this.#view;
    return {
      x: -x / scale,
      y: -y / scale,
      width: this.#size.width / scale,
      height: this.#size.height / scale,
      zoom: scale,
    };
  }

  /** All of this part is seen, in the middle, as large as may be; its own zoom is that of another window. */
  show({ x, y, width, height }) {
    if (!(width > 0 && height > 0)) return;
    const scale = clamped(Math.min(this.#size.width / width, this.#size.height / height));
    this.#look({
      scale,
      x: this.#size.width / 2 - (x + width / 2) * scale,
      y: this.#size.height / 2 - (y + height / 2) * scale,
    });
  }

  // -- looking --------------------------------------------------------------------------------------------------------

  get scale() {
    return this.#view.scale;
  }

  /** By hand, as are `zoom`, `zoomTo` and `fit`. */
  pan(dx, dy) {
    this.#look({ ...this.#view, x: this.#view.x + dx, y: this.#view.y + dy }, true);
  }

  /** Around a point of the window, by default the middle. */
  zoom(factor, point = this.#middle) {
    const scale = clamped(this.#view.scale * factor);
    const ratio = scale / this.#view.scale;
    const { left, top } = this.#place;
    const [x, y] = [point.clientX - left, point.clientY - top];
    this.#look({ scale, x: x - (x - this.#view.x) * ratio, y: y - (y - this.#view.y) * ratio }, true);
  }

  zoomTo(scale) {
    this.zoom(scale / this.#view.scale);
  }

  /** All of a box, not larger than it is; without one the place where the world begins. */
  fit(box, byHand = true) {
    const { width, height } = this.#size;
    if (!box) return this.#look({ x: width / 2, y: height / 2, scale: 1 }, byHand);
    const scale = clamped(Math.min(1, (width - 2 * MARGIN) / box.width, (height - 2 * MARGIN) / box.height));
    this.#look(
      { scale, x: width / 2 - (box.x + box.width / 2) * scale, y: height / 2 - (box.y + box.height / 2) * scale },
      byHand,
    );
  }

  /** Moves only as far as needed to see the box. */
  scrollTo(box) {
    const { x, y } = this.toScreen(box);
    const [width, height] = [box.width * this.#view.scale, box.height * this.#view.scale];
    const dx = shift(x, width, this.#size.width);
    const dy = shift(y, height, this.#size.height);
    if (dx !== 0 || dy !== 0) this.pan(dx, dy);
  }

  get middle() {
    return this.toWorld(this.#middle);
  }

  get #middle() {
    const { left, top } = this.#place;
    return { clientX: left + this.#size.width / 2, clientY: top + this.#size.height / 2 };
  }

  get #place() {
    this.#corner ??= this.root.getBoundingClientRect();
    return this.#corner;
  }

  #look(view, byHand = false) {
    const { x, y, scale } = this.#view;
    if (view.x === x && view.y === y && view.scale === scale) return;
    this.#view = view;
    this.#moved(view, this.#size);
    this.#drawGrid();
    this.tell("view");
    if (byHand) this.tell("hand");
  }

  #drawGrid() {
    const { x, y, scale } = this.#view;
    const step = 24 * Math.max(scale, VERY_FAR) * (scale < 0.5 ? 4 : 1);
    this.root.style.backgroundSize = `${step}px ${step}px`;
    this.root.style.backgroundPosition = `${x}px ${y}px`;
    this.root.classList.toggle("far", scale < FAR);
    this.root.classList.toggle("very-far", scale < VERY_FAR);
  }

  /** What was in the middle stays there. */
  #resized({ width, height }) {
    this.#corner = null;
    if (width === 0 || height === 0) return;
    const before = this.#size;
    this.#size = { width, height };
    this.#moved(this.#view, this.#size);
    if (before.width > 0) {
      this.#look({
        ...this.#view,
        x: this.#view.x + (width - before.width) / 2,
        y: this.#view.y + (height - before.height) / 2,
      });
    }
    this.tell("view");
    if (before.width === 0) this.tell("ready");
  }
}

const clamped = (scale) => Math.min(ZOOM.most, Math.max(ZOOM.least, scale));

function shift(at, size, room) {
  if (at >= MARGIN && at + size <= room - MARGIN) return 0;
  return size > room - 2 * MARGIN ? room / 2 - at - size / 2 : at < MARGIN ? MARGIN - at : room - MARGIN - at - size;
}
