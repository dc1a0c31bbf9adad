/**
 * The drawing area: an X6 graph, what part of it is seen, what is selected, where the pointer is.
 *
 * What is laid around it (cursors, following, files) knows nothing of X6 and works on any page whose stage has
 * `root`, `toScreen`, `toWorld`, `boxOf`, `viewport`, `show`, `reveal`, `selection` and `on`. World coordinates are
 * those of the cells; screen coordinates are CSS pixels within `root`.
 */

import { isEdge, uuid } from "../../sdk/codraw.js";
import { bindGraph, LAYING, registerShapes } from "../../adapters/x6.js";
import { h } from "../../shell/dom.js";
import { around, GRID, touches } from "../../shell/drawing/geometry.js";
import { Surface, ZOOM } from "./surface.js";

const ATTRIBUTES = {
  class: "stage",
  id: "stage",
  tabindex: 0,
  role: "application",
  "aria-roledescription": "diagram",
  "aria-label": "Diagram. Tab goes through the cells, question mark shows the keys.",
};

const HIGHLIGHT = { "stroke-width": 2.4, stroke: "var(--accent)" };

export class Stage extends Surface {
  selection = [];
  #diagram;
  #isGesturing = false;
  #stops = [];

  constructor(diagram, X6) {
    super(ATTRIBUTES, (view, size) => this.#moved(view, size));
    this.#diagram = diagram;
    const surface = h("div", { class: "graph" });
    this.root.append(surface);
    registerShapes(X6);
    this.graph = new X6.Graph({
      container: surface,
      width: 100,
      height: 100,
      async: true,
      virtual: { enabled: true, margin: 200 },
      panning: false,
      mousewheel: false,
      grid: { size: GRID, visible: false },
      preventDefaultContextMenu: false,
      magnetThreshold: 4,
      scaling: { min: ZOOM.least, max: ZOOM.most },
      highlighting: { default: { name: "stroke", args: { padding: 4, attrs: HIGHLIGHT } } },
      interacting: () => this.#interacting(),
      connecting: {
        ...LAYING,
        snap: { radius: 24 },
        highlight: true,
        allowBlank: false,
        allowEdge: false,
        allowLoop: true,
        allowMulti: true,
        createEdge: () => this.graph.createEdge({ shape: "flow", id: uuid(), zIndex: 0 }),
      },
    });
    this.binding = bindGraph(diagram, this.graph, { failed: (error) => this.tell("failed", error) });
    this.#stops.push(diagram.on("change", ({ ids, reset }) => this.#changed(ids, reset)));
    this.#listen();
  }

  /** X6 moves nothing by itself: gestures.js does, so that many can move as one. */
  #interacting() {
    const may = this.#diagram.canWrite;
    return {
      nodeMovable: false,
      edgeMovable: false,
      edgeLabelMovable: false,
      magnetConnectable: may,
      arrowheadMovable: may,
      vertexMovable: may,
      vertexAddable: may,
      vertexDeletable: may,
    };
  }

  // -- the contract ---------------------------------------------------------------------------------------------------

  boxOf(id) {
    const cell = this.graph.getCellById(id);
    if (!cell) return null;
    const path = cell.isEdge() && this.graph.findViewByCell(cell)?.path;
    const { x, y, width, height } = (path && path.bbox()) || cell.getBBox();
    return { x, y, width, height };
  }

  /** Of a flow, the middle of its line. */
  middleOf(id) {
    const path = this.graph.findViewByCell(id)?.path;
    const { x, y } = path?.pointAt(0.5) ?? this.graph.getCellById(id).getBBox().getCenter();
    return { x, y };
  }

  reveal(id) {
    const box = this.boxOf(id);
    if (!box) return;
    this.scrollTo(box);
    this.select([id]);
  }

  /** The cells as they are shown, canonical, in order. */
  cells() {
    return [...this.#diagram.replica.cells()];
  }

  // -- selecting ------------------------------------------------------------------------------------------------------

  select(ids) {
    const before = this.selection;
    const next = [...new Set(ids)].filter((id) => this.#diagram.replica.get(id));
    if (next.length === before.length && next.every((id, at) => id === before[at])) return;
    this.selection = next;
    for (const id of before) this.#mark(id, false);
    for (const id of next) this.#mark(id, true);
    this.root.classList.toggle("single", next.length === 1);
    this.tell("selection", next);
  }

  toggle(id) {
    this.select(this.selection.includes(id) ? this.selection.filter((other) => other !== id) : [...this.selection, id]);
  }

  /** What of the selection is a node. */
  get selectedNodes() {
    return this.selection.filter((id) => !isEdge(this.#diagram.replica.get(id) ?? { shape: "flow" }));
  }

  #mark(id, isSelected) {
    const view = this.graph.findViewByCell(id);
    if (isSelected) view?.addClass("selected");
    else view?.removeClass("selected");
  }

  #changed(ids, reset) {
    const { replica } = this.#diagram;
    if (this.selection.some((id) => !replica.get(id))) this.select(this.selection);
    for (const id of this.selection) if (reset || ids.has(id)) this.#mark(id, true);
    this.tell("change", ids);
  }

  #moved({ x, y, scale }, { width, height }) {
    if (width !== this.graph.options.width || height !== this.graph.options.height) this.graph.resize(width, height);
    if (scale !== this.graph.zoom()) this.graph.scale(scale);
    this.graph.translate(x, y);
  }

  /** Everything that is drawn. */
  showAll(byHand = true) {
    this.fit(around(this.graph.getNodes().map((node) => node.getBBox())), byHand);
  }

  /** All of it, for paper, which neither scrolls nor waits for the next frame. */
  get printed() {
    const { graph } = this;
    const svg = this.root.querySelector(".x6-graph-svg");
    const whole = () => {
      graph.disableVirtualRender();
      graph.renderer.schedule.queue.flushJobsSync();
      return () => graph.enableVirtualRender();
    };
    return { svg, world: svg.querySelector(".x6-graph-svg-viewport"), whole };
  }

  // -- what is where --------------------------------------------------------------------------------------------------

  idAt({ target }) {
    return target.closest?.("[data-cell-id]")?.dataset.cellId;
  }

  nodesIn(box) {
    return this.graph.getNodes().filter((node) => touches(box, node.getBBox()));
  }

  // -- gestures -------------------------------------------------------------------------------------------------------

  /** Between the two all that changes is one step of undo. */
  begin() {
    if (this.#isGesturing) return;
    this.#isGesturing = true;
    this.binding.begin();
    this.tell("gesture", true);
  }

  end() {
    if (!this.#isGesturing) return;
    this.#isGesturing = false;
    this.binding.end();
    this.tell("gesture", false);
  }

  get isGesturing() {
    return this.#isGesturing;
  }

  /** For what the user works on without changing it yet: a text that is being written. */
  busy(isBusy) {
    this.tell("gesture", isBusy);
  }

  #listen() {
    const { root } = this;
    root.addEventListener("pointermove", (event) => this.tell("pointer", this.toWorld(event)));
    root.addEventListener("pointerleave", () => this.tell("pointer", null));
    this.graph.on("edge:connected", ({ isNew, edge }) => isNew && this.#connected(edge.id));
  }

  /** The binding sends it within the gesture; it can be selected once it is there. */
  #connected(id) {
    this.binding.flush();
    this.select([id]);
    this.tell("connected", id);
  }

  stop() {
    super.stop();
    for (const stop of this.#stops) stop();
    this.binding.stop();
    this.graph.dispose();
  }
}
