/** Pointer and keys on the drawing, turned into edits: one gesture is one group, undone as one. */

import { uuid } from "../sdk/codraw.js";
import { stepPause } from "../sdk/binding.js";
import { letterOf, s } from "../shell/dom.js";
import * as commands from "../shell/drawing/commands.js";
import { between, centre, GRID, pulled, snapped } from "../shell/drawing/geometry.js";
import { onPinch } from "../shell/drawing/pinching.js";
import { Stepping } from "../shell/drawing/stepping.js";

const SEND_EVERY_MS = 50;
const THRESHOLD = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Gestures {
  #editor;
  #canvas;
  #look;
  #gesture = null; // {move(event), end(event), cancel()}
  #pointer = null; // the id of the one that makes it
  #stepping = new Stepping();

  /** @param editor see Editor in workspace.js: `canvas`, `look`, `tool`, `canWrite`, `edit`, `select`, `rename` … */
  constructor(editor) {
    this.#editor = editor;
    this.#canvas = editor.canvas;
    this.#look = editor.look;
    const { root } = this.#canvas;
    root.addEventListener("pointerdown", (event) => this.#down(event));
    const own = (act) => (event) => event.pointerId === this.#pointer && act(event);
    root.addEventListener("pointermove", own((event) => this.#gesture?.move(event)));
    root.addEventListener("pointerup", own((event) => this.#up(event)));
    root.addEventListener("pointercancel", own(() => this.#cancel()));
    root.addEventListener("dblclick", (event) => this.#doubleClick(event));
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    onPinch(root, (factor, event) => this.#gesture || this.#canvas.zoom(factor, event));
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", (event) => this.#focused(event));
  }

  #down(event) {
    if (this.#gesture || event.button > 1) return;
    this.#pointer = event.pointerId;
    const { tool, canWrite } = this.#editor;
    const id = this.#canvas.idAt(event);
    const { corner } = event.target.dataset;
    this.#canvas.root.setPointerCapture(event.pointerId);
    if (event.button === 1) this.#gesture = this.#panning(event);
    else if (canWrite && tool in commands.SHAPES) this.#editor.place(tool, this.#canvas.toWorld(event));
    else if (canWrite && corner) this.#gesture = this.#resizing(event, [...this.#canvas.selection][0], corner);
    else if (canWrite && event.target.closest("[data-start]"))
      this.#gesture = this.#connecting(event, [...this.#canvas.selection][0]);
    else if (canWrite && tool === "flow" && this.#canvas.nodeAt(event))
      this.#gesture = this.#connecting(event, this.#canvas.nodeAt(event));
    else if (id) this.#grab(event, id);
    else this.#gesture = event.shiftKey ? this.#framing(event) : this.#panning(event);
  }

  /** The ground has captured the pointer and is told of as the target. */
  #doubleClick({ clientX, clientY }) {
    this.#rename(this.#canvas.idAt({ target: document.elementFromPoint(clientX, clientY) }));
  }

  #up(event) {
    this.#over()?.end(event);
  }

  #cancel() {
    this.#over()?.cancel();
  }

  #over() {
    const gesture = this.#gesture;
    this.#gesture = null;
    this.#editor.busy(false);
    return gesture;
  }

  #grab(event, id) {
    const { selection } = this.#canvas;
    if (event.shiftKey) {
      this.#editor.select(selection.has(id) ? [...selection].filter((other) => other !== id) : [...selection, id]);
      return;
    }
    if (!selection.has(id)) this.#editor.select([id]);
    if (this.#editor.canWrite) this.#gesture = this.#moving(event);
  }

  // -- gestures ------------------------------------------------------------------------------------------------------

  #moving(event) {
    const start = this.#canvas.toWorld(event);
    const ids = commands.withChildren(this.#look, [...this.#canvas.selection]);
    const from = new Map(ids.map((id) => [id, this.#look.get(id)]).map(([id, { x, y }]) => [id, { x, y }]));
    const anchor = from.get(ids[0]);
    return this.#stepwise(event, from, (now) => {
      const dx = snapped(anchor.x + now.x - start.x) - anchor.x;
      const dy = snapped(anchor.y + now.y - start.y) - anchor.y;
      return new Map([...from].map(([id, { x, y }]) => [id, { x: x + dx, y: y + dy }]));
    });
  }

  #resizing(event, id, corner) {
    const { x, y, width, height } = this.#look.get(id);
    const start = this.#canvas.toWorld(event);
    const box = { x, y, width, height };
    const boxAt = (now) => pulled(box, corner, now.x - start.x, now.y - start.y, commands.SMALLEST);
    return this.#stepwise(event, new Map([[id, box]]), (now) => new Map([[id, boxAt(now)]]));
  }

  /** Boxes that follow the pointer: drawn with every move, sent every 50 ms, all in one group. */
  #stepwise(event, from, boxesAt) {
    const groupId = uuid();
    const origin = { x: event.clientX, y: event.clientY };
    let sent = null; // time of the last step, null until the threshold is crossed
    let steps = 0;
    const hold = (boxes) => {
      this.#canvas.held = boxes;
      this.#canvas.render(from.keys());
    };
    const send = (changes) => {
      if (changes.length > 0) this.#editor.edit(changes, { groupId });
      steps++;
      sent = Date.now();
    };
    const finish = (changes) => {
      this.#canvas.held = new Map();
      if (sent !== null) send(changes);
      this.#canvas.render(from.keys());
    };
    return {
      move: (now) => {
        if (from.size === 0) return;
        if (sent === null && Math.hypot(now.clientX - origin.x, now.clientY - origin.y) < THRESHOLD) return;
        this.#editor.busy(true);
        const boxes = boxesAt(this.#canvas.toWorld(now));
        hold(boxes);
        if (Date.now() - (sent ?? 0) < stepPause(steps, SEND_EVERY_MS)) return;
        send(this.#editor.isLive ? commands.placed(this.#look, boxes) : []); // offline the end is enough
      },
      end: (now) => finish(sent === null ? [] : commands.dropped(this.#look, boxesAt(this.#canvas.toWorld(now)))),
      cancel: () => finish(commands.placed(this.#look, from)),
    };
  }

  #connecting(event, source) {
    const draw = (now) => {
      const from = centre(this.#canvas.boxOf(source));
      const to = this.#canvas.toWorld(now);
      this.#canvas.sketch(s("path", { class: "flow", d: `M${from.x} ${from.y}L${to.x} ${to.y}` }));
    };
    draw(event);
    return {
      move: draw,
      end: (now) => {
        this.#canvas.sketch(null);
        const target = this.#canvas.nodeAt(now);
        const moved = Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) >= THRESHOLD;
        if (target && moved) this.#editor.connect(source, target);
      },
      cancel: () => this.#canvas.sketch(null),
    };
  }

  #framing(event) {
    const start = this.#canvas.toWorld(event);
    const frame = (now) => between(start, this.#canvas.toWorld(now));
    return {
      move: (now) => this.#canvas.sketch(s("rect", { class: "pull", ...frame(now) })),
      end: (now) => {
        this.#canvas.sketch(null);
        this.#editor.select(this.#canvas.within(frame(now)));
      },
      cancel: () => this.#canvas.sketch(null),
    };
  }

  #panning(event) {
    let { clientX, clientY } = event;
    this.#canvas.root.classList.add("panning");
    const stop = () => this.#canvas.root.classList.remove("panning");
    return {
      move: (now) => {
        this.#canvas.pan(now.clientX - clientX, now.clientY - clientY);
        ({ clientX, clientY } = now);
      },
      end: (now) => {
        stop();
        if (Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) < THRESHOLD) this.#editor.select([]);
      },
      cancel: stop,
    };
  }

  #wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) this.#canvas.zoom(Math.exp(-event.deltaY / 300), event);
    else if (event.shiftKey) this.#canvas.pan(-event.deltaY, 0);
    else this.#canvas.pan(-event.deltaX, -event.deltaY);
  }

  // -- keys ----------------------------------------------------------------------------------------------------------

  #focused(event) {
    const id = this.#canvas.idAt(event);
    if (id && event.target.matches(":focus-visible") && !this.#canvas.selection.has(id)) this.#editor.select([id]);
  }

  #key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (event.key in ARROWS && !command) this.#nudge(event);
    else if (event.key === "Escape") this.#escape();
    else if (command && letterOf(event) === "a") this.#editor.select([...this.#look.cells()].map(({ id }) => id));
    else if (event.key === "Delete" || event.key === "Backspace") this.#editor.remove();
    else if (event.key === "Enter" || event.key === "F2") this.#rename([...this.#canvas.selection].at(-1));
    else return;
    event.preventDefault();
  }

  #escape() {
    if (this.#gesture) this.#cancel();
    else {
      this.#editor.select([]);
      this.#editor.use("select");
    }
  }

  #rename(id) {
    if (id && this.#editor.canWrite) this.#editor.rename(id);
  }

  #nudge(event) {
    const ids = this.#canvas.selectedNodes;
    if (ids.length === 0 || !this.#editor.canWrite) return;
    const [dx, dy] = ARROWS[event.key].map((step) => step * (event.shiftKey ? 1 : GRID));
    this.#editor.edit(commands.nudged(this.#look, ids, dx, dy), { groupId: this.#stepping.groupOf(ids) });
  }
}
