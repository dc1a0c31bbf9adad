/** The tools at the side: pressed and then placed by a click, dragged into the drawing, or placed by a key. */

import { h } from "../../shell/dom.js";
import { SHAPES } from "../../shell/drawing/commands.js";
import { icon } from "../../shell/icons.js";

const THRESHOLD = 6;

export const TOOLS = [
  { tool: "select", name: "Select", key: "v", hint: "Select and move; drag the ground to look around" },
  { tool: "frame", name: "Area", key: "m", hint: "Select all within a frame" },
  ...Object.entries(SHAPES).map(([tool, { name, key }]) => ({
    tool,
    name,
    key,
    hint: `${name}: press and place, or drag`,
  })),
  { tool: "flow", name: "Flow", key: "f", hint: "Flow: drag from one cell to another" },
];
/** What one may take up who only looks on. */
export const LOOKING = new Set(["select", "frame"]);

export class Palette {
  #stage;
  #editor;
  #buttons = new Map();

  /** @param editor `use(tool)`, `place(shape, point)`, `placeInMiddle(shape)`, `connectSelected()` */
  constructor({ stage, editor }) {
    this.#stage = stage;
    this.#editor = editor;
    this.root = h(
      "nav",
      { class: "tools", "aria-label": "Tools" },
      TOOLS.map((one) => this.#button(one)),
    );
  }

  #button({ tool, name, key, hint }) {
    const label = h("span", name);
    const button = h(
      "button",
      {
        type: "button",
        class: "tool",
        "data-tool": tool,
        "aria-pressed": "false",
        "aria-keyshortcuts": key,
        title: `${hint} (${key.toUpperCase()})`,
        onclick: (event) => this.#pressed(tool, event),
      },
      icon(tool),
      label,
    );
    if (tool in SHAPES) button.addEventListener("pointerdown", (event) => this.#drag(tool, button, event));
    this.#buttons.set(tool, button);
    return button;
  }

  show(tool, canWrite) {
    for (const [name, button] of this.#buttons) {
      button.setAttribute("aria-pressed", String(name === tool));
      button.disabled = !canWrite && !LOOKING.has(name);
    }
  }

  /** From the keyboard (no click count) a shape is put in the middle at once, and a flow between two selected nodes. */
  #pressed(tool, { detail }) {
    if (detail === 0 && tool in SHAPES) this.#editor.placeInMiddle(tool);
    else if (detail === 0 && tool === "flow" && this.#editor.connectSelected()) this.#stage.root.focus();
    else {
      this.#editor.use(tool);
      if (detail !== 0) this.#stage.root.focus({ preventScroll: true });
    }
  }

  #drag(shape, button, down) {
    if (down.button !== 0 || button.disabled) return;
    const { width, height } = SHAPES[shape];
    let ghost = null;
    const abort = new AbortController();
    const follow = (event) => {
      if (!ghost && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < THRESHOLD) return;
      if (!ghost)
        document.body.append(
          (ghost = h("div", { class: `ghost ${shape}`, "aria-hidden": "true" }, SHAPES[shape].name)),
        );
      const { scale } = this.#stage;
      Object.assign(ghost.style, {
        width: `${width * scale}px`,
        height: `${height * scale}px`,
        transform: `translate(${event.clientX - (width * scale) / 2}px, ${event.clientY - (height * scale) / 2}px)`,
      });
    };
    const drop = () => {
      abort.abort();
      ghost?.remove();
    };
    const finish = (event) => {
      drop();
      if (!ghost) return;
      const over = document.elementFromPoint(event.clientX, event.clientY);
      const isInside = event.type === "pointerup" && this.#stage.root.contains(over);
      // The button is captured by nothing: let go elsewhere it gets no click, let go on itself it means nothing.
      setTimeout(() => isInside && this.#editor.place(shape, this.#stage.toWorld(event)));
    };
    const { signal } = abort;
    const own = (act) => (event) => event.pointerId === down.pointerId && act(event);
    addEventListener("pointermove", own(follow), { signal });
    addEventListener("pointerup", own(finish), { signal });
    addEventListener("pointercancel", own(finish), { signal });
    addEventListener("keydown", ({ key }) => key === "Escape" && drop(), { signal });
  }
}
