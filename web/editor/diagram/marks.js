/** What lies over the drawing while one works: frames of the selection, handles, lines to snap to. */

import { assign, s } from "../../shell/dom.js";
import { around } from "../../shell/drawing/geometry.js";

const HANDLES = { nw: [0, 0], ne: [1, 0], se: [1, 1], sw: [0, 1] }; // the sides belong to the ports
const PAD = 5;
const MOST_FRAMES = 300;

export class Marks {
  #stage;
  #diagram;
  #frames = s("g", { class: "frames" });
  #handles = s("g", { class: "handles" });
  #sketch = s("g", { class: "sketch" });
  #stops;

  constructor({ diagram, stage }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.root = s("svg", { class: "marks", "aria-hidden": "true" }, this.#frames, this.#sketch, this.#handles);
    stage.root.append(this.root);
    const draw = () => this.draw();
    this.#stops = [stage.on("view", draw), stage.on("selection", draw), stage.on("change", draw)];
    this.#stops.push(diagram.on("welcome", draw), diagram.on("participants", draw)); // what one may do
  }

  stop() {
    for (const stop of this.#stops) stop();
    this.root.remove();
  }

  draw() {
    const nodes = this.#stage.selectedNodes;
    const boxes = nodes.slice(0, MOST_FRAMES).map((id) => this.#screen(this.#stage.boxOf(id)));
    const frames = boxes.filter(Boolean);
    while (this.#frames.childElementCount > frames.length) this.#frames.lastChild.remove();
    while (this.#frames.childElementCount < frames.length) this.#frames.append(s("rect", { rx: 4 }));
    frames.forEach((box, at) => assign(this.#frames.children[at], padded(box)));
    this.#drawHandles(nodes.length <= MOST_FRAMES && this.#diagram.canWrite ? around(frames) : null);
  }

  #drawHandles(box) {
    if (!box) return this.#handles.replaceChildren();
    if (this.#handles.childElementCount === 0) {
      const handle = (name) => s("rect", { class: `handle ${name}`, "data-handle": name, width: 9, height: 9, rx: 2 });
      this.#handles.append(s("rect", { class: "whole" }), ...Object.keys(HANDLES).map(handle));
    }
    const { x, y, width, height } = padded(box);
    const [whole, ...handles] = this.#handles.children;
    assign(whole, { x, y, width, height });
    Object.values(HANDLES).forEach(([right, low], at) => {
      assign(handles[at], { x: x + right * width - 4.5, y: y + low * height - 4.5 });
    });
  }

  #screen(box) {
    if (!box) return null;
    const { x, y } = this.#stage.toScreen(box);
    return { x, y, width: box.width * this.#stage.scale, height: box.height * this.#stage.scale };
  }

  /** A frame that is being pulled, in world coordinates; null takes it away. */
  frame(box) {
    this.#sketch.replaceChildren(...(box ? [s("rect", { class: "pull", ...this.#screen(box) })] : []));
  }

  /** A flow that is being drawn. */
  line(box, to) {
    if (!box) return this.#sketch.replaceChildren();
    const from = this.#stage.toScreen({ x: box.x + box.width / 2, y: box.y + box.height / 2 });
    const end = this.#stage.toScreen(to);
    this.#sketch.replaceChildren(s("path", { class: "draft", d: `M${from.x} ${from.y}L${end.x} ${end.y}` }));
  }

  guides(lines) {
    this.#sketch.replaceChildren(...lines.map((line) => s("path", { class: "guide", d: this.#guide(line) })));
  }

  #guide({ x, y, from, to }) {
    const [a, b] =
      x === undefined
        ? [
            { x: from, y },
            { x: to, y },
          ]
        : [
            { x, y: from },
            { x, y: to },
          ];
    const [start, end] = [this.#stage.toScreen(a), this.#stage.toScreen(b)];
    return `M${start.x} ${start.y}L${end.x} ${end.y}`;
  }
}

const padded = ({ x, y, width, height }) => ({
  x: x - PAD,
  y: y - PAD,
  width: width + 2 * PAD,
  height: height + 2 * PAD,
});
