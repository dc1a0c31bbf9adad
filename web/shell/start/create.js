/** New threat models and diagrams, empty or from an example; what is made is opened. */

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { labelled, nameField, openForm } from "./dialogs.js";
import { Templates } from "./templates.js";
import { problemOf } from "./words.js";

const FIRST = "Overview";

/** The form above everything: a threat model and its first diagram. */
export function createForm({ rest, library, everyone, go }) {
  const templates = new Templates();
  const name = h("input", {
    name: "name",
    required: true,
    maxlength: 256,
    placeholder: "Online shop",
    "aria-label": "Name of the new threat model",
    autocomplete: "off",
  });
  const button = h("button", { class: "primary", id: "create" }, icon("plus"), "Create and draw");
  const problem = h("p", { class: "problem", role: "alert" });
  const create = async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = "";
    try {
      const model = await rest.createThreatModel(name.value.trim(), { everyone });
      const { id } = await library.createDiagram(model.id, templates.name ?? FIRST, templates.cells);
      go(model.id, id);
    } catch (error) {
      problem.textContent = problemOf(error);
      button.disabled = false;
    }
  };
  return h(
    "form",
    { class: "new", onsubmit: create },
    h("h2", "Start something new"),
    h("div", { class: "entry" }, h("label", h("span", "New threat model"), name), button),
    templates.root,
    problem,
  );
}

/** A further diagram in a threat model. */
export function openNewDiagram({ library, model, go }) {
  const templates = new Templates();
  const proposed = `Diagram ${model.diagrams.length + 1}`;
  const name = nameField(proposed);
  const act = async () => {
    const wanted = name.value.trim();
    const called = wanted === proposed ? (templates.name ?? wanted) : wanted;
    const { id } = await library.createDiagram(model.id, called, templates.cells);
    go(model.id, id);
  };
  openForm({ title: `New diagram in ${model.name}`, content: [labelled("Name", name), templates.root], action: "Create and draw", wide: true, act });
  name.select();
}
