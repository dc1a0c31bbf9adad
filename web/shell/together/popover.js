/** A button with a panel below it: Escape and a press elsewhere close it, and the button has the focus again. */

import { assign, h } from "../dom.js";

/**
 * @param label what the button shows; `name`: what a screen reader calls button and panel
 * @param opens called before the panel is shown; may return the element that gets the focus
 * @returns {{root: HTMLElement, button: HTMLButtonElement, panel: HTMLElement, close(): void, stop(): void}}
 */
export function popover({ id, label, buttonClass = "quiet", name, opens = () => {}, content = [] }) {
  const abort = new AbortController();
  const panel = h("div", { class: "popover", role: "dialog", "aria-label": name, hidden: true }, content);
  const button = h("button", { type: "button", id, class: buttonClass, "aria-expanded": "false", title: name }, label);
  const root = h("div", { class: "popover-place" }, button, panel);
  const show = (isOpen) => {
    panel.hidden = !isOpen;
    assign(button, { "aria-expanded": String(isOpen) });
  };
  const close = () => show(false);
  button.addEventListener("click", () => {
    if (!panel.hidden) return close();
    const focused = opens();
    show(true);
    focused?.focus();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || panel.hidden) return;
    event.stopPropagation();
    close();
    button.focus();
  });
  const elsewhere = ({ target }) => root.contains(target) || close();
  document.addEventListener("pointerdown", elsewhere, { signal: abort.signal, capture: true });
  return { root, button, panel, close, stop: () => abort.abort() };
}
