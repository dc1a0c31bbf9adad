/** One open diagram: the drawing, its tools, who is there, how the connection is. */

import { connect, isEdge } from "../sdk/codraw.js";
import { localQueue } from "../sdk/offline.js";
import { Canvas } from "./canvas.js";
import * as commands from "./commands.js";
import { confirmed, h, toast } from "../shell/dom.js";
import { Gestures } from "./gestures.js";
import { icon } from "../shell/icons.js";
import { Inspector } from "./inspector.js";
import { People } from "../shell/people.js";
import { StatusLine } from "../shell/status.js";

const TOOLS = [
  ["select", "Select", "v"],
  ...Object.entries(commands.SHAPES).map(([shape, { name, key }]) => [shape, name, key]),
  ["flow", "Flow", "f"],
];
const COLOURS = [null, "#f4c7c3", "#fce8b2", "#cfe8cf", "#c6dafc", "#dccbf0", "#5b6470"];
const SKIPPED = {
  changed: "changed since by somebody else",
  gone: "gone",
  exists: "there already",
  in_use: "in use by somebody else",
};

/** Shows the diagram in `main`; returns how to leave it. `leave()` asks first and resolves to whether it may. */
export async function openWorkspace({ main, rest, place, onLeave }) {
  const { threatModelId, diagramId } = place;
  const [described, me] = await Promise.all([rest.diagram(threatModelId, diagramId), rest.me()]);
  const storage = localQueue(`codraw.unsaved/${me.provider}:${me.provider_id}/${diagramId}`);
  const diagram = connect({ ...rest.live(threatModelId, diagramId), storage });
  const editor = new Editor(diagram, described.name, onLeave);
  main.replaceChildren(editor.root);
  return editor;
}

class Editor {
  tool = "select";
  #diagram;
  #onLeave;
  #people;
  #status;
  #inspector;
  #tools = new Map();
  #undo = this.#iconButton("undo", "Undo (Ctrl+Z)", () => this.undo());
  #redo = this.#iconButton("redo", "Redo (Ctrl+Shift+Z)", () => this.redo());
  #selectionBar = h("div", { class: "selection-bar", role: "toolbar", "aria-label": "Selection", hidden: true });
  #notice = h("p", { class: "notice", hidden: true }, "You can look on and point, but not edit.");
  #stage = h("div", { class: "stage" });
  #isFitted = false;
  #abort = new AbortController();

