/** A message written by hand: templates, what is wrong with it, what was sent before. */

import { h } from "../shell/dom.js";
import { TEMPLATES, templateText, V1 } from "./templates.js";

const MOST_SENT = 20;

export class Composer {
  #send;
  #about;
  #sent = []; // the newest first
  #at = -1; // which of them is shown
  #text = h("textarea", {
    id: "raw",
    rows: 7,
    spellcheck: "false",
    "aria-label": "A message to send as it is",
    "aria-describedby": "raw-verdict",
    oninput: () => this.#judge(),
    onkeydown: (event) => this.#key(event),
  });
  #verdict = h("p", { class: "verdict", id: "raw-verdict", role: "status" });
  #wire = h("select", { "aria-label": "Send it over", onchange: () => this.#wireChanged() });
  #templates = h("select", { id: "template", "aria-label": "Template", onchange: () => this.#take() });
  #history = h(
    "select",
    { "aria-label": "Sent before", disabled: true, onchange: () => this.#recall() },
    h("option", { value: "" }, "Sent before …"),
  );

  /** @param send `(wire, text)`: false, there is no such connection. @param about what templates are made from */
  constructor({ send, about }) {
    this.#send = send;
    this.#about = about;
    this.root = h(
      "div",
      { class: "composer" },
      h("div", { class: "row" }, this.#wire, this.#templates, this.#history),
      this.#text,
      this.#verdict,
      h(
        "div",
        { class: "row" },
        h("button", { class: "small primary", type: "button", id: "send", onclick: () => this.#go() }, "Send"),
        h("small", "Ctrl+Enter sends, Alt+↑ brings back"),
      ),
    );
    this.wiresAre([V1]);
    this.#take();
  }

  /** Over which connections one can send. */
  wiresAre(wires) {
    const before = this.#wire.value;
    this.#wire.replaceChildren(...wires.map((wire) => h("option", { value: wire }, wire)));
    this.#wire.value = wires.includes(before) ? before : V1;
    this.#wire.hidden = wires.length < 2;
    if (this.#wire.value !== before) this.#wireChanged();
  }

  /** To be changed and sent. */
  show(text) {
    this.#text.value = text;
    this.#judge();
    this.#text.focus();
  }

  #wireChanged() {
    const names = Object.keys(TEMPLATES[this.#wire.value]);
    this.#templates.replaceChildren(
      h("option", { value: "" }, "Template …"),
      ...names.map((name) => h("option", { value: name }, name)),
    );
    this.#templates.value = names[0];
  }

  #take() {
    if (!this.#templates.value) return;
    this.#text.value = templateText(this.#wire.value, this.#templates.value, this.#about());
    this.#judge();
  }

  #judge() {
    const { text, isGood } = verdictOn(this.#text.value);
    this.#verdict.textContent = text;
    this.#verdict.classList.toggle("bad", !isGood);
  }

  #key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#go();
    else if (event.altKey && event.key === "ArrowUp") this.#walk(1);
    else if (event.altKey && event.key === "ArrowDown") this.#walk(-1);
    else return;
    event.preventDefault();
  }

  #go() {
    const text = this.#text.value;
    if (!this.#send(this.#wire.value, text)) {
      this.#verdict.textContent = "Not sent: there is no connection.";
      this.#verdict.classList.add("bad");
      return;
    }
    this.#sent = [text, ...this.#sent.filter((one) => one !== text)].slice(0, MOST_SENT);
    this.#at = 0;
    this.#history.disabled = false;
    this.#history.replaceChildren(
      this.#history.firstChild,
      ...this.#sent.map((one, at) => h("option", { value: at }, one.replace(/\s+/g, " ").slice(0, 60))),
    );
  }

  #recall() {
    if (this.#history.value !== "") this.show(this.#sent[(this.#at = Number(this.#history.value))]);
    this.#history.value = "";
  }

  #walk(by) {
    this.#at = Math.max(0, Math.min(this.#sent.length - 1, this.#at + by));
    if (this.#sent.length > 0) this.show(this.#sent[this.#at]);
  }
}

/** Anything may be sent; this says what the server will think of it. */
export function verdictOn(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch (error) {
    return { text: `No JSON: ${error.message}`, isGood: false };
  }
  if (message === null || typeof message !== "object" || Array.isArray(message))
    return { text: "JSON, but not an object: the server will not read it.", isGood: false };
  if (typeof message.message_type !== "string")
    return { text: "JSON without a message_type: the server will not know what it is.", isGood: false };
  return { text: `JSON, ${message.message_type}.`, isGood: true };
}
