/** The text of a cell, edited where it stands. Enter keeps it, Shift+Enter is a new line, Escape forgets. */

import { isEdge } from "../../sdk/codraw.js";
import { composes, h } from "../../shell/dom.js";
import { caption } from "../../adapters/x6.js";
import { retyped } from "../../shell/drawing/commands.js";
import { touches } from "../../shell/drawing/geometry.js";

const LEAST = { width: 140, height: 38 };
const MARGIN = 8;

export class Labels {
  #diagram;
  #stage;
  #edit;
  #field = null;
  #finish = () => {};

  /** @param edit sends changes */
  constructor({ diagram, stage, edit }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#edit = edit;
  }

  /** Opens the field over the cell; what was open before is kept. */
  open(id) {
    this.#finish(true);
    const cell = this.#diagram.replica.get(id);
    if (!cell || !this.#diagram.canWrite) return;
    const field = h("textarea", {
      class: "rename over",
      "aria-label": "Name",
      maxlength: 1000,
      rows: 1,
      spellcheck: "true",
    });
    field.value = caption(cell);
    const before = field.value; // the browser has its own ends of lines
    this.#field = field;
    const place = () => this.#place(field, id);
    const stops = [
      this.#stage.on("view", place),
      this.#stage.on("change", () => this.#diagram.replica.get(id) || this.#leave(false)),
    ];
    this.#finish = (keeps) => {
      this.#finish = () => {};
      for (const stop of stops) stop();
      this.#keep(id, before, keeps);
    };
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("input", place);
    field.addEventListener("blur", () => this.#finish(true));
    this.#stage.root.append(field);
    const box = this.#stage.boxOf(id);
    if (box && !touches(box, this.#stage.viewport)) this.#stage.scrollTo(box);
    place();
    this.#stage.busy(true);
    // The pointer that created the cell is still down; focus given now would be taken away again.
    setTimeout(() => (field.focus({ preventScroll: true }), field.select()));
  }

  close() {
    this.#finish(true);
  }

  #key(event) {
    event.stopPropagation();
    if (composes(event) || (event.key === "Enter" && event.shiftKey)) return;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    this.#leave(event.key === "Enter");
  }

  /** By keys, or with the cell: one goes on in the drawing. */
  #leave(keeps) {
    this.#finish(keeps);
    this.#stage.root.focus({ preventScroll: true });
  }

  /** What somebody else has written meanwhile is overwritten only by what was changed here. */
  #keep(id, before, keeps) {
    const typed = this.#field.value;
    this.#field.remove();
    this.#field = null;
    this.#stage.busy(false);
    if (keeps) this.#edit(retyped(this.#diagram.replica.get(id), before, typed));
  }

  #place(field, id) {
    const cell = this.#diagram.replica.get(id);
    const box = this.#stage.boxOf(id);
    if (!cell || !box) return;
    const { scale } = this.#stage;
    const at = isEdge(cell) ? this.#stage.middleOf(id) : { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    const isBoundary = cell.shape === "security-boundary";
    const width = Math.max(LEAST.width, isEdge(cell) ? 0 : Math.min(isBoundary ? 260 : box.width * scale, 420));
    const middle = this.#stage.toScreen(isBoundary ? { x: box.x, y: box.y } : at);
    field.style.width = `${width}px`;
    field.style.height = `${LEAST.height}px`;
    const height = Math.min(Math.max(LEAST.height, field.scrollHeight + 2), 240);
    field.style.height = `${height}px`;
    const [left, top] = isBoundary ? [middle.x + 6, middle.y + 4] : [middle.x - width / 2, middle.y - height / 2];
    const seen = this.#stage.viewport;
    field.style.left = `${inSight(left, width, seen.width * scale)}px`;
    field.style.top = `${inSight(top, height, seen.height * scale)}px`;
  }
}

/** The browser would scroll the drawing to a field that is out of sight. */
const inSight = (at, size, room) => Math.max(MARGIN, Math.min(at, room - size - MARGIN));
