/** The link by which others join. */

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { popover } from "./popover.js";

/**
 * @param title `name`: what is shared, as its users call it now
 * @param rights shows who may see it, where a page can do that
 */
export function sharing({ title, rights }) {
  const select = () => {
    link.setSelectionRange(0, link.value.length, "backward");
    requestAnimationFrame(() => (link.scrollLeft = 0)); // its beginning is seen
  };
  const link = h("input", { class: "link", readonly: true, "aria-label": "Link to this diagram", onfocus: select });
  const heading = h("h2");
  const said = h("p", { class: "hint", role: "status" });
  const copy = async () => {
    said.textContent = (await copied(link)) ? "Copied." : "Press Ctrl+C to copy it.";
  };
  const { root, stop, close, button } = popover({
    id: "share",
    label: [icon("link"), h("span", { class: "label" }, "Share")],
    buttonClass: "primary",
    name: "Share this diagram",
    opens: () => {
      link.value = location.href;
      heading.textContent = title ? `Share “${title.name}”` : "Share";
      said.textContent = "";
      return link;
    },
    content: [
      heading,
      h("p", { class: "hint" }, "Whoever opens this link and may see the diagram joins you here, live."),
      link,
      h("button", { type: "button", class: "primary", id: "copy-link", onclick: copy }, icon("copy"), "Copy the link"),
      said,
      rights && h("button", { type: "button", id: "rights", onclick: () => openRights() }, icon("people"), "Who may see it"),
    ],
  });
  const openRights = () => {
    close();
    button.focus(); // where a dialog gives the focus back to
    rights();
  };
  return { root, stop };
}

/** A page on plain http has no clipboard; the older way wants what is selected. */
async function copied(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.focus();
    field.select();
    return document.execCommand("copy");
  }
}
