/** Light, dark, or as the system is: kept in this browser for all pages and windows. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEPT = "codraw.theme";
const CHOICES = ["system", "light", "dark"];
const NAMES = { system: "as the system", light: "light", dark: "dark" };
const dark = matchMedia("(prefers-color-scheme: dark)");
const changes = new EventTarget();

let chosen = read();

function read() {
  try {
    const kept = localStorage.getItem(KEPT);
    return CHOICES.includes(kept) ? kept : "system";
  } catch {
    return "system"; // a browser may forbid to keep anything
  }
}

function apply() {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  changes.dispatchEvent(new Event("change"));
}

/** "light" or "dark": what is seen now. */
export function theme() {
  if (chosen !== "system") return chosen;
  return dark.matches ? "dark" : "light";
}

/** @returns how to stop being told */
export function onTheme(told) {
  changes.addEventListener("change", told);
  return () => changes.removeEventListener("change", told);
}

/** A button for the header of a page: each press takes the next choice. */
export function themeSwitch() {
  return drawn(h("button", { class: "icon-button theme", type: "button", onclick: () => choose(next()) }));
}

function drawn(button) {
  const says = `Colours: ${NAMES[chosen]}`;
  button.title = `${says}. Change to ${NAMES[next()]}`;
  button.setAttribute("aria-label", button.title);
  button.replaceChildren(icon(`theme-${chosen}`));
  return button;
}

// A listener of each button would keep every page that was left, with all that is in it.
onTheme(() => document.querySelectorAll("button.theme").forEach(drawn));

const next = () => CHOICES[(CHOICES.indexOf(chosen) + 1) % CHOICES.length];

function choose(choice) {
  chosen = choice;
  try {
    localStorage.setItem(KEPT, choice);
  } catch {
    // It holds for this page, then.
  }
  apply();
}

dark.addEventListener("change", apply);
addEventListener("storage", ({ key }) => {
  if (key !== KEPT) return;
  chosen = read();
  apply();
});
apply();
