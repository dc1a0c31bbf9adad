/** Frames around what others have selected and what they are changing, each with a name. */

import { h } from "../dom.js";
import { around } from "../drawing/geometry.js";
import { icon } from "../icons.js";
import { crowdOf } from "./crowd.js";

const EDITING_MS = 1_600; // an edit is seen for so long; while a drag goes on its next one comes sooner
const MOST_FRAMES = 24; // of one person: more are one frame around all
const MARGIN = 8; // outside the frame of our own selection

export class Marks {
  root = h("div", { class: "others" });
  #diagram;
  #stage;
  #crowd;
  #ask;
  #marks = new Map(); // "whose cells" -> Mark
  #edits = new Map(); // user id -> {name, ids, until}
  #isStale = true;
  #moved = 0; // frames in which boxes are looked up anew: an editor may draw a change a frame later
  #stops;
  #timer;

  /** @param ask asks for a frame, in which `draw` is called */
  constructor(diagram, stage, ask) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#crowd = crowdOf(diagram);
    this.#ask = ask;
    this.#stops = [
      diagram.on("change", ({ ids, reset }) => this.#changed(ids, reset)),
      diagram.on("event", (event) => this.#edited(event)),
    ];
  }

  stop() {
    for (const stop of this.#stops) stop();
    clearTimeout(this.#timer);
  }

  selectionsChanged() {
    this.#isStale = true;
    this.#ask();
  }

  #changed(ids, reset) {
    if (!reset && ![...this.#marks.values()].some((mark) => mark.ids.some((id) => ids.has(id)))) return;
    this.#moved = 2;
    this.#ask();
  }

  /** Whoever sends operations is changing these cells; a program that nobody sees among the people too. */
  #edited({ by, operation }) {
    if (!this.#diagram.isLive || by.id === this.#diagram.you.id) return;
    const ids = operation.cells.filter(({ operation }) => operation !== "remove").map(({ id }) => id);
    if (ids.length === 0) return;
    this.#edits.set(by.id, { name: by.name, ids, until: Date.now() + EDITING_MS });
    this.#timer ??= setTimeout(() => this.#expire(), EDITING_MS);
    this.selectionsChanged();
  }

  #expire() {
    const now = Date.now();
    for (const [id, { until }] of this.#edits) if (until <= now) this.#edits.delete(id);
    const next = Math.min(...[...this.#edits.values()].map(({ until }) => until));
    this.#timer = this.#edits.size > 0 ? setTimeout(() => this.#expire(), next - now) : null;
    this.selectionsChanged();
  }

  /** @returns whether the next frame is wanted too */
  draw(view, isViewNew) {
    if (this.#isStale) this.#reconcile();
    const isMoved = this.#isStale || this.#moved > 0;
    this.#isStale = false;
    if (isMoved || isViewNew) for (const mark of this.#marks.values()) mark.draw(view, this.#stage, isMoved);
    this.#moved = Math.max(0, this.#moved - 1);
    return this.#moved > 0;
  }

  #reconcile() {
    const wanted = new Map(wantedMarks(this.#diagram, this.#crowd, this.#edits).map((mark) => [mark.key, mark]));
    for (const [key, mark] of this.#marks) {
      if (wanted.has(key)) continue;
      mark.element.remove();
      this.#marks.delete(key);
    }
    for (const [key, facts] of wanted) {
      if (!this.#marks.has(key)) this.#marks.set(key, new Mark(this.root, facts));
      this.#marks.get(key).show(facts);
    }
  }
}

/**
 * What is to be framed: `{key, ids, name, colour, isEditing, row}`; no name: another frame of the same person has it.
 * `row` says how many names stand at the same cell already.
 */
export function wantedMarks({ peers, you }, crowd, edits) {
  const marks = [];
  const rows = new Map(); // cell id -> names there
  const frame = (key, { name, colour }, ids, isEditing) => {
    for (const group of ids.length > MOST_FRAMES ? [ids] : ids.map((id) => [id])) {
      const isFirst = group[0] === ids[0];
      const row = isFirst ? (rows.get(group[0]) ?? 0) : 0;
      if (isFirst) rows.set(group[0], row + 1);
      marks.push({ key: `${key} ${group[0]}`, ids: group, name: isFirst ? name : "", colour, isEditing, row });
    }
  };
  const selectedBy = new Map(); // user id -> ids
  for (const [id, { selection }] of peers) {
    const owner = crowd.owner(id);
    if (!owner || id === you?.connection_id || !(selection?.length > 0)) continue;
    const changing = edits.get(owner.id)?.ids ?? [];
    const isEditing = selection.some((cell) => changing.includes(cell));
    frame(id, { ...owner, name: owner.isYou ? "You, elsewhere" : owner.name }, selection, isEditing);
    selectedBy.set(owner.id, [...(selectedBy.get(owner.id) ?? []), ...selection]);
  }
  for (const [userId, { name, ids }] of edits) {
    const rest = ids.filter((id) => !selectedBy.get(userId)?.includes(id));
    const isShown = rest.length < ids.length;
    if (rest.length > 0 && !isShown) frame(userId, { name, colour: crowd.colour(userId) }, rest, true);
  }
  return marks;
}

class Mark {
  ids;
  #tag = h("span", { class: "tag" });
  #name = "";
  #isEditing = null;
  #row = null;
  #box = null;
  #size = "";

  constructor(place, { colour }) {
    this.element = h("div", { class: "frame" }, this.#tag);
    this.element.style.setProperty("--who", colour);
    place.append(this.element);
  }

  show({ ids, name, isEditing, row }) {
    this.ids = ids;
    if (name !== this.#name || isEditing !== this.#isEditing) this.#write(name, isEditing);
    if (row !== this.#row) this.element.style.setProperty("--row", (this.#row = row));
  }

  #write(name, isEditing) {
    [this.#name, this.#isEditing] = [name, isEditing];
    this.element.classList.toggle("editing", isEditing);
    this.#tag.hidden = !name;
    this.#tag.replaceChildren(...(isEditing ? [icon("rename")] : []), name);
  }

  draw(view, stage, isMoved) {
    if (isMoved) this.#box = around(this.ids.map((id) => stage.boxOf(id)));
    this.element.hidden = !this.#box;
    if (!this.#box) return;
    const { x, y, width, height } = this.#box;
    const { style } = this.element;
    style.transform = `translate(${view.x + x * view.scale - MARGIN}px, ${view.y + y * view.scale - MARGIN}px)`;
    const size = `${width * view.scale + 2 * MARGIN}px ${height * view.scale + 2 * MARGIN}px`;
    if (size === this.#size) return;
    [style.width, style.height] = (this.#size = size).split(" ");
  }
}
