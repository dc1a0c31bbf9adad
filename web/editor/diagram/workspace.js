/** One open diagram: the drawing, what one edits it with, who is there, how the connection is. */

import { connect, uuid } from "../../sdk/codraw.js";
import { h, toast } from "../../shell/dom.js";
import * as commands from "../../shell/drawing/commands.js";
import { onPinch } from "../../shell/drawing/pinching.js";
import { icon } from "../../shell/icons.js";
import { printing } from "../../shell/printing.js";
import { openRights } from "../../shell/start/rights.js";
import { PageError } from "../../shell/start/words.js";
import { themeSwitch } from "../../shell/theme.js";
import { titleOf } from "../../shell/title.js";
import { connection } from "../../shell/together/connection.js";
import { cursors } from "../../shell/together/cursors.js";
import { following } from "../../shell/together/following.js";
import { notices } from "../../shell/together/notices.js";
import { people } from "../../shell/together/people.js";
import { session } from "../../shell/together/session.js";
import { sharing } from "../../shell/together/sharing.js";
import { unsaved } from "../../shell/unsaved.js";
import { undoing } from "../../shell/together/undoing.js";
import { filesMenu } from "../files/menu.js";
import { Clipboard } from "./clipboard.js";
import { FlowTools } from "./flows.js";
import { FormatPanel } from "./format.js";
import { Gestures } from "./gestures.js";
import { Keyboard, showKeys } from "./keyboard.js";
import { Labels } from "./labels.js";
import { Marks } from "./marks.js";
import { Minimap } from "./minimap.js";
import { Palette } from "./palette.js";
import { Stage } from "./stage.js";

/** Shows the diagram in `main`; returns how to leave it. `leave()` asks first and resolves to whether it may. */
export async function openWorkspace({ main, rest, place, onLeave }) {
  if (!globalThis.X6) throw new PageError("The drawing library (AntV X6) did not load. Reload the page to try again.");
  const { threatModelId, diagramId } = place;
  const [described, me] = await Promise.all([rest.diagram(threatModelId, diagramId), rest.me()]);
  const title = titleOf({ rest, place, name: described.name });
  const live = rest.live(threatModelId, diagramId, { told: ({ diagram_name: name }) => title.is(name) });
  const diagram = connect({ ...live, storage: unsaved(me, diagramId) });
  diagram.replica.show({ ...described, epoch: "" }); // until it is live; of no epoch, since nothing is resumed from it
  try {
    const workspace = new Workspace({ diagram, rest, place, title, onLeave });
    main.replaceChildren(workspace.root);
    return workspace;
  } catch (error) {
    title.stop();
    diagram.close({ patienceMs: 0 }); // else each try would leave a connection behind
    throw new PageError(`The diagram cannot be shown: ${error.message}`, { cause: error });
  }
}

/** A pinch upon what floats over the drawing does not zoom the page around it. */
const keepPage = (event) => event.ctrlKey && event.preventDefault();

