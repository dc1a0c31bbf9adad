/** One open diagram: the drawing, its tools, who is there, how the connection is. */

import { caption } from "../adapters/x6-shapes.js";
import { connect, isEdge } from "../sdk/codraw.js";
import { composes, h, letterOf, takesLetters, toast } from "../shell/dom.js";
import * as commands from "../shell/drawing/commands.js";
import { Gestures } from "./gestures.js";
import { icon } from "../shell/icons.js";
import { Inspector } from "./inspector.js";
import { printing } from "../shell/printing.js";
import { Stage } from "./stage.js";
import { connection } from "../shell/together/connection.js";
import { cursors } from "../shell/together/cursors.js";
import { following } from "../shell/together/following.js";
import { notices } from "../shell/together/notices.js";
import { people } from "../shell/together/people.js";
import { session } from "../shell/together/session.js";
import { sharing } from "../shell/together/sharing.js";
import { undoing } from "../shell/together/undoing.js";
import { themeSwitch } from "../shell/theme.js";
import { titleOf } from "../shell/title.js";
import { unsaved } from "../shell/unsaved.js";
import { Weather } from "./weather.js";

const TOOLS = [
  ["select", "Select", "v"],
  ...Object.entries(commands.SHAPES).map(([shape, { name, key }]) => [shape, name, key]),
  ["flow", "Flow", "f"],
];
const ROOMY = 1100; // CSS pixels: the inspector is there from the start
const COLOURS = [null, "#f4c7c3", "#fce8b2", "#cfe8cf", "#c6dafc", "#dccbf0", "#5b6470"];

/** Shows the diagram in `main`. `leave()` resolves to whether the person wants to go, `stop()` goes. */
export async function openWorkspace({ main, rest, place, onLeave }) {
  const { threatModelId, diagramId } = place;
  const [described, me] = await Promise.all([rest.diagram(threatModelId, diagramId), rest.me()]);
  let inspector = null;
  const weather = new Weather((frame) => inspector?.note(frame));
  const title = titleOf({ rest, place, name: described.name });
  const live = rest.live(threatModelId, diagramId, { told: ({ diagram_name: name }) => title.is(name) });
  const ticket = (asked) => (weather.isOffline ? Promise.reject(new TypeError("no network")) : live.ticket(asked));
  const diagram = connect({ ...live, ticket, storage: unsaved(me, diagramId), WebSocket: weather.WebSocket });
  diagram.replica.show({ ...described, epoch: "" }); // until it is live; of no epoch, since nothing is resumed from it
  const stage = new Stage(diagram.replica);
  inspector = new Inspector({ diagram, weather, place, rest, chosen: () => stage.selection });
  const editor = new Editor({ diagram, stage, inspector, rest, title, onLeave });
  main.replaceChildren(editor.root);
  if (location.pathname === "/playground" && innerWidth >= ROOMY) editor.inspect();
  editor.show();
  return editor;
}

class Editor {
  tool = "select";
  #diagram;
  #stage;
  #inspector;
  #onLeave;
  #session;
  #parts; // of the page around the drawing
  #steps; // of undo and redo
  #tools = new Map();
  #undo = this.#iconButton("undo", "Undo (Ctrl+Z)", () => this.undo());
  #redo = this.#iconButton("redo", "Redo (Ctrl+Shift+Z)", () => this.redo());
  #inspect = this.#iconButton("inspect", "Inspector", () => this.inspect());
  #selectionBar = h("div", { class: "selection-bar", role: "toolbar", "aria-label": "Selection", hidden: true });
  #barOf = " "; // the cells that it is for
  #notice = h("p", { class: "notice", hidden: true }, "You can look on and point, but not edit.");
  #isFitted = false;
  #isBusy = false;
  #abort = new AbortController();

