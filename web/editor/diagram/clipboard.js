/** Cells to and from the clipboard as JSON, so that they go from one diagram, window and server to another. */

import { toast } from "../../shell/dom.js";
import { added, copied, pasted, removed } from "../../shell/drawing/commands.js";
import { around, snapped, touches } from "../../shell/drawing/geometry.js";

const TYPE = "application/x-codraw+json";
const STEP = 24;
const LONGEST = 1000;

export class Clipboard {
  #diagram;
  #stage;
  #editor;
  #abort = new AbortController();
  #last = { text: "", times: 0 };

  constructor({ diagram, stage, editor }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#editor = editor;
    const { signal } = this.#abort;
    // Text that is selected elsewhere would be copied instead: nothing can be selected here, so a press leaves it.
    stage.root.addEventListener("focus", () => getSelection().removeAllRanges(), { signal });
    document.addEventListener("copy", (event) => this.#isOurs(event) && this.#copy(event), { signal });
    document.addEventListener("cut", (event) => this.#isOurs(event) && this.#cut(event), { signal });
    document.addEventListener("paste", (event) => this.#isOurs(event) && this.#paste(event), { signal });
  }

  stop() {
    this.#abort.abort();
  }

  duplicate() {
    const cells = this.#chosen();
    if (cells.length > 0) this.#put(cells, { dx: STEP, dy: STEP });
  }

  /** Text that is being edited is copied as text. */
  #isOurs({ target }) {
    return target === document.body || (this.#stage.root.contains(target) && !target.closest("input, textarea"));
  }

  #chosen() {
    const { selection } = this.#stage;
    const cells = copied(this.#diagram.replica, selection);
    if (cells.length === 0 && selection.length > 0) toast("A flow is copied together with both cells that it connects.");
    return cells;
  }

  #copy(event) {
    if (!getSelection().isCollapsed) return [];
    const cells = this.#chosen();
    if (cells.length === 0) return cells;
    const text = JSON.stringify({ codraw: "cells", cells });
    event.clipboardData.setData(TYPE, text);
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    this.#last = { text, times: 0 };
    return cells;
  }

  /** What is copied, that is with boxes all that stands in them, and nothing else. */
  #cut(event) {
    const ids = this.#copy(event).map(({ id }) => id);
    this.#editor.edit(removed(this.#diagram.replica, ids));
  }

  #paste(event) {
    if (!this.#diagram.canWrite) return;
    const text = event.clipboardData.getData(TYPE) || event.clipboardData.getData("text/plain");
    event.preventDefault();
    const cells = cellsIn(text);
    if (cells) this.#put(cells, this.#shift(text, cells));
    else if (text.trim()) this.#write(text.trim().slice(0, LONGEST).replace(/\p{Surrogate}/gu, "")); // half an emoji
  }

  /** Beside where it was copied if that can be seen, else in the middle; each time a little further. */
  #shift(text, cells) {
    this.#last = this.#last.text === text ? { text, times: this.#last.times + 1 } : { text, times: 1 };
    const step = STEP * this.#last.times;
    const box = around(cells.filter(({ x, width }) => Number.isFinite(x) && Number.isFinite(width)));
    if (!box || touches(box, this.#stage.viewport)) return { dx: step, dy: step };
    const { x, y } = this.#stage.middle;
    const [dx, dy] = [snapped(x - box.x - box.width / 2), snapped(y - box.y - box.height / 2)];
    return { dx: dx + step - STEP, dy: dy + step - STEP };
  }

  #put(cells, shift) {
    const { ids, changes } = pasted(this.#diagram.replica, cells, shift);
    this.#editor.edit(changes);
    this.#stage.select(ids);
  }

  #write(text) {
    const { id, changes } = added(this.#diagram.replica, "text-box", this.#stage.middle);
    changes[0].data.attrs = { text: { text } };
    this.#editor.edit(changes);
    this.#stage.select([id]);
  }
}

/** The cells in a text, or null: any other JSON is a text like others. */
export function cellsIn(text) {
  try {
    const given = JSON.parse(text);
    const cells = Array.isArray(given) ? given : given?.cells;
    const isCell = (cell) => typeof cell?.id === "string" && typeof cell.shape === "string";
    return Array.isArray(cells) && cells.length > 0 && cells.every(isCell) ? cells : null;
  } catch {
    return null;
  }
}
