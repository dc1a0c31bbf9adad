/** What one can take hold of on the one flow that is selected: its bends and its ends. X6's own tools. */

const HOLD = { fill: "var(--surface)", stroke: "var(--accent)", "stroke-width": 1.8 };
const END = {
  ...HOLD,
  fill: "var(--accent)",
  stroke: "var(--surface)",
  d: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0",
  cursor: "move",
};
const TOOLS = [
  { name: "vertices", args: { attrs: { ...HOLD, r: 5, cursor: "move" }, snapRadius: 8 } },
  { name: "source-arrowhead", args: { attrs: END } },
  { name: "target-arrowhead", args: { attrs: END } },
];

export class FlowTools {
  #diagram;
  #stage;
  #held = null; // the edge that shows its tools
  #stops;

  constructor({ diagram, stage }) {
    this.#diagram = diagram;
    this.#stage = stage;
    const draw = () => this.#draw();
    this.#stops = [stage.on("selection", draw), diagram.on("welcome", draw), diagram.on("participants", draw)];
  }

  stop() {
    for (const stop of this.#stops) stop();
  }

  #draw() {
    const [id, ...others] = this.#diagram.canWrite ? this.#stage.selection : [];
    const cell = id && others.length === 0 ? this.#stage.graph.getCellById(id) : null;
    const edge = cell?.isEdge() ? cell : null;
    if (edge === this.#held) return;
    if (this.#held?.model) this.#held.removeTools();
    this.#held = edge;
    edge?.addTools(TOOLS);
  }
}
