/** What the dashboard is made of: a card for a diagram, a section for a threat model, a line for a live session. */

import { assign, confirmed, h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { menu, nameMenu } from "../menu.js";
import { openNewDiagram } from "./create.js";
import { openRename } from "./dialogs.js";
import { Keyed } from "./keyed.js";
import { openRights } from "./rights.js";
import { ago, atWork, counted, problemOf } from "./words.js";

/** A picture that appears when it is there. */
const picture = () => h("img", { alt: "", draggable: "false" });

function moment(at) {
  return h("time", { datetime: at, title: new Date(at).toLocaleString("en") }, `Changed ${ago(at)}`);
}

/** `at`: what all parts of the dashboard need: {rest, library, thumbnails, go, refresh(modelId)}. */
export class DiagramCard {
  #image = picture();
  #name = h("span", { class: "name" });
  #changed = h("span", { class: "changed" });
  #live = h("span", { class: "live", hidden: true });
  #link;
  #shown = null; // {model, diagram}
  #more; // false: nothing may be done to it
  #at;

  constructor(at, model, diagram) {
    this.#at = at;
    this.#link = h("a", { href: `#/${model.id}/${diagram.id}` }, h("span", { class: "preview" }, this.#image, this.#live), this.#name);
    this.#more = model.role !== "reader" && this.#menu(model.role === "owner");
    this.root = h(
      "li",
      { class: "card diagram" },
      this.#link,
      h("div", { class: "below" }, this.#changed, this.#more),
    );
  }

  update(model, diagram, session) {
    this.#shown = { model, diagram, session };
    this.#name.textContent = diagram.name;
    if (this.#more) nameMenu(this.#more, `More for ${diagram.name}`);
    assign(this.#link, { title: session ? `${diagram.name}: ${atWork(session.people)}` : diagram.name });
    this.#changed.replaceChildren(moment(diagram.modified_at));
    this.#live.hidden = !session;
    if (session) this.#live.textContent = session.people.length > 0 ? atWork(session.people) : "Live";
    this.#at.thumbnails.show(this.#image, { threatModelId: model.id, id: diagram.id, vector: diagram.update_vector });
  }

  stop() {
    this.#at.thumbnails.drop(this.#image);
  }

  #menu(isOwner) {
    return menu("More", [
      { text: "Rename", icon: "rename", act: () => this.#rename() },
      ...(isOwner ? [{ text: "Delete", icon: "remove", act: () => this.#remove(), isGrave: true }] : []),
    ]);
  }

  #rename() {
    const { model, diagram } = this.#shown;
    const act = async (name) => {
      await this.#at.library.renameDiagram(model.id, diagram.id, name);
      await this.#at.refresh(model.id);
    };
    openRename({ title: "Rename the diagram", value: diagram.name, act });
  }

  async #remove() {
    const { model, diagram, session } = this.#shown;
    const crowd = session?.people.length > 0 ? ` ${atWork(session.people)} in it now.` : "";
    if (!(await confirmed(`Delete “${diagram.name}”?${crowd} It cannot be brought back.`, "Delete"))) return;
    await told(this.#at.library.removeDiagram(model.id, diagram.id), `“${diagram.name}” is deleted.`);
    await this.#at.refresh(model.id);
  }
}

export class ModelSection {
  #at;
  #model;
  #name = h("h2");
  #facts = h("p", { class: "about" });
  #more;
  #none = h("li", { class: "nothing" });
  #list = h("ul", { class: "diagrams" });
  #cards = new Keyed(this.#list);

  constructor(at, model) {
    this.#at = at;
    this.#model = model;
    this.#name.id = `model-${model.id}`;
    const mayDraw = model.role !== "reader";
    this.#more = mayDraw && menu("More", this.#commands());
    this.root = h(
      "section",
      { class: "model", "aria-labelledby": this.#name.id },
      h(
        "header",
        h("div", this.#name, this.#facts),
        h(
          "div",
          { class: "row" },
          mayDraw && h("button", { class: "small", type: "button", onclick: () => this.#add() }, icon("plus"), "New diagram"),
          model.role === "owner" && h("button", { class: "small share", type: "button", onclick: () => this.#share() }, icon("people"), "Share"),
          this.#more,
        ),
      ),
      this.#list,
    );
  }

  /** @param sessions by diagram id; @param matches which diagrams are wanted */
  update(model, sessions, matches) {
    this.#model = model;
    this.#name.textContent = model.name;
    if (this.#more) nameMenu(this.#more, `More for ${model.name}`);
    const owner = typeof model.owner === "string" ? model.owner : model.owner?.display_name;
    const rights = { owner: "yours", writer: `of ${owner}`, reader: `of ${owner}, you may look` }[model.role] ?? `of ${owner}`;
    this.#facts.textContent = `${counted(model.diagrams.length, "diagram")}, ${rights}`;
    const diagrams = model.diagrams.filter(matches);
    this.#cards.show(diagrams, {
      key: ({ id }) => id,
      make: (diagram) => new DiagramCard(this.#at, model, diagram),
      update: (card, diagram) => card.update(model, diagram, sessions.get(diagram.id)),
      gone: (card) => card.stop(),
    });
    this.#none.textContent = model.role === "reader" ? "No diagram yet." : "No diagram yet: make the first one.";
    if (diagrams.length === 0) this.#list.append(this.#none);
    else this.#none.remove();
  }

  stop() {
    this.#cards.show([], { gone: (card) => card.stop() });
  }

  #add() {
    openNewDiagram({ library: this.#at.library, model: this.#model, go: this.#at.go });
  }

  #share() {
    openRights({ rest: this.#at.rest, threatModelId: this.#model.id, changed: () => this.#at.refresh(this.#model.id) });
  }

  #commands() {
    const rename = { text: "Rename", icon: "rename", act: () => this.#rename() };
    const remove = { text: "Delete", icon: "remove", act: () => this.#remove(), isGrave: true };
    return this.#model.role === "owner" ? [rename, remove] : [rename];
  }

  #rename() {
    const { id, name } = this.#model;
    const act = async (wanted) => {
      await this.#at.library.renameModel(id, wanted);
      await this.#at.refresh(id);
    };
    openRename({ title: "Rename the threat model", value: name, act });
  }

  async #remove() {
    const { id, name, diagrams } = this.#model;
    const what = diagrams.length > 0 ? ` and its ${counted(diagrams.length, "diagram")}` : "";
    if (!(await confirmed(`Delete “${name}”${what}? Nobody can bring it back.`, "Delete"))) return;
    await told(this.#at.library.removeModel(id), `“${name}” is deleted.`);
    await this.#at.refresh(id);
  }
}

/** Sessions that are live now, above all else. */
export class LiveNow {
  #at;
  #list = h("ul", { class: "sessions" });
  #lines = new Keyed(this.#list);
  root = h("section", { class: "now", "aria-labelledby": "live-now", hidden: true }, h("h2", { id: "live-now" }, "Live now"), this.#list);

  constructor(at) {
    this.#at = at;
  }

  update(sessions, vectorOf) {
    this.root.hidden = sessions.length === 0;
    this.#lines.show(sessions, {
      key: ({ session_id }) => session_id,
      make: (session) => this.#line(session),
      update: (line, session) => line.update(session, vectorOf(session.diagram_id)),
      gone: (line) => this.#at.thumbnails.drop(line.image),
    });
  }

  stop() {
    this.update([], () => 0);
  }

  #line({ threat_model_id: threatModelId, diagram_id: id }) {
    const [image, name, people] = [picture(), h("strong"), h("span", { class: "people-now" })];
    const join = h("a", { class: "button primary", href: `#/${threatModelId}/${id}` }, "Join");
    const update = (session, vector) => {
      name.textContent = session.diagram_name;
      people.textContent = `${session.threat_model_name} · ${atWork(session.people)}`;
      assign(join, { "aria-label": `Join ${session.diagram_name}` });
      this.#at.thumbnails.show(image, { threatModelId, id, vector });
    };
    const root = h("li", { class: "card live-session" }, h("span", { class: "preview" }, image), h("div", { class: "names" }, name, people), join);
    return { root, image, update };
  }
}

/** Says how it ended. */
async function told(done, success) {
  try {
    await done;
    toast(success);
  } catch (error) {
    toast(problemOf(error), "bad");
  }
}