  constructor(diagram, title, onLeave) {
    this.#diagram = diagram;
    this.#onLeave = onLeave;
    this.canvas = new Canvas(diagram.replica, () => this.#people?.drawAwareness());
    this.#people = new People(diagram, this.canvas);
    this.#status = new StatusLine(diagram);
    this.#inspector = new Inspector(diagram);
    this.#stage.append(this.canvas.root, this.#selectionBar, this.#notice, this.#zoomBar());
    this.root = h(
      "div",
      { class: "workspace" },
      this.#header(title),
      this.#toolBar(),
      this.#stage,
      this.#inspector.root,
    );
    new Gestures(this);
    this.#listen();
    this.use("select");
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
    this.#diagram.aware({
      selection: this.canvas.selection.size > 0 ? [...this.canvas.selection].slice(0, 500) : null,
    });
    this.#drawSelectionBar();
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
    this.#walkBack(this.#diagram.undo());
  }

  redo() {
    this.#walkBack(this.#diagram.redo());
  }

  async #walkBack({ saved }) {
    const { skipped = [] } = await saved;
    if (skipped.length > 0)
      toast(`Left alone: ${[...new Set(skipped.map(({ why }) => SKIPPED[why] ?? why))].join(", ")}.`);
  }

  /** A field over the cell; Enter keeps, Escape forgets. */
  rename(id) {
    const cell = this.look.get(id);
    if (!cell) return;
    const field = h("input", { class: "rename", "aria-label": "Name", maxlength: 1000 });
    field.value = commands.labelOf(cell);
    let isDone = false;
    const finish = (keeps) => {
      if (isDone) return;
      isDone = true;
      const now = this.look.get(id);
      if (keeps && now && field.value !== commands.labelOf(now)) this.edit(commands.renamed(now, field.value));
      field.remove();
      if (document.activeElement === document.body) this.canvas.root.focus({ preventScroll: true });
    };
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" || event.key === "Escape") finish(event.key === "Enter");
    });
    field.addEventListener("blur", () => finish(true));
    this.#stage.append(field);
    this.#placeOver(field, id);
    // The pointer that created the cell is still down; focus given now would be taken away again.
    setTimeout(() => (field.focus(), field.select()));
  }

  #placeOver(field, id) {
    const element = this.canvas.root.querySelector(`[data-id="${CSS.escape(id)}"]`);
    const box = (isEdge(this.look.get(id)) ? element.querySelector(".label") : element).getBoundingClientRect();
    const stage = this.#stage.getBoundingClientRect();
    const width = Math.max(140, Math.min(box.width, 320));
    field.style.width = `${width}px`;
    field.style.left = `${box.left + box.width / 2 - width / 2 - stage.left}px`;
    const isBoundary = this.look.get(id).shape === "security-boundary";
    field.style.top = `${(isBoundary ? box.top + 4 : box.top + box.height / 2 - 18) - stage.top}px`;
  }

  // -- what is there to press ----------------------------------------------------------------------------------------

  #header(title) {
    const inspect = this.#iconButton("inspect", "Inspector", () =>
      inspect.setAttribute("aria-pressed", String(this.#inspector.toggle())),
    );
    inspect.id = "inspect";
    return h(
      "header",
      { class: "bar" },
      this.#iconButton("back", "All diagrams", () => this.#onLeave()),
      h("h1", title),
      this.#status.root,
      h("div", { class: "row" }, this.#undo, this.#redo),
      this.#people.root,
      h(
        "button",
        { class: "primary", type: "button", id: "share", onclick: () => this.#share() },
        icon("link"),
        "Share",
      ),
      inspect,
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
      this.#iconButton("fit", "Show everything", () => this.canvas.fit()),
      this.#iconButton("plus", "Zoom in", () => this.canvas.zoom(1.25)),
    );
  }

  #drawSelectionBar() {
    const ids = [...this.canvas.selection];
    this.#selectionBar.hidden = ids.length === 0 || !this.canWrite;
    if (this.#selectionBar.hidden) return;
    const nodes = this.canvas.selectedNodes;
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
      onclick: () => this.edit(commands.coloured(this.look, [...this.canvas.selection], colour)),
    });
    if (colour) button.style.setProperty("--paint", colour);
    return button;
  }

  #iconButton(name, label, action) {
    return h(
      "button",
      { type: "button", class: "icon-button", title: label, "aria-label": label, onclick: action },
      icon(name),
    );
  }

  async #share() {
    try {
      await navigator.clipboard.writeText(location.href);
      toast("The link is copied. Whoever opens it joins here.");
    } catch {
      toast(`Give them this link: ${location.href}`);
    }
  }

  // -- what happens --------------------------------------------------------------------------------------------------

  #listen() {
    const diagram = this.#diagram;
    diagram.on("change", ({ ids, reset }) => this.#changed(ids, reset));
    diagram.on("status", () => this.#status.draw());
    diagram.on("welcome", () => this.#rightsChanged());
    diagram.on("participants", () => {
      this.#people.drawRoster();
      this.#rightsChanged();
    });
    diagram.on("awareness", () => this.#people.drawAwareness());
    diagram.on("history", ({ undo, redo }) => {
      this.#undo.disabled = undo === 0;
      this.#redo.disabled = redo === 0;
    });
    diagram.on("rejected", ({ reason, message }) => toast(`Not accepted: ${message || reason}.`, "bad"));
    diagram.on("trouble", ({ message }) => toast(message, "bad"));
    diagram.on("held", ({ reason, operations }) => {
      const why = reason === "too_old" ? "too old" : "another person's";
      toast(`Changes that were not sent, because they are ${why}: ${operations.length}.`, "bad");
    });

    const { root } = this.canvas;
    root.addEventListener("pointermove", (event) => {
      const { x, y } = this.canvas.toWorld(event);
      diagram.aware({ cursor: { x: Math.round(x), y: Math.round(y) } });
    });
    root.addEventListener("pointerleave", () => diagram.aware({ cursor: null }));
    const { signal } = this.#abort;
    document.addEventListener("keydown", (event) => this.#shortcut(event), { signal });
    document.addEventListener(
      "pointerdown",
      ({ target }) => this.#people.root.contains(target) || this.#people.close(),
      { signal },
    );
    addEventListener("beforeunload", (event) => diagram.status.pending > 0 && event.preventDefault(), { signal });
  }

  #changed(ids, reset) {
    if (reset) this.canvas.renderAll();
    else this.canvas.render(ids);
    this.#drawSelectionBar();
    this.#people.drawAwareness();
    if (this.#isFitted) return;
    this.#isFitted = true;
    this.canvas.fit();
  }

  #rightsChanged() {
    const { canWrite } = this.#diagram;
    this.#notice.hidden = canWrite;
    for (const [tool, button] of this.#tools) button.disabled = !canWrite && tool !== "select";
    this.#drawSelectionBar();
  }

  #shortcut(event) {
    if (event.target.closest?.("input, textarea, dialog")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z" && !event.shiftKey) this.undo();
      else if (key === "y" || (key === "z" && event.shiftKey)) this.redo();
      else return;
      event.preventDefault();
    } else if (!event.altKey) {
      const tool = TOOLS.find(([, , letter]) => letter === key)?.[0];
      if (tool && !this.#tools.get(tool).disabled) this.use(tool);
    }
  }

  /** False: the user would rather stay. */
  async leave() {
    const { status, you, roster } = this.#diagram;
    const others = roster.participants.filter(
      ({ user, connections }) => `${user.provider}:${user.provider_id}` !== you?.id && connections.length > 0,
    );
    if (
      status.pending > 0 &&
      !(await confirmed("Not all is saved yet. The rest is sent when you are here again.", "Leave", "Stay"))
    )
      return false;
    if (you?.is_host && others.length > 0 && status.state === "live") {
      if (!(await confirmed("You are the host: when you leave, the session ends for everybody.", "Leave", "Stay")))
        return false;
    }
    this.#abort.abort();
    this.#diagram.close({ patienceMs: 0 }); // the rest is kept
    this.#status.stop();
    return true;
  }
}
