/** The panel of what is selected: name, colours, lines, place and size, order, alignment. */

import { isEdge } from "../../sdk/codraw.js";
import { assign, composes, h } from "../../shell/dom.js";
import * as commands from "../../shell/drawing/commands.js";
import { icon } from "../../shell/icons.js";
import { caption, colourOr } from "../../adapters/x6-shapes.js";
import { spoken } from "./spoken.js";

const TINTS = ["#ffffff", "#f4c7c3", "#fce8b2", "#cfe8cf", "#c6dafc", "#dccbf0", "#5b6470"];
const INKS = ["#1b2430", "#c93c4b", "#b98028", "#2e9d5b", "#2f5bd7", "#7048e8", "#ffffff"];
const ALIGN = [
  ["left", "Align left"],
  ["centre", "Align centres"],
  ["right", "Align right"],
  ["top", "Align top"],
  ["middle", "Align middles"],
  ["bottom", "Align bottom"],
];
const MEASURES = [
  ["x", "X", "Left"],
  ["y", "Y", "Top"],
  ["width", "W", "Width"],
  ["height", "H", "Height"],
];

export class FormatPanel {
  #diagram;
  #stage;
  #editor;
  #title = h("h2");
  #body = h("div", { class: "fields" });
  #foot = h("div", { class: "row tight foot" });
  #fold = h("button", { type: "button", class: "icon-button", onclick: () => this.#open(this.#body.hidden) });
  #frame = 0;
  #stops;
  #shown = "";
  #isPressed = false; // a button that is being pressed must not be replaced

  constructor({ diagram, stage, editor }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#editor = editor;
    this.root = h(
      "aside",
      { class: "format over", "aria-label": "Format", hidden: true },
      h("div", { class: "row tight" }, this.#title, h("span", { class: "spring" }), this.#fold),
      this.#body,
      this.#foot,
    );
    this.#open(!matchMedia("(max-width: 760px)").matches);
    // Who clicks goes on in the drawing; who came by the keyboard stays.
    this.root.addEventListener("click", ({ detail, target }) => {
      if (detail !== 0 && target.closest("button")) stage.root.focus({ preventScroll: true });
    });
    this.root.addEventListener("keydown", (event) => this.#key(event));
    // Where the browser opens a list it tells nothing of the release.
    this.root.addEventListener("pointerdown", ({ target }) => target.closest("select") || this.#pressed());
    const ask = () => this.#ask();
    this.#stops = [
      stage.on("selection", ask),
      stage.on("change", ask),
      stage.on("gesture", ask),
      diagram.on("participants", ask),
      diagram.on("welcome", ask),
    ];
  }

  stop() {
    for (const stop of this.#stops) stop();
    cancelAnimationFrame(this.#frame);
  }

  /** For who works without a mouse: into its first field. False: nothing is selected that may be changed. */
  focus() {
    this.#draw();
    if (this.root.hidden) return false;
    this.#open(true);
    this.#first.focus();
    return true;
  }

  get #first() {
    return this.#body.querySelector("textarea, select, button, input");
  }

  /** Escape forgets what is being typed and leads back to the drawing. */
  #key(event) {
    const { key, target } = event;
    if (key !== "Escape" || composes(event)) return;
    if (target.matches("textarea, input[type=number]")) target.value = target.defaultValue;
    this.#stage.root.focus({ preventScroll: true });
    this.#ask(); // what others have done meanwhile
  }

  #pressed() {
    this.#isPressed = true;
    const abort = new AbortController();
    const release = () => {
      abort.abort();
      this.#isPressed = false;
      this.#ask();
    };
    // Where a menu comes up no release may follow.
    for (const type of ["pointerup", "pointercancel", "contextmenu"]) {
      addEventListener(type, release, { signal: abort.signal });
    }
  }

  /** Folded it leaves room for the drawing. */
  #open(isOpen) {
    const label = isOpen ? "Fold the panel" : "Unfold the panel";
    this.#body.hidden = !isOpen;
    this.#fold.replaceChildren(icon(isOpen ? "fold" : "unfold"));
    assign(this.#fold, { title: label, "aria-label": label, "aria-expanded": String(isOpen) });
  }

  /** Once a frame however much changes, and not while something is being moved: that has the frame for itself. */
  #ask() {
    if (this.#stage.isGesturing) return;
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  get #cells() {
    return this.#stage.selection.map((id) => this.#diagram.replica.get(id)).filter(Boolean);
  }

  #draw() {
    const cells = this.#cells;
    const isHidden = cells.length === 0 || !this.#diagram.canWrite;
    if (isHidden && this.root.contains(document.activeElement)) this.#stage.root.focus({ preventScroll: true });
    this.root.hidden = isHidden;
    if (isHidden) return void (this.#shown = "");
    const firsts = [cells.find(isEdge), cells.find((cell) => !isEdge(cell))]; // of whose looks is told
    const shown = JSON.stringify(cells.length > 20 ? [...firsts, cells.map(({ id }) => id)] : cells);
    if (shown === this.#shown || this.#isPressed || this.#isBeingUsed()) return;
    this.#shown = shown;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.does : null;
    this.#title.textContent = titleOf(cells);
    this.#body.replaceChildren(...this.#fields(cells).filter(Boolean));
    this.#foot.replaceChildren(...this.#arrangement(cells).filter(Boolean));
    if (!focused) return;
    const same = this.root.querySelector(`[data-does="${CSS.escape(focused)}"]`);
    (same ?? this.#first).focus({ preventScroll: true });
  }

  /** What is being typed is not taken away by what others do. */
  #isBeingUsed() {
    const { activeElement } = document;
    return (
      this.#body.contains(activeElement) &&
      activeElement.matches("input:not([type=color]), textarea") &&
      activeElement.value !== activeElement.defaultValue
    );
  }

  #fields(cells) {
    const nodes = cells.filter((cell) => !isEdge(cell));
    const edges = cells.filter(isEdge);
    const [only] = cells.length === 1 ? cells : [];
    return [
      only && this.#name(only),
      nodes.length > 0 && this.#colours("Fill", "attrs/body/fill", TINTS, nodes),
      nodes.length > 0 && this.#colours("Border", "attrs/body/stroke", INKS, nodes),
      nodes.length > 0 && this.#colours("Text", "attrs/text/fill", INKS, nodes),
      edges.length > 0 && this.#colours("Line", "attrs/line/stroke", INKS, edges),
      edges.length > 0 && this.#line(edges),
      only && edges.length === 1 && this.#ends(only),
      only && edges.length === 1 && this.#bends(only),
      only && nodes.length === 1 && this.#measures(only),
      nodes.length > 1 && this.#alignment(nodes),
    ];
  }

  #edit(changes) {
    this.#editor.edit(changes);
  }

