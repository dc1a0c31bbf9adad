/** Everything without a mouse: going through the cells, moving, resizing, connecting, naming; and the list of keys. */

import { h, letterOf, takesLetters } from "../../shell/dom.js";
import * as commands from "../../shell/drawing/commands.js";
import { GRID } from "../../shell/drawing/geometry.js";
import { Stepping } from "../../shell/drawing/stepping.js";
import { LOOKING, TOOLS } from "./palette.js";
import { inReadingOrder, spoken, walked } from "./spoken.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAN = 60;

export class Keyboard {
  #diagram;
  #stage;
  #editor;
  #abort = new AbortController();
  #stepping = new Stepping();
  #kept = []; // what stays selected while one goes on to other cells
  #source = null; // where a flow begins that is being connected by keys
  #isLeaving = false; // Escape was pressed with nothing to let go of: Tab leads out

  constructor({ diagram, stage, editor }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#editor = editor;
    const { signal } = this.#abort;
    stage.root.addEventListener("focus", () => (this.#isLeaving = false), { signal });
    document.addEventListener("keydown", (event) => this.#onStage(event), { signal });
    document.addEventListener("keydown", (event) => this.#anywhere(event), { signal });
  }

  stop() {
    this.#abort.abort();
  }

  // -- wherever the focus is ------------------------------------------------------------------------------------------

  #anywhere(event) {
    if (event.defaultPrevented || event.target.closest?.("input, textarea, select, dialog, [contenteditable]")) return;
    const key = letterOf(event);
    const command = event.ctrlKey || event.metaKey;
    if (command && key === "z" && !event.shiftKey) this.#editor.undo();
    else if (command && (key === "y" || key === "z")) this.#editor.redo();
    else if (command || event.altKey || !takesLetters(event.target, ".stage, .tools")) return;
    else if (event.key === "?") showKeys();
    else if (key === "+" || key === "=") this.#stage.zoom(1.25);
    else if (key === "-") this.#stage.zoom(0.8);
    else if (key === "0") this.#stage.zoomTo(1);
    else if (key === "1") this.#stage.showAll();
    else if (!this.#tool(key)) return;
    event.preventDefault();
  }

  #tool(key) {
    const found = TOOLS.find((one) => one.key === key);
    if (!found || (!this.#diagram.canWrite && !LOOKING.has(found.tool))) return false;
    if (found.tool === "flow" && document.activeElement === this.#stage.root && this.#startFlow()) return true;
    this.#editor.use(found.tool);
    return true;
  }

  // -- in the drawing, or where nothing has the focus: Tab goes to the page from there --------------------------------

  #onStage(event) {
    const isHere = event.target === this.#stage.root;
    if (!isHere && (event.target !== document.body || event.key === "Tab")) return;
    const command = event.ctrlKey || event.metaKey;
    const key = letterOf(event);
    if (event.key in ARROWS && !command) this.#arrow(event, ARROWS[event.key]);
    else if (event.key === "Tab" && !command) return this.#walk(event);
    else if (key === " " && (event.ctrlKey || event.shiftKey)) this.#keep();
    else if (event.key === "Enter" && event.altKey) this.#editor.format();
    else if (command && key === "a") this.#stage.select(this.#stage.cells().map(({ id }) => id));
    else if (command && key === "d") this.#editor.duplicate();
    else if (command) return;
    else if (event.key === "Escape") this.#escape();
    else if (event.key === "Delete" || event.key === "Backspace") this.#editor.remove();
    else if (event.key === "Enter" || event.key === "F2") this.#enter();
    else if (event.key === "]" || event.key === "[") this.#editor.raise(event.key === "]");
    else return;
    event.preventDefault();
  }

  /** Nodes as one reads, then flows; past the last one the focus goes on. */
  #walk(event) {
    const ids = inReadingOrder(this.#stage.cells());
    this.#keepSelected();
    const next = this.#isLeaving ? null : walked(ids, this.#stage.selection, this.#kept, event.shiftKey ? -1 : 1);
    if (!next) return this.#stage.select([]);
    event.preventDefault();
    this.#stage.reveal(next.id);
    this.#stage.select(next.selection);
    const also = next.selection.length > 1 ? `, ${next.selection.length} selected` : "";
    this.#editor.say(`${spoken(this.#diagram.replica, next.id)}, ${next.at + 1} of ${ids.length}${also}`);
  }

  /** The cell one is at stays selected, or no longer does, when one goes on. */
  #keep() {
    const id = this.#stage.selection.at(-1);
    if (!id) return;
    this.#keepSelected();
    const isKept = this.#kept.includes(id);
    this.#kept = isKept ? this.#kept.filter((one) => one !== id) : [...this.#kept, id];
    this.#editor.say(`${spoken(this.#diagram.replica, id)} ${isKept ? "is let go of" : "stays selected"} when you go on`);
  }

  #keepSelected() {
    this.#kept = this.#kept.filter((id) => this.#stage.selection.includes(id));
  }

  #escape() {
    this.#source = null;
    if (this.#editor.cancel()) return;
    if (this.#editor.tool !== "select") return this.#editor.use("select");
    this.#isLeaving = this.#stage.selection.length === 0;
    if (this.#isLeaving) this.#editor.say("Tab leaves the drawing.");
    this.#stage.select([]);
  }

  #enter() {
    const id = this.#stage.selectedNodes.at(-1);
    const source = this.#source;
    this.#source = null;
    if (source && id && id !== source) this.#editor.connect(source, id);
    else if (this.#stage.selection.length > 0) this.#editor.rename(this.#stage.selection.at(-1));
  }

  /** F on a node, Tab to another, Enter; or F with two of them selected. */
  #startFlow() {
    if (this.#editor.connectSelected()) return true;
    const [id, ...others] = this.#stage.selectedNodes;
    if (!id || others.length > 0 || !this.#diagram.canWrite) return false;
    this.#source = id;
    this.#editor.say("A flow begins here. Tab to where it goes, then Enter.");
    return true;
  }

  #arrow(event, [x, y]) {
    const ids = this.#stage.selection;
    const nodes = this.#stage.selectedNodes;
    if (nodes.length === 0) return this.#stage.pan(-x * PAN, -y * PAN);
    if (!this.#diagram.canWrite) return;
    const step = event.altKey ? 1 : GRID;
    const look = this.#diagram.replica;
    const changes = event.shiftKey
      ? grown(look, nodes, x * step, y * step)
      : commands.nudged(look, ids, x * step, y * step);
    this.#editor.edit(changes, { groupId: this.#stepping.groupOf(nodes) });
  }
}

function grown(look, ids, dx, dy) {
  const { width, height } = commands.SMALLEST;
  const size = (cell) => ({ width: Math.max(width, cell.width + dx), height: Math.max(height, cell.height + dy) });
  return commands.placed(look, new Map(ids.map((id) => [id, size(look.get(id))])));
}

const KEYS = [
  ["Tab, Shift+Tab", "go through the cells"],
  ["Enter, F2, double click", "name"],
  ["Arrows", "move by the grid; with Alt by one, with Shift resize"],
  ["Delete", "remove"],
  ["Ctrl+Space, Shift+Space", "keep the cell selected while Tab goes on"],
  ["Alt+Enter", "to the panel of what is selected; Escape leads back"],
  ["Ctrl+A, C, X, V, D", "all, copy, cut, paste, duplicate"],
  ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"],
  ["[ and ]", "to the back, to the front"],
  ["F, Tab, Enter", "connect the selected cell with another"],
  ["Shift+drag", "frame several; Shift+click adds one"],
  ["Alt while dragging", "neither grid nor lines"],
  ["Wheel, Space+drag", "look around; Ctrl+wheel or pinch zooms"],
  ["+, −, 0, 1", "zoom in, out, to 100 %, to everything"],
  ["Escape", "let go; once more, and Tab leaves the drawing"],
];

/** The list of all keys. */
export function showKeys() {
  const line = ([keys, what]) => [h("dt", keys), h("dd", what)];
  const tools = TOOLS.map(({ name, key }) => `${key.toUpperCase()} ${name}`).join(", ");
  const dialog = h(
    "dialog",
    { class: "question keys", "aria-label": "Keys", onclose: () => dialog.remove() },
    h(
      "form",
      { method: "dialog" },
      h("h2", "Keys"),
      h("dl", [...KEYS, ["Tools", tools]].flatMap(line)),
      h("div", { class: "row end" }, h("button", { class: "primary", autofocus: true }, "Close")),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  dialog.scrollTop = 0; // the button that has the focus is at the end
}
