/** A button with a few commands under it. Escape, a press elsewhere and leaving it with Tab close it. */

import { assign, h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * @param {string} label what a screen reader calls it
 * @param {{text: string, icon: string, act: () => void, isGrave?: boolean}[]} commands
 */
export function menu(label, commands) {
  const summary = h("summary", { class: "icon-button button" }, icon("more"));
  const root = h(
    "details",
    {
      class: "menu",
      onkeydown: (event) => {
        if (event.key !== "Escape" || !root.open) return;
        event.stopPropagation();
        root.open = false;
        summary.focus();
      },
      onfocusout: ({ relatedTarget }) => relatedTarget && !root.contains(relatedTarget) && (root.open = false),
    },
    summary,
    h(
      "ul",
      { class: "commands" },
      commands.map(({ text, icon: picture, act, isGrave }) =>
        h("li", h("button", { class: `quiet${isGrave ? " grave" : ""}`, type: "button", onclick: () => chosen(act) }, icon(picture), text)),
      ),
    ),
  );
  const chosen = (act) => {
    root.open = false;
    summary.focus(); // where a dialog gives the focus back to
    act();
  };
  nameMenu(root, label);
  return root;
}

export function nameMenu(root, label) {
  assign(root.querySelector("summary"), { title: label, "aria-label": label });
}

document.addEventListener("pointerdown", ({ target }) => {
  for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(target)) open.open = false;
});
