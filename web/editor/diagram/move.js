/** Nodes on the move, with all that goes with them: what they contain, and the bends of flows between them. */

import * as commands from "../../shell/drawing/commands.js";
import { aligned, around, snapped, touches } from "../../shell/drawing/geometry.js";

const SNAP = 6; // px
const MOST_GUIDING = 400;

export class Move {
  #diagram;
  #stage;
  #from;
  #nodes = []; // {node, x, y}: where each of them was
  #bends = []; // {edge, vertices}
  #box; // around those that were taken hold of; null: somebody has removed them
  #others = []; // boxes that stay, to stand in line with

  constructor({ diagram, stage, from }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#from = from;
  }

  get #graph() {
    return this.#stage.graph;
  }

  pick() {
    const ids = new Set(commands.withChildren(this.#diagram.replica, this.#stage.selection));
    const nodes = [...ids].map((id) => this.#graph.getCellById(id)).filter(Boolean);
    this.#nodes = nodes.map((node) => ({ node, ...node.getPosition() }));
    this.#bends = bendsAmong(this.#graph, ids);
    this.#box = around(this.#stage.selectedNodes.map((id) => this.#stage.boxOf(id)));
    const still = this.#graph.getNodes().filter(({ id }) => !ids.has(id));
    const { viewport } = this.#stage;
    this.#others = still.map((node) => node.getBBox()).filter((box) => touches(viewport, box));
    this.#others.length = Math.min(this.#others.length, MOST_GUIDING);
  }

  /** Returns the lines along which they now stand. `isFree`: exactly where the pointer is. */
  to(point, { isFree }) {
    const { dx, dy, guides } = this.#snapped(point.x - this.#from.x, point.y - this.#from.y, isFree);
    this.#put(dx, dy);
    return guides;
  }

  restore() {
    this.#put(0, 0);
  }

  #put(dx, dy) {
    this.#nodes = this.#nodes.filter(({ node }) => node.model); // somebody may remove what we move
    for (const { node, x, y } of this.#nodes) node.setPosition(x + dx, y + dy);
    for (const { edge, vertices } of this.#bends) {
      if (edge.model) edge.setVertices(vertices.map(({ x, y }) => ({ x: x + dx, y: y + dy })));
    }
  }

  /** In line with others where they are near, else on the grid. */
  #snapped(dx, dy, isFree) {
    if (isFree || !this.#box) return { dx: Math.round(dx), dy: Math.round(dy), guides: [] };
    const { x, y } = this.#box;
    const to = { ...this.#box, x: x + dx, y: y + dy };
    const line = aligned(to, this.#others, SNAP / this.#stage.scale);
    return {
      dx: line.dx === undefined ? snapped(to.x) - x : dx + line.dx,
      dy: line.dy === undefined ? snapped(to.y) - y : dy + line.dy,
      guides: line.guides,
    };
  }

  /** What was dropped into a boundary, or taken out of one, belongs to it from now on. */
  settle() {
    const moved = new Set(this.#nodes.map(({ node }) => node.id));
    const boundaries = this.#graph.getNodes().filter(({ shape }) => shape === "security-boundary");
    const cells = boundaries.map(seen);
    for (const { node } of this.#nodes) {
      const before = node.getParentId();
      if (moved.has(before)) continue;
      const parent = commands.boundaryUnder({ cells: () => cells }, seen(node), moved);
      if (parent === (before ?? undefined)) continue;
      if (before) this.#graph.getCellById(before)?.unembed(node);
      if (parent) this.#graph.getCellById(parent).addChild(node);
    }
  }
}

/** The bends of flows between them: `{edge, vertices}`. */
export function bendsAmong(graph, ids) {
  const isWithin = (edge) => ids.has(edge.getSourceCellId()) && ids.has(edge.getTargetCellId());
  const edges = graph.getEdges().filter(isWithin);
  return edges.map((edge) => ({ edge, vertices: edge.getVertices() })).filter(({ vertices }) => vertices.length > 0);
}

const seen = (node) => ({ id: node.id, shape: node.shape, ...node.getPosition(), ...node.getSize() });
