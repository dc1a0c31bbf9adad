/** Nodes pulled at the frame around them: one alone; several with what stands in them, and the bends between. */

import * as commands from "../../shell/drawing/commands.js";
import { around, pulled, snapped, stretched } from "../../shell/drawing/geometry.js";
import { bendsAmong } from "./move.js";

export class Resize {
  #diagram;
  #stage;
  #handle;
  #from;
  #nodes = []; // {node, before, least}: as each of them was, and as small as it may be
  #bends = []; // {edge, vertices}
  #box; // around those that were taken hold of; null: somebody has removed them
  #least; // that box when the smallest of them is as small as it may be

  constructor({ diagram, stage, handle, from }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#handle = handle;
    this.#from = from;
  }

  pick() {
    const { graph, selectedNodes: chosen } = this.#stage;
    const ids = new Set(chosen.length > 1 ? commands.withChildren(this.#diagram.replica, chosen) : chosen);
    const nodes = [...ids].map((id) => graph.getCellById(id)).filter(Boolean);
    this.#nodes = nodes.map((node) => ({ node, before: { ...node.getPosition(), ...node.getSize() } }));
    for (const one of this.#nodes) one.least = leastOf(one.before);
    this.#bends = bendsAmong(graph, ids);
    this.#box = around(chosen.map((id) => this.#stage.boxOf(id)));
    if (this.#box) this.#least = { width: this.#leastAlong("width"), height: this.#leastAlong("height") };
  }

  #leastAlong(size) {
    const room = ({ before, least }) => (least[size] * this.#box[size]) / before[size];
    return Math.ceil(Math.max(...this.#nodes.map(room)));
  }

  /** `isFree`: exactly where the pointer is. */
  to({ x, y }, { isFree }) {
    if (!this.#box) return;
    const on = isFree ? Math.round : snapped;
    this.#put(pulled(this.#box, this.#handle, x - this.#from.x, y - this.#from.y, this.#least, on));
  }

  restore() {
    if (this.#box) this.#put(this.#box);
  }

  #put(after) {
    for (const { node, before, least } of this.#nodes) {
      if (!node.model) continue; // somebody may remove what we pull
      const { x, y, width, height } = stretched(before, this.#box, after);
      node.setPosition(x, y);
      node.setProp("size", { width: Math.max(least.width, width), height: Math.max(least.height, height) });
    }
    for (const { edge, vertices } of this.#bends) {
      if (edge.model) edge.setVertices(vertices.map((bend) => moved(bend, this.#box, after)));
    }
  }
}

const leastOf = ({ width, height }) => ({
  width: Math.min(width, commands.SMALLEST.width),
  height: Math.min(height, commands.SMALLEST.height),
});

function moved(bend, before, after) {
  const { x, y } = stretched({ ...bend, width: 0, height: 0 }, before, after);
  return { x, y };
}