  constructor({ diagram, stage, inspector, rest, title, onLeave }) {
    this.#diagram = diagram;
    this.#steps = undoing({ diagram });
    this.#stage = stage;
    this.#inspector = inspector;
    this.#onLeave = onLeave;
    this.#session = session({ diagram, rest, onLeave });
    this.canvas = stage.canvas;
    stage.root.append(this.#selectionBar, this.#notice, this.#zoomBar());
    this.root = h(
      "div",
      { class: "workspace" },
      this.#header(title),
      this.#toolBar(),
      stage.root,
      inspector.root,
    );
    this.#parts.push(printing(stage.canvas.printed));
    new Gestures(this);
    this.#listen();
    this.#rightsChanged();
    this.use("select");
  }

  /** What is known before it is live: fitted into the page, in which it must be by now. */
  show() {
    this.#changed([], true);
  }

  get isLive() {
    return this.#diagram.isLive;
  }

  get look() {
    return this.#diagram.replica;
  }

  get canWrite() {
    return this.#diagram.canWrite;
  }

  // -- what gestures and buttons ask for -----------------------------------------------------------------------------

  edit(changes, options) {
    if (!this.canWrite || changes.length === 0) return;
    try {
      this.#diagram.edit(changes, options);
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  select(ids) {
    this.canvas.select(ids);
    this.#drawSelectionBar();
  }

  /** Whether something is being dragged or renamed: the others are told what. */
  busy(isBusy) {
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#stage.tell("gesture", isBusy);
  }

  inspect() {
    this.#inspect.setAttribute("aria-pressed", String(this.#inspector.toggle()));
  }

  use(tool) {
    this.tool = tool;
    this.canvas.root.dataset.tool = tool;
    for (const [name, button] of this.#tools) button.setAttribute("aria-pressed", String(name === tool));
  }

  place(shape, point) {
    const { id, changes } = commands.added(this.look, shape, point);
    this.edit(changes);
    this.use("select");
    this.select([id]);
    this.rename(id);
  }

  connect(source, target) {
    const { id, changes } = commands.connected(source, target);
    this.edit(changes);
    this.use("select");
    this.select([id]);
  }

  remove() {
    this.edit(commands.removed(this.look, [...this.canvas.selection]));
  }

  undo() {
    this.#steps.undo();
  }

  redo() {
    this.#steps.redo();
  }

  /** A field over the cell; Enter keeps, Escape forgets. What others have written meanwhile gives way to a change only. */
  rename(id) {
    const cell = this.look.get(id);
    if (!cell) return;
    const field = h("input", { class: "rename", "aria-label": "Name", maxlength: 1000 });
    field.value = caption(cell);
    field.defaultValue = field.value; // of several lines the browser makes one
    let isDone = false;
    const finish = (keeps) => {
      if (isDone) return;
      isDone = true;
      if (keeps) this.edit(commands.retyped(this.look.get(id), field.defaultValue, field.value));
      field.remove();
      this.busy(false);
      if (document.activeElement === document.body) this.canvas.root.focus({ preventScroll: true });
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (composes(event)) return;
      if (event.key === "Enter" || event.key === "Escape") finish(event.key === "Enter");
    });
    field.addEventListener("blur", () => finish(true));
    this.busy(true);
    this.#stage.root.append(field);
    this.#placeOver(field, id);
    // The pointer that created the cell is still down; focus given now would be taken away again.
    setTimeout(() => (field.focus(), field.select()));
  }

  #placeOver(field, id) {
    const element = this.canvas.root.querySelector(`[data-id="${CSS.escape(id)}"]`);
    const box = (isEdge(this.look.get(id)) ? element.querySelector(".label") : element).getBoundingClientRect();
    const stage = this.#stage.root.getBoundingClientRect();
    const width = Math.max(140, Math.min(box.width, 320));
    field.style.width = `${width}px`;
    field.style.left = `${box.left + box.width / 2 - width / 2 - stage.left}px`;
    const isBoundary = this.look.get(id).shape === "security-boundary";
    field.style.top = `${(isBoundary ? box.top + 4 : box.top + box.height / 2 - 18) - stage.top}px`;
  }

  // -- what is there to press ----------------------------------------------------------------------------------------

  #header(title) {
    const [diagram, stage] = [this.#diagram, this.#stage];
    const state = connection({ diagram });
    const follow = following({ diagram, stage });
    const here = people({ diagram, following: follow });
    const share = sharing({ title });
    this.#parts = [title, state, follow, here, share, this.#session, cursors({ diagram, stage }), notices({ diagram })];
    stage.root.append(follow.root);
    this.#inspect.id = "inspect";
    this.#inspect.setAttribute("aria-pressed", "false");
    return h(
      "header",
      { class: "bar" },
      this.#iconButton("back", "All diagrams", () => this.#onLeave()),
      title.root,
      state.root,
      h("div", { class: "row" }, this.#undo, this.#redo),
      here.root,
      share.root,
      this.#session.root,
      themeSwitch(),
      this.#inspect,
    );
  }

  #toolBar() {
    const buttons = TOOLS.map(([tool, name, key]) => {
      const button = h(
        "button",
        {
          type: "button",
          class: "tool",
          "data-tool": tool,
          title: `${name} (${key.toUpperCase()})`,
          onclick: (event) => this.#pick(tool, event),
        },
        icon(tool),
        h("span", name),
      );
      this.#tools.set(tool, button);
      return button;
    });
    return h("nav", { class: "tools", "aria-label": "Tools" }, buttons);
  }

  /** From the keyboard (no click count) a shape is put in the middle at once, and a flow between two selected boxes. */
  #pick(tool, event) {
    if (event.detail !== 0) this.use(tool);
    else if (tool in commands.SHAPES) this.place(tool, this.canvas.middle);
    else if (tool === "flow" && !this.#connectSelected()) this.use(tool);
    else this.use("select");
  }

  #connectSelected() {
    const nodes = this.canvas.selectedNodes;
    if (nodes.length !== 2) return false;
    this.connect(...nodes);
    return true;
  }

  #zoomBar() {
    return h(
      "div",
      { class: "zoom", role: "toolbar", "aria-label": "View" },
      this.#iconButton("minus", "Zoom out", () => this.canvas.zoom(0.8)),
      this.#iconButton("fit", "Show everything", () => this.#fit()),
      this.#iconButton("plus", "Zoom in", () => this.canvas.zoom(1.25)),
    );
  }

