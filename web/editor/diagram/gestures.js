/** Pointer on the drawing: moving, resizing, connecting, framing, panning. One gesture is one step of undo. */

import { isEdge } from "../../sdk/codraw.js";
import { onPinch } from "../../shell/drawing/pinching.js";
import * as commands from "../../shell/drawing/commands.js";
import { between, encloses } from "../../shell/drawing/geometry.js";
import { Move } from "./move.js";
import { Resize } from "./resize.js";

const THRESHOLD = 4;
const NOWHERE = { clientX: -1e6, clientY: -1e6 };

export class Gestures {
  #stage;
  #marks;
  #diagram;
  #editor;
  #gesture = null; // {move(event), end(event), cancel()}
  #pointers = new Map(); // id -> event, of those that are down
  #pinch = null;
  #isSpaceDown = false;
  #frame = 0;
  #abort = new AbortController();

  /** @param editor `tool`, `place(shape, point)`, `rename(id)` … see workspace.js */
  constructor({ diagram, stage, marks, editor }) {
    this.#diagram = diagram;
    this.#stage = stage;
    this.#marks = marks;
    this.#editor = editor;
    const { root } = stage;
    const { signal } = this.#abort;
    root.addEventListener("pointerdown", (event) => this.#down(event), { signal });
    root.addEventListener("dblclick", (event) => this.#doubleClick(event), { signal });
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false, signal });
    onPinch(root, (factor, event) => this.#pointers.size > 0 || stage.zoom(factor, event), { signal });
    // Firefox pastes where the middle button is let go of, also beside the drawing.
    addEventListener("auxclick", (event) => event.target.closest("input, textarea, a") || event.preventDefault(), { signal });
    addEventListener("pointermove", (event) => this.#move(event), { signal });
    addEventListener("pointerup", (event) => this.#up(event), { signal });
    addEventListener("pointercancel", (event) => this.#lost(event), { signal });
    addEventListener("blur", () => this.#space(false), { signal });
    addEventListener(
      "keydown",
      (event) => event.code === "Space" && event.target === root && this.#space(true, event),
      { signal },
    );
    addEventListener("keyup", (event) => event.code === "Space" && this.#space(false), { signal });
  }

  stop() {
    this.cancel();
    this.#abort.abort();
  }

  /** Everything as it was before. False: there was nothing to cancel. */
  cancel() {
    const gesture = this.#gesture;
    this.#gesture = null;
    gesture?.cancel?.();
    return Boolean(gesture);
  }

  // -- from the window ------------------------------------------------------------------------------------------------

  #down(event) {
    if (event.target.closest("input, textarea, button, .over")) return;
    this.#letGo(event);
    this.#pointers.set(event.pointerId, event);
    if (this.#pointers.size === 2) return this.#startPinch();
    if (this.#gesture || this.#pinch || event.button > 1) return;
    this.#stage.root.focus({ preventScroll: true });
    this.#gesture = this.#started(event);
  }

  #started(event) {
    const { canWrite } = this.#diagram;
    const handle = event.target.dataset?.handle;
    if (event.button === 1 || this.#isSpaceDown) return this.#panning(event);
    if (canWrite && this.#editor.tool in commands.SHAPES) return this.#placing(event);
    if (canWrite && handle) return this.#resizing(event, handle);
    if (event.target.closest(".x6-cell-tool, [magnet]")) return canWrite ? this.#leftToX6(event) : this.#panning(event);
    const id = this.#stage.idAt(event);
    if (id && canWrite && this.#editor.tool === "flow") return this.#connecting(event, id);
    if (id) return this.#grabbing(event, id);
    return this.#isFraming(event) ? this.#framing(event) : this.#panning(event);
  }

  /** The empty ground pans, as on a map; with Shift, or with the tool for it, a frame is pulled. */
  #isFraming({ shiftKey }) {
    return shiftKey || this.#editor.tool === "frame";
  }

  /** A finger elsewhere, or a mouse beside it, has no part in it. */
  #move(event) {
    if (event.buttons === 0) return this.#letGo(event);
    if (!this.#pointers.has(event.pointerId)) return;
    this.#pointers.set(event.pointerId, event);
    if (this.#pinch) return this.#pinched();
    this.#gesture?.move?.(event);
  }

  /** Of a button that is let go of in a menu nobody tells: where it was when it was heard of last, there it ends. */
  #letGo({ pointerId }) {
    if (this.#pointers.has(pointerId)) this.#up(this.#pointers.get(pointerId));
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.#pinch) return void (this.#pinch = this.#pointers.size < 2 ? null : this.#fingers());
    const gesture = this.#gesture;
    this.#gesture = null;
    gesture?.end?.(event);
  }

  #lost(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    this.#pinch = null;
    this.cancel();
  }

  #doubleClick(event) {
    const id = this.#stage.idAt(event);
    const isOnBend = event.target.closest("circle"); // X6 takes it away
    if (id && this.#diagram.canWrite && !isOnBend) this.#editor.rename(id);
  }

  #wheel(event) {
    if (event.target.closest(".over") && !event.ctrlKey) return; // it may scroll, and the page does not zoom
    event.preventDefault();
    const step = event.deltaMode === 1 ? 16 : 1;
    if (event.ctrlKey || event.metaKey) this.#stage.zoom(Math.exp((-event.deltaY * step) / 300), event);
    else if (event.shiftKey) this.#stage.pan(-(event.deltaX || event.deltaY) * step, 0);
    else this.#stage.pan(-event.deltaX * step, -event.deltaY * step);
  }

  #space(isDown, event) {
    event?.preventDefault();
    this.#isSpaceDown = isDown;
    this.#stage.root.classList.toggle("pannable", isDown);
  }

  // -- two fingers ----------------------------------------------------------------------------------------------------

  #startPinch() {
    this.cancel();
    this.#pinch = this.#fingers();
  }

  #fingers() {
    const [a, b] = [...this.#pointers.values()];
    return {
      clientX: (a.clientX + b.clientX) / 2,
      clientY: (a.clientY + b.clientY) / 2,
      distance: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) || 1,
    };
  }

  #pinched() {
    const before = this.#pinch;
    this.#pinch = this.#fingers();
    this.#stage.pan(this.#pinch.clientX - before.clientX, this.#pinch.clientY - before.clientY);
    this.#stage.zoom(this.#pinch.distance / before.distance, this.#pinch);
  }

  // -- gestures -------------------------------------------------------------------------------------------------------

  #panning(event) {
    let { clientX, clientY } = event;
    const { root } = this.#stage;
    root.classList.add("panning");
    const stop = () => root.classList.remove("panning");
    return {
      move: (now) => {
        this.#stage.pan(now.clientX - clientX, now.clientY - clientY);
        ({ clientX, clientY } = now);
      },
      end: (now) => {
        stop();
        if (!hasMoved(event, now) && event.button === 0) this.#stage.select([]);
      },
      cancel: stop,
    };
  }

  #framing(event) {
    const start = this.#stage.toWorld(event);
    const kept = event.shiftKey ? this.#stage.selection : [];
    const frame = (now) => between(start, this.#stage.toWorld(now));
    const inside = (box) => {
      const nodes = this.#stage
        .nodesIn(box)
        .filter((node) => node.shape !== "security-boundary" || encloses(box, node.getBBox()));
      const ids = new Set(nodes.map(({ id }) => id));
      const edges = this.#stage.graph
        .getEdges()
        .filter((edge) => ids.has(edge.getSourceCellId()) && ids.has(edge.getTargetCellId()));
      return [...ids, ...edges.map(({ id }) => id)];
    };
    return {
      move: (now) => this.#marks.frame(frame(now)),
      end: (now) => {
        this.#marks.frame(null);
        this.#stage.select(hasMoved(event, now) ? [...kept, ...inside(frame(now))] : kept);
      },
      cancel: () => this.#marks.frame(null),
    };
  }

  /** X6 connects, moves vertices and the ends of flows; we say when it begins and ends. */
  #leftToX6({ target }) {
    const { root, graph, selection } = this.#stage;
    const edge = target.closest(".x6-cell-tool") ? graph.getCellById(selection[0]) : null;
    const bends = edge?.getVertices();
    this.#stage.begin();
    root.classList.add("connecting");
    // X6 hears of the button after us.
    const end = () => setTimeout(() => (root.classList.remove("connecting"), this.#stage.end()));
    const cancel = () => {
      // An end that is let go of where there is no cell goes back by itself, a bend does not.
      for (const type of ["mousemove", "mouseup"]) document.dispatchEvent(new MouseEvent(type, NOWHERE));
      if (edge?.model) edge.setVertices(bends);
      end();
    };
    return { end, cancel };
  }

  #placing(event) {
    const { tool } = this.#editor;
    return { end: (now) => hasMoved(event, now, 40) || this.#editor.place(tool, this.#stage.toWorld(now)) };
  }

  /** With the flow tool from box to box, for those who do not know the dots. */
  #connecting(event, source) {
    if (isEdge(this.#diagram.replica.get(source))) return null;
    const target = (now) =>
      this.#stage.idAt({ target: document.elementFromPoint(now.clientX, now.clientY) ?? this.#stage.root });
    return {
      move: (now) => this.#marks.line(this.#stage.boxOf(source), this.#stage.toWorld(now)),
      end: (now) => {
        this.#marks.line(null);
        const id = target(now);
        if (id && id !== source && !isEdge(this.#diagram.replica.get(id))) this.#editor.connect(source, id);
      },
      cancel: () => this.#marks.line(null),
    };
  }

  #grabbing(event, id) {
    const wasSelected = this.#stage.selection.includes(id);
    if (event.shiftKey || event.ctrlKey || event.metaKey) {
      this.#stage.toggle(id);
      return {};
    }
    if (!wasSelected) this.#stage.select([id]);
    const choose = (now) => hasMoved(event, now) || this.#stage.select([id]);
    if (!this.#diagram.canWrite || this.#stage.selectedNodes.length === 0) return { end: choose };
    return this.#moving(event, choose);
  }

  #moving(event, clicked) {
    const move = new Move({ diagram: this.#diagram, stage: this.#stage, from: this.#stage.toWorld(event) });
    return this.#stepwise(event, {
      clicked,
      pick: () => (move.pick(), this.#stage.begin()),
      follow: (now) => {
        const guides = move.to(this.#stage.toWorld(now), { isFree: now.altKey });
        this.#marks.draw();
        this.#marks.guides(guides);
      },
      settle: () => move.settle(),
      restore: () => (move.restore(), this.#marks.draw()),
    });
  }

  #resizing(event, handle) {
    const resize = new Resize({ diagram: this.#diagram, stage: this.#stage, handle, from: this.#stage.toWorld(event) });
    return this.#stepwise(event, {
      pick: () => (resize.pick(), this.#stage.begin()),
      follow: (now) => {
        resize.to(this.#stage.toWorld(now), { isFree: now.altKey });
        this.#marks.draw();
      },
      restore: () => (resize.restore(), this.#marks.draw()),
    });
  }

  /** Follows the pointer once a frame, from the first four pixels on; its end is exact. */
  #stepwise(event, { pick, follow, settle, restore, clicked }) {
    let hasBegun = false;
    const { classList } = this.#stage.root;
    const finish = (last) => {
      cancelAnimationFrame(this.#frame);
      classList.remove("moving");
      try {
        if (hasBegun) last?.();
      } finally {
        this.#marks.guides([]);
        this.#stage.end();
      }
    };
    // Somebody has taken the right to write away: what is saved by then stays, and the rest is not asked for.
    const lapse = () => {
      this.#gesture = null;
      finish();
    };
    return {
      move: (now) => {
        if (!hasBegun && !hasMoved(event, now)) return;
        if (!this.#diagram.canWrite) return lapse();
        if (!hasBegun) {
          pick();
          classList.add("moving");
        }
        hasBegun = true;
        cancelAnimationFrame(this.#frame);
        this.#frame = requestAnimationFrame(() => follow(now));
      },
      end: (now) => {
        if (!hasBegun) clicked?.(now);
        finish(() => this.#diagram.canWrite && (follow(now), settle?.()));
      },
      cancel: () => finish(restore),
    };
  }
}

const hasMoved = (from, to, least = THRESHOLD) =>
  Math.hypot(to.clientX - from.clientX, to.clientY - from.clientY) >= least;
