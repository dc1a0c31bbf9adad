/** Elements in one expression. Text is always set as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

export const h = (tag, ...parts) => build(document.createElement(tag), parts);
export const s = (tag, ...parts) => build(document.createElementNS(SVG, tag), parts);

/** Parts: an object gives attributes and `on…` listeners, anything else is a child; null and false are nothing. */
function build(element, parts) {
  for (const part of parts.flat()) {
    if (part === null || part === undefined || part === false) continue;
    if (typeof part === "object" && !(part instanceof Node)) assign(element, part);
    else element.append(part);
  }
  return element;
}

export function assign(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** Whether a key without Ctrl may be a command: not where the focus is on something else (WCAG 2.1.4). @param homes a selector */
export const takesLetters = (target, homes) => target === document.body || Boolean(target.closest?.(homes));

/** The letter of a pressed key; where the keyboard writes another alphabet, the Latin one in its place. */
export function letterOf({ key, code, altKey }) {
  const isForeign = key.length === 1 && key > "\x7f" && !altKey && /^Key[A-Z]$/.test(code);
  return (isForeign ? code.at(-1) : key).toLowerCase();
}

/** Whether a key is one of a composition: Safari says that it has ended before it tells of the key that ended it. */
export const composes = ({ isComposing, keyCode }) => isComposing || keyCode === 229;

/** A question with two answers; resolves to whether the first was given. */
export function confirmed(question, yes, no = "Cancel") {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { class: "question", "aria-labelledby": "question", onclose: () => (dialog.remove(), resolve(dialog.returnValue === "yes")) },
      h(
        "form",
        { method: "dialog" },
        h("p", { id: "question" }, question),
        h(
          "div",
          { class: "row end" },
          h("button", { class: "quiet", value: "no", autofocus: true }, no),
          h("button", { class: "primary", value: "yes" }, yes),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}

let place = null;

/** A short message that goes away by itself. */
export function toast(text, kind = "note") {
  if (!place?.isConnected) {
    place = h("div", { class: "toasts", role: "status", "aria-live": "polite" });
    document.body.append(place);
  }
  const message = h("p", { class: `toast ${kind}` }, text);
  place.append(message);
  while (place.childElementCount > 4) place.firstChild.remove();
  setTimeout(() => message.remove(), 6000);
}