  #drawSelectionBar() {
    const ids = [...this.canvas.selection];
    const nodes = this.canvas.selectedNodes;
    this.#selectionBar.hidden = ids.length === 0 || !this.canWrite;
    if (`${ids} ${nodes}` === this.#barOf) return; // a button that is being pressed must not be replaced
    this.#barOf = `${ids} ${nodes}`;
    this.#selectionBar.replaceChildren(
      ...(ids.length === 1
        ? [this.#iconButton("rename", "Rename (Enter)", () => this.rename(ids[0]))]
        : [h("span", { class: "count" }, `${ids.length} selected`)]),
      ...(nodes.length === 2 ? [this.#iconButton("connect", "Connect the two", () => this.#connectSelected())] : []),
      ...COLOURS.map((colour) => this.#swatch(colour)),
      this.#iconButton("remove", "Delete (Del)", () => this.remove()),
    );
  }

  #swatch(colour) {
    const label = colour ? `Colour ${colour}` : "Usual colour";
    const button = h("button", {
      type: "button",
      class: colour ? "swatch" : "swatch none",
      title: label,
      "aria-label": label,
      onclick: () => this.#paint(colour),
    });
    if (colour) button.style.setProperty("--paint", colour);
    return button;
  }

  /** null: as the theme has it. */
  #paint(colour) {
    const nodes = this.canvas.selectedNodes;
    const edges = [...this.canvas.selection].filter((id) => !nodes.includes(id));
    this.edit([
      ...commands.painted(this.look, nodes, "attrs/body/fill", colour),
      ...commands.painted(this.look, edges, "attrs/line/stroke", colour),
    ]);
  }

  #iconButton(name, label, action) {
    return h(
      "button",
      { type: "button", class: "icon-button", title: label, "aria-label": label, onclick: action },
      icon(name),
    );
  }

  #fit() {
    this.canvas.fit();
    this.#stage.tell("hand");
  }

  // -- what happens --------------------------------------------------------------------------------------------------

  #listen() {
    const diagram = this.#diagram;
    diagram.on("change", ({ ids, reset }) => this.#changed(ids, reset));
    diagram.on("welcome", () => this.#rightsChanged());
    diagram.on("participants", () => this.#rightsChanged());
    const drawHistory = () => {
      const { undo, redo } = this.#steps.depth;
      this.#undo.disabled = undo === 0;
      this.#redo.disabled = redo === 0;
    };
    for (const event of ["history", "status", "welcome"]) diagram.on(event, drawHistory);
    drawHistory();
    document.addEventListener("keydown", (event) => this.#shortcut(event), { signal: this.#abort.signal });
  }

  #changed(ids, reset) {
    if (reset) this.canvas.renderAll();
    else this.canvas.render(ids);
    this.#drawSelectionBar();
    if (this.#isFitted || this.look.epoch === null) return; // what was kept shows before the diagram does
    this.#isFitted = true;
    this.canvas.fit();
  }

  #rightsChanged() {
    const { canWrite } = this.#diagram;
    this.#notice.hidden = canWrite || !this.#diagram.you;
    for (const [tool, button] of this.#tools) button.disabled = !canWrite && tool !== "select";
    this.#drawSelectionBar();
  }

  #shortcut(event) {
    if (event.target.closest?.("input, textarea, select, dialog, .inspector")) return;
    const key = letterOf(event);
    if (event.ctrlKey || event.metaKey) {
      if (key === "z" && !event.shiftKey) this.undo();
      else if (key === "y" || (key === "z" && event.shiftKey)) this.redo();
      else return;
      event.preventDefault();
    } else if (!event.altKey && takesLetters(event.target, ".canvas, .tools")) {
      const tool = TOOLS.find(([, , letter]) => letter === key)?.[0];
      if (tool && !this.#tools.get(tool).disabled) this.use(tool);
    }
  }

  leave() {
    return this.#session.leave();
  }

  stop() {
    this.#abort.abort();
    this.#diagram.close({ patienceMs: 0 }); // the rest is kept
    for (const part of [...this.#parts, this.#inspector]) part.stop();
  }
}
