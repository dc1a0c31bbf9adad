/** Questions in a window of their own, above the page. */

import { h } from "../dom.js";
import { problemOf } from "./words.js";

/** A window with a title and a form; `act` is called when the form is sent, and what it throws is said in the window. */
export function openForm({ title, content, action, wide = false, act }) {
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { class: "primary" }, action);
  const send = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    submit.disabled = true;
    try {
      await act();
      dialog.close();
    } catch (error) {
      problem.textContent = problemOf(error);
    } finally {
      submit.disabled = false;
    }
  };
  const dialog = h(
    "dialog",
    { class: `question${wide ? " wide" : ""}`, "aria-label": title, onclose: () => dialog.remove() },
    h(
      "form",
      { onsubmit: send },
      h("h2", title),
      content,
      problem,
      h("div", { class: "row end" }, h("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, "Cancel"), submit),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function nameField(value) {
  return h("input", { name: "name", required: true, maxlength: 256, autocomplete: "off", value });
}

export const labelled = (text, field) => h("label", h("span", text), field);

/** Asks for another name. */
export function openRename({ title, value, act }) {
  const name = nameField(value);
  const rename = async () => {
    const wanted = name.value.trim();
    if (wanted && wanted !== value) await act(wanted);
  };
  openForm({ title, content: labelled("Name", name), action: "Rename", act: rename });
  name.select();
}
