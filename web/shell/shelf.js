/** All diagrams one may see, by threat model, and new ones. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

export async function openShelf({ main, rest, me, isDevelopment, go, signOut }) {
  const everyone = isDevelopment ? "writer" : undefined;
  const models = await rest.threatModels();
  const shelves = await Promise.all(
    models.map(async (model) => ({ ...model, diagrams: await rest.diagrams(model.id) })),
  );

  const name = h("input", {
    name: "name",
    required: true,
    maxlength: 256,
    placeholder: "Online shop",
    "aria-label": "Name of the new threat model",
    autocomplete: "off",
  });
  const create = async (event) => {
    event.preventDefault();
    const model = await rest.createThreatModel(name.value, { everyone });
    await addDiagram(model.id, "Overview");
  };
  const addDiagram = async (threatModelId, title) => {
    const { id } = await rest.createDiagram(threatModelId, title);
    go(threatModelId, id);
  };

  main.replaceChildren(
    h(
      "div",
      { class: "shelf" },
      h(
        "header",
        { class: "bar" },
        h("h1", { class: "brand" }, "codraw"),
        h("span", { class: "spring" }),
        h("span", { class: "who" }, me.name ?? me.display_name),
        h("button", { class: "quiet", type: "button", onclick: signOut }, "Sign out"),
      ),
      h(
        "div",
        { class: "page" },
        h(
          "form",
          { class: "new", onsubmit: create },
          h("label", h("span", "New threat model"), name),
          h("button", { class: "primary", id: "create" }, icon("plus"), "Create and draw"),
        ),
        isDevelopment &&
          h("p", { class: "hint" }, "Development server: everybody who signs in may edit what you create here."),
        shelves.length === 0 &&
          h("p", { class: "empty" }, "Nothing here yet. Give your first threat model a name, and a diagram opens."),
        h(
          "ul",
          { class: "models" },
          shelves.map((model) => card(model, addDiagram)),
        ),
      ),
    ),
  );
}

function card({ id, name, owner, diagrams }, addDiagram) {
  return h(
    "li",
    { class: "card" },
    h("h2", name),
    h("p", { class: "owner" }, typeof owner === "string" ? owner : owner?.display_name),
    h(
      "ul",
      diagrams.map((diagram) => h("li", h("a", { href: `#/${id}/${diagram.id}` }, diagram.name))),
    ),
    h(
      "button",
      { class: "quiet small", type: "button", onclick: () => addDiagram(id, `Diagram ${diagrams.length + 1}`) },
      icon("plus"),
      "New diagram",
    ),
  );
}