class Workspace {
  tool = "select";
  #diagram;
  #stage;
  #parts = []; // whatever has a stop()
  #palette;
  #labels;
  #gestures;
  #clipboard;
  #session;
  #steps; // of undo and redo
  #undo = iconButton("undo", "Undo (Ctrl+Z)", () => this.undo());
  #redo = iconButton("redo", "Redo (Ctrl+Shift+Z)", () => this.redo());
  #zoomed = h("button", {
    type: "button",
    class: "quiet zoomed",
    title: "To 100 % (0)",
    onclick: () => this.#stage.zoomTo(1),
  });
  #spoken = h("p", { class: "hidden", role: "status", "aria-live": "polite" });
  #empty = h("p", { class: "empty-hint", hidden: true });
  #format;
  #over; // not within the drawing, whose keys are its own: here a screen reader browses as usual
  #isFitted = false;

  constructor({ diagram, rest, place, title, onLeave }) {
    this.#diagram = diagram;
    this.#steps = undoing({ diagram });
    const stage = (this.#stage = this.#part(new Stage(diagram, globalThis.X6)));
    const editor = this;
    const marks = this.#part(new Marks({ diagram, stage }));
    this.#part(new FlowTools({ diagram, stage }));
    this.#labels = new Labels({ diagram, stage, edit: (changes) => this.edit(changes) });
    this.#gestures = this.#part(new Gestures({ diagram, stage, marks, editor }));
    this.#clipboard = this.#part(new Clipboard({ diagram, stage, editor }));
    this.#part(new Keyboard({ diagram, stage, editor }));
    this.#palette = new Palette({ stage, editor });
    this.#format = this.#part(new FormatPanel({ diagram, stage, editor }));
    const minimap = this.#part(new Minimap({ stage }));
    this.#over = h("div", { class: "overlay" }, this.#empty, this.#format.root, minimap.root, this.#zoomBar());
    this.#over.addEventListener("wheel", keepPage, { passive: false });
    onPinch(this.#over, () => {});
    this.#session = this.#part(session({ diagram, rest, onLeave }));
    this.#part(printing(stage.printed));
    this.root = h(
      "div",
      { class: "workspace" },
      this.#header({ title, rest, place, onLeave }),
      this.#palette.root,
      stage.root,
      this.#over,
      this.#spoken,
    );
    this.#listen();
    this.use("select");
  }

  #part(part) {
    this.#parts.push(part);
    return part;
  }

  // -- what gestures, keys and buttons ask for ------------------------------------------------------------------------

  /** Nothing where nothing is to be changed, or one may only look on. */
  edit(changes, options) {
    if (!this.#diagram.canWrite || changes.length === 0) return;
    try {
      this.#diagram.edit(withinLimit(changes, this.#diagram.limits), options);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#editInHalves(error, changes, options);
    }
  }

  /** Too much for one operation goes in halves, undone as one; what is left of it is not for its size alone. */
  #editInHalves({ message }, changes, { groupId = uuid() } = {}) {
    if (changes.length === 1) return toast(`That cannot be sent: ${message}.`, "bad");
    const half = changes.length >> 1;
    this.edit(changes.slice(0, half), { groupId });
    this.edit(changes.slice(half), { groupId });
  }

  use(tool) {
    this.tool = tool;
    this.#stage.root.dataset.tool = tool;
    this.#palette.show(tool, this.#diagram.canWrite);
  }

  place(shape, point) {
    const id = this.#add(shape, point);
    this.rename(id);
  }

  /** Beside what stands there already. */
  placeInMiddle(shape) {
    const point = this.#stage.middle;
    const { width, height } = commands.SHAPES[shape];
    const isTaken = ({ x, y }) =>
      this.#stage
        .nodesIn({ x: x - width / 2, y: y - height / 2, width, height })
        .some((node) => node.shape !== "security-boundary");
    for (let tries = 0; tries < 40 && isTaken(point); tries++) point.x += 40;
    const id = this.#add(shape, point);
    this.#stage.reveal(id);
    this.#stage.root.focus({ preventScroll: true });
  }

  #add(shape, point) {
    const { id, changes } = commands.added(this.#diagram.replica, shape, point);
    this.edit(changes);
    this.use("select");
    this.#stage.select([id]);
    return id;
  }

  connect(source, target) {
    const { id, changes } = commands.connected(source, target);
    this.edit(changes);
    this.use("select");
    this.#stage.select([id]);
  }

  /** False: not two nodes are selected. */
  connectSelected() {
    const nodes = this.#stage.selectedNodes;
    if (nodes.length !== 2 || !this.#diagram.canWrite) return false;
    this.connect(...nodes);
    return true;
  }

  rename(id) {
    this.#labels.open(id);
  }

  remove() {
    this.edit(commands.removed(this.#diagram.replica, this.#stage.selection));
  }

  raise(isToFront) {
    this.edit(commands.raised(this.#diagram.replica, this.#stage.selection, isToFront));
  }

  duplicate() {
    if (this.#diagram.canWrite) this.#clipboard.duplicate();
  }

  /** To the panel of what is selected. False: there is none. */
  format() {
    return this.#format.focus();
  }

  /** Lets go of the gesture that goes on. */
  cancel() {
    return this.#gestures.cancel();
  }

  undo() {
    this.#steps.undo();
  }

  redo() {
    this.#steps.redo();
  }

  /** For those who do not see it. */
  say(words) {
    this.#spoken.textContent = words;
  }

  // -- what is laid around the drawing --------------------------------------------------------------------------------

  #header({ title, rest, place, onLeave }) {
    const [diagram, stage] = [this.#diagram, this.#stage];
    const followed = this.#part(following({ diagram, stage }));
    this.#over.prepend(followed.root);
    this.#part(cursors({ diagram, stage }));
    this.#part(notices({ diagram }));
    return h(
      "header",
      { class: "bar" },
      iconButton("back", "All diagrams", onLeave),
      this.#part(title).root,
      this.#part(connection({ diagram })).root,
      this.#passing(h("div", { class: "row tight history" }, this.#undo, this.#redo)),
      this.#part(filesMenu({ diagram, stage, title, rest, place })).root,
      this.#part(people({ diagram, following: followed })).root,
      this.#part(sharing({ title, rights: () => openRights({ rest, threatModelId: place.threatModelId }) }))
        .root,
      this.#session.root,
      themeSwitch(),
    );
  }

  #zoomBar() {
    return this.#passing(
      h(
        "div",
        { class: "zoom over", role: "toolbar", "aria-label": "View" },
        iconButton("minus", "Zoom out (−)", () => this.#stage.zoom(0.8)),
        this.#zoomed,
        iconButton("plus", "Zoom in (+)", () => this.#stage.zoom(1.25)),
        iconButton("fit", "Show everything (1)", () => this.#stage.showAll()),
        iconButton("keys", "Keys (?)", showKeys),
      ),
    );
  }

  /** Who clicks there goes on in the drawing; who came by the keyboard stays. */
  #passing(buttons) {
    buttons.addEventListener("click", ({ detail }) => detail !== 0 && this.#stage.root.focus({ preventScroll: true }));
    return buttons;
  }

  // -- what happens ---------------------------------------------------------------------------------------------------

  #listen() {
    const diagram = this.#diagram;
    const rights = () => this.#rightsChanged();
    const stops = [
      diagram.on("welcome", rights),
      diagram.on("participants", rights),
      diagram.on("history", () => this.#drawHistory()),
      diagram.on("status", () => this.#drawHistory()),
      this.#stage.on("change", () => this.#changed()),
      this.#stage.on("ready", () => this.#changed()),
      this.#stage.on("view", () => this.#drawZoom()),
      this.#stage.on("connected", () => this.use("select")),
      this.#stage.on("failed", (error) => toast(error.message, "bad")),
    ];
    this.#part({ stop: () => stops.forEach((stop) => stop()) });
    this.#drawHistory();
    this.#drawZoom();
  }

  #rightsChanged() {
    const { canWrite } = this.#diagram;
    if (!canWrite && this.tool !== "frame") this.use("select");
    else this.#palette.show(this.tool, canWrite);
    this.#stage.root.classList.toggle("reader", !canWrite);
    this.#drawHistory();
    this.#drawEmpty();
  }

  #drawHistory() {
    const { undo, redo } = this.#steps.depth;
    this.#undo.disabled = undo === 0;
    this.#redo.disabled = redo === 0;
  }

  #drawZoom() {
    this.#zoomed.textContent = `${Math.round(this.#stage.scale * 100)} %`;
  }

  /** The first cells are shown whole; later nothing moves under one's eyes. */
  #changed() {
    this.#drawEmpty();
    if (this.#isFitted || this.#diagram.replica.epoch === null || this.#stage.viewport.width === 0) return;
    this.#isFitted = true;
    this.#stage.showAll(false);
  }

  #drawEmpty() {
    const isEmpty = this.#diagram.replica.epoch !== null && this.#stage.cells().length === 0;
    this.#empty.hidden = !isEmpty;
    this.#empty.textContent = this.#diagram.canWrite
      ? "An empty diagram. Drag a shape from the left, or press its letter and click."
      : "Nothing is drawn here yet.";
  }

  /** False: the user would rather stay. */
  async leave() {
    this.#labels.close();
    return this.#session.leave();
  }

  stop() {
    for (const part of this.#parts.splice(0).reverse()) part.stop();
    this.#diagram.close({ patienceMs: 0 }); // the rest is kept
  }
}

function withinLimit(changes, { max_cells_per_operation: most }) {
  if (changes.length > most) throw new RangeError("too many cells");
  return changes;
}

function iconButton(name, label, action) {
  return h(
    "button",
    { type: "button", class: "icon-button", title: label, "aria-label": label, onclick: () => action() },
    icon(name),
  );
}
