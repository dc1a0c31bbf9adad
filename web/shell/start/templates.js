/** What a new diagram may begin with: nothing, or one of the examples. */

import { isEdge, uuid } from "../../sdk/codraw.js";
import { h } from "../dom.js";
import { sketch } from "./sketch.js";

const EXAMPLES = ["web-shop", "microservices", "network", "sign-in"];
let reading = null;

/** @returns {Promise<{name: string, description: string, cells: object[]}[]>} read once */
export function examples() {
  reading ??= Promise.all(EXAMPLES.map(read)).catch((error) => {
    reading = null;
    throw error;
  });
  return reading;
}

async function read(name) {
  const answer = await fetch(new URL(`examples/${name}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

/** The same cells with ids of their own, as every diagram needs them. */
export function afresh(cells) {
  const ids = new Map(cells.map(({ id }) => [id, uuid()]));
  const end = ({ cell, ...more }) => ({ ...more, cell: ids.get(cell) });
  return cells.map((cell) => ({
    ...cell,
    id: ids.get(cell.id),
    ...(cell.parent && { parent: ids.get(cell.parent) }),
    ...(isEdge(cell) && { source: end(cell.source), target: end(cell.target) }),
  }));
}

let groups = 0;

/** A choice among them. */
export class Templates {
  #chosen = { cells: [] };
  #group = `template-${(groups += 1)}`;
  root = h("fieldset", { class: "templates" }, h("legend", "Begin with"), this.#option({ name: "Empty", cells: [] }, true));

  constructor() {
    examples()
      .then((found) => this.root.append(...found.map((example) => this.#option(example))))
      .catch(() => {}); // an empty diagram is enough to begin with
  }

  /** New cells of what is chosen. */
  get cells() {
    return afresh(this.#chosen.cells);
  }

  /** What a diagram that begins so could be called, or null. */
  get name() {
    return this.#chosen.cells.length > 0 ? this.#chosen.name : null;
  }

  #option(template, checked = false) {
    const { name, description, cells } = template;
    return h(
      "label",
      { class: "template", title: description },
      h("input", { type: "radio", name: this.#group, checked, onchange: () => (this.#chosen = template) }),
      h("span", { class: "preview" }, cells.length > 0 && sketch(cells)),
      h("span", { class: "name" }, name),
    );
  }
}
