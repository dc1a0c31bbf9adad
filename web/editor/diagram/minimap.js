/** The whole diagram in small; a press goes there. */

import { isEdge } from "../../sdk/codraw.js";
import { h } from "../../shell/dom.js";
import { around } from "../../shell/drawing/geometry.js";
import { onTheme } from "../../shell/theme.js";

const SIZE = { width: 176, height: 116 };
const PAUSE_MS = 400; // two thousand boxes take some milliseconds

export class Minimap {
  #stage;
  #canvas = h("canvas", { "aria-hidden": "true" });
  #seen = h("div", { class: "seen" });
  #map = { x: 0, y: 0, scale: 1 };
  #timer = null;
  #frame = 0;
  #stops;

  constructor({ stage }) {
    this.#stage = stage;
    this.root = h(
      "div",
      { class: "minimap over", title: "The whole diagram: press to go there" },
      this.#canvas,
      this.#seen,
    );
    this.root.addEventListener("pointerdown", (event) => this.#goes(event));
    const ask = () => this.#cellsChanged();
    this.#stops = [stage.on("view", () => this.#viewChanged()), stage.on("change", ask), onTheme(ask)];
    this.#cellsChanged();
  }

  stop() {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
  }

  #cellsChanged() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#draw();
    }, PAUSE_MS);
  }

  #viewChanged() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#frameView());
  }

  #draw() {
    const nodes = this.#stage.cells().filter((cell) => !isEdge(cell));
    const box = around(nodes);
    this.root.hidden = !box;
    if (!box) return;
    const ratio = devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: SIZE.width * ratio, height: SIZE.height * ratio });
    const scale = Math.min((SIZE.width - 12) / box.width, (SIZE.height - 12) / box.height, 0.2);
    this.#map = {
      scale,
      x: (SIZE.width - box.width * scale) / 2 - box.x * scale,
      y: (SIZE.height - box.height * scale) / 2 - box.y * scale,
    };
    const context = this.#canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, SIZE.width, SIZE.height);
    // A canvas knows no custom properties; what they come to stands in the style of the place around it.
    const { color, outlineColor } = getComputedStyle(this.root);
    for (const { x, y, width, height, shape } of nodes) {
      const place = [
        this.#map.x + x * scale,
        this.#map.y + y * scale,
        Math.max(1, width * scale),
        Math.max(1, height * scale),
      ];
      context.fillStyle = color;
      context.strokeStyle = outlineColor;
      if (shape === "security-boundary") context.strokeRect(...place);
      else context.fillRect(...place);
    }
    this.#frameView();
  }

  #frameView() {
    const { x, y, width, height } = this.#stage.viewport;
    const { scale } = this.#map;
    const left = Math.max(0, this.#map.x + x * scale);
    const top = Math.max(0, this.#map.y + y * scale);
    const right = Math.min(SIZE.width, this.#map.x + (x + width) * scale);
    const bottom = Math.min(SIZE.height, this.#map.y + (y + height) * scale);
    Object.assign(this.#seen.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.max(0, right - left)}px`,
      height: `${Math.max(0, bottom - top)}px`,
    });
  }

  #goes(down) {
    this.root.setPointerCapture(down.pointerId);
    const go = (event) => {
      const { left, top } = this.#canvas.getBoundingClientRect();
      const to = {
        x: (event.clientX - left - this.#map.x) / this.#map.scale,
        y: (event.clientY - top - this.#map.y) / this.#map.scale,
      };
      const at = this.#stage.middle;
      this.#stage.pan((at.x - to.x) * this.#stage.scale, (at.y - to.y) * this.#stage.scale);
    };
    const abort = new AbortController();
    this.root.addEventListener("pointermove", go, { signal: abort.signal });
    for (const type of ["pointerup", "pointercancel"])
      this.root.addEventListener(type, () => abort.abort(), { signal: abort.signal });
    go(down);
  }
}