  // -- one field after the other --------------------------------------------------------------------------------------

  #name(cell) {
    const field = h("textarea", {
      class: "name",
      rows: 2,
      maxlength: 1000,
      "data-does": "name",
      onchange: () => this.#edit(commands.retyped(this.#diagram.replica.get(cell.id), field.defaultValue, field.value)),
      onkeydown: (event) => {
        if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
        event.preventDefault();
        field.blur();
        this.#stage.root.focus({ preventScroll: true });
      },
    });
    field.value = caption(cell);
    field.defaultValue = field.value; // with the browser's own ends of lines
    return h("label", { class: "field" }, h("span", isEdge(cell) ? "Data flow" : "Name"), field);
  }

  #colours(name, path, colours, cells) {
    const ids = cells.map(({ id }) => id);
    const now = at(cells[0], path);
    const paint = (value) => this.#edit(commands.painted(this.#diagram.replica, ids, path, value));
    const swatch = (colour) => {
      const label = colour ? `${name} ${colour}` : `${name} as usual`;
      const button = h("button", {
        type: "button",
        class: colour ? "swatch" : "swatch none",
        title: label,
        "aria-label": label,
        "aria-pressed": String((now ?? null) === colour),
        "data-does": label,
        onclick: () => paint(colour),
      });
      if (colour) button.style.setProperty("--paint", colour);
      return button;
    };
    const own = h("input", {
      type: "color",
      class: "own",
      "aria-label": `${name}, another colour`,
      title: "Another colour",
      "data-does": `${name} own`,
      onchange: () => paint(own.value),
    });
    own.value = /^#[0-9a-f]{6}$/i.test(colourOr(now, "")) ? now : "#888888";
    return h(
      "div",
      { class: "field", role: "group", "aria-label": name },
      h("span", name),
      h("div", { class: "row swatches" }, [null, ...colours].map(swatch), own),
    );
  }

  #line(edges) {
    const ids = edges.map(({ id }) => id);
    const arrows = choice("Arrows", Object.keys(commands.ARROWS), commands.arrowsOf(edges[0]), (value) =>
      this.#edit(commands.pointed(this.#diagram.replica, ids, value)),
    );
    const dash = at(edges[0], "attrs/line/strokeDasharray") ?? null;
    const style = Object.keys(commands.DASHES).find((one) => commands.DASHES[one] === dash) ?? "dashed";
    const dashes = choice("Style", Object.keys(commands.DASHES), style, (value) =>
      this.#edit(commands.painted(this.#diagram.replica, ids, "attrs/line/strokeDasharray", commands.DASHES[value])),
    );
    return h("div", { class: "pair" }, arrows, dashes);
  }

  /** Where the flow begins and ends, chosen by name. */
  #ends({ id, source, target }) {
    const look = this.#diagram.replica;
    const nodes = [...look.cells()].filter((cell) => !isEdge(cell)).map((cell) => [cell.id, spoken(look, cell.id)]);
    const field = (name, end, now) => {
      const isTied = nodes.some(([node]) => node === now);
      const offered = isTied ? nodes : [["", "nothing"], ...nodes];
      return choice(name, offered, now, (node) => this.#edit(commands.retied(look, id, end, node)));
    };
    return h("div", { class: "pair" }, field("From", "source", source.cell), field("To", "target", target.cell));
  }

  /** Where the flow bends, each by number. */
  #bends(cell) {
    const look = this.#diagram.replica;
    const { id } = cell;
    const one = (bend, at) => [
      ...["x", "y"].map((axis) =>
        measure(axis.toUpperCase(), `Bend ${at + 1}, ${axis}`, bend[axis], null, (value) =>
          this.#edit(commands.rebent(look, id, at, { [axis]: value })),
        ),
      ),
      this.#button("close", `Remove bend ${at + 1}`, () => this.#edit(commands.unbent(look, id, at))),
    ];
    return h(
      "div",
      { class: "field", role: "group", "aria-label": "Bends" },
      h("span", "Bends"),
      h("div", { class: "bends" }, commands.bendsOf(cell).flatMap(one)),
      this.#button("plus", "Add a bend", () => this.#edit(commands.bent(look, id))),
    );
  }

  #measures(cell) {
    const field = ([key, letter, name]) =>
      measure(letter, name, cell[key], commands.SMALLEST[key], (value) => this.#edit(this.#measured(cell.id, key, value)));
    return h(
      "div",
      { class: "field" },
      h("span", "Place and size"),
      h("div", { class: "measures" }, MEASURES.map(field)),
    );
  }

  /** A boundary is moved with what stands in it, and resized alone. */
  #measured(id, key, value) {
    const { replica } = this.#diagram;
    const cell = replica.get(id);
    if (!cell) return [];
    if (key === "x") return commands.nudged(replica, [id], value - cell.x, 0);
    if (key === "y") return commands.nudged(replica, [id], 0, value - cell.y);
    return commands.placed(replica, new Map([[id, { [key]: value }]]));
  }

  #alignment(nodes) {
    const ids = nodes.map(({ id }) => id);
    const look = this.#diagram.replica;
    return h(
      "div",
      { class: "field", role: "group", "aria-label": "Align" },
      h("span", "Align"),
      h(
        "div",
        { class: "row tight" },
        ALIGN.map(([where, label]) =>
          this.#button(`align-${where}`, label, () => this.#edit(commands.lined(look, ids, where))),
        ),
        nodes.length > 2 &&
          this.#button("spread-x", "Distribute across", () => this.#edit(commands.distributed(look, ids, "x"))),
        nodes.length > 2 &&
          this.#button("spread-y", "Distribute down", () => this.#edit(commands.distributed(look, ids, "y"))),
      ),
    );
  }

  #arrangement(cells) {
    const nodes = cells.filter((cell) => !isEdge(cell));
    return [
      this.#button("to-front", "To the front (])", () => this.#editor.raise(true)),
      this.#button("to-back", "To the back ([)", () => this.#editor.raise(false)),
      nodes.length === 2 && this.#button("connect", "Connect the two (F)", () => this.#editor.connectSelected()),
      h("span", { class: "spring" }),
      nodes.length > 0 && this.#button("copy", "Duplicate (Ctrl+D)", () => this.#editor.duplicate()),
      this.#button("remove", "Delete (Del)", () => this.#editor.remove()),
    ];
  }

  #button(name, label, act) {
    return h(
      "button",
      { type: "button", class: "icon-button", title: label, "aria-label": label, "data-does": name, onclick: act },
      icon(name),
    );
  }
}

/** @param changed called with the new number, `least` or more */
function measure(letter, name, now, least, changed) {
  const input = h("input", { type: "number", step: 1, min: least ?? null, "aria-label": name, "data-does": name });
  input.value = input.defaultValue = Math.round(now);
  input.addEventListener("change", () => {
    const value = Math.max(least ?? -Infinity, Number(input.value));
    const isNumber = Number.isFinite(value) && input.value !== "";
    if (isNumber) input.defaultValue = value;
    input.value = input.defaultValue;
    if (isNumber) changed(value);
  });
  return h("label", { class: "measure" }, h("span", letter), input);
}

/** @param values to choose from, each a word or `[value, text]` */
function choice(name, values, now, chosen) {
  const select = h(
    "select",
    { "data-does": name, onchange: () => chosen(select.value) },
    values.map((one) => [one].flat()).map(([value, text = value]) => h("option", { value, selected: value === now }, text)),
  );
  return h("label", { class: "field" }, h("span", name), select);
}

function at(cell, path) {
  return path.split("/").reduce((inner, key) => inner?.[key], cell);
}

function titleOf(cells) {
  if (cells.length > 1) return `${cells.length} selected`;
  const [cell] = cells;
  return isEdge(cell) ? "Flow" : (commands.SHAPES[cell.shape]?.name ?? cell.shape);
}
