/** Who may see and change a threat model: everybody here, and people by e-mail address. */

import { h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { Keyed } from "./keyed.js";
import { roleOf } from "./library.js";
import { problemOf } from "./words.js";

const ROLES = { owner: "Owner", writer: "May draw", reader: "May look" };

/** Owners may change it, others see it. `changed` is called after every change. */
export async function openRights({ rest, threatModelId, changed = () => {} }) {
  try {
    const [model, me] = await Promise.all([rest.threatModel(threatModelId), rest.me()]);
    await new Rights(rest, me, model, changed).open();
  } catch (error) {
    toast(problemOf(error), "bad");
  }
}

class Rights {
  #rest;
  #me;
  #path;
  #changed;
  #dialog;
  #form;
  #tag = ""; // which list we have seen: positions in another one would be other people
  #entries = [];
  #list = h("ul", { class: "rights" });
  #lines = new Keyed(this.#list);
  #turn = Promise.resolve(); // one change after the other: each needs to know the list after the one before
  #everyone;
  #problem = h("p", { class: "problem", role: "alert" });
  #address = h("input", { type: "email", required: true, maxlength: 256, placeholder: "ana@example.org", autocomplete: "off", "aria-label": "E-mail address" });
  #role = choice({ writer: ROLES.writer, reader: ROLES.reader, owner: ROLES.owner }, "writer", { "aria-label": "What they may do" });

  constructor(rest, me, model, changed) {
    this.#rest = rest;
    this.#me = me;
    this.#path = `/threat_models/${model.id}/authorization`;
    this.#changed = changed;
    this.#everyone = choice({ none: "Nothing", reader: ROLES.reader, writer: ROLES.writer }, "none", {
      name: "everyone",
      onchange: ({ target: { value } }) => this.#change(() => this.#setEveryone(value)),
    });
    this.#form = h(
      "form",
      { class: "entry", onsubmit: (event) => (event.preventDefault(), this.#add()) },
      h("label", h("span", "Add a person"), this.#address),
      this.#role,
      h("button", icon("plus"), "Add"),
    );
    const dialog = (this.#dialog = h(
      "dialog",
      { class: "question wide", "aria-label": `Sharing of ${model.name}`, onclose: () => dialog.remove() },
      h("h2", `Sharing of ${model.name}`),
      h("label", { class: "everyone" }, h("span", "Everybody who signs in on this server"), this.#everyone),
      this.#list,
      this.#form,
      h("p", { class: "hint" }, "This holds for all diagrams of the threat model."),
      this.#problem,
      h("div", { class: "row end" }, h("button", { class: "primary", type: "button", onclick: () => dialog.close() }, "Done")),
    ));
  }

  async open() {
    await this.#read();
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  #change(act) {
    this.#turn = this.#turn.then(() => this.#carryOut(act));
  }

  /** Does it, and shows what holds then. */
  async #carryOut(act) {
    this.#problem.textContent = "";
    try {
      await act();
      this.#changed();
    } catch (error) {
      const isOld = error.reason === "version_mismatch";
      this.#problem.textContent = isOld ? "Somebody else has just changed this list. Please look again." : wordsOf(error);
    }
    await this.#read().catch((error) => (this.#problem.textContent = problemOf(error)));
    // Who was removed has taken the button along.
    if (this.#dialog.open && !this.#dialog.contains(document.activeElement)) this.#address.focus();
  }

  async #read() {
    const answer = await this.#rest.request("GET", `${this.#path}?limit=1000`);
    this.#tag = answer.headers.get("ETag");
    this.#entries = (await answer.json()).items;
    this.#everyone.value = this.#entries.find(isEveryone)?.role ?? "none";
    const people = this.#entries.filter((entry) => !isEveryone(entry));
    this.#lines.show(people, {
      key: ({ principal_type, provider, provider_id }) => JSON.stringify([principal_type, provider, provider_id]),
      make: (entry) => this.#line(entry),
      update: (line, entry) => line.update(entry),
    });
    const isOwner = roleOf(this.#entries, this.#me) === "owner";
    this.#form.hidden = !isOwner;
    for (const one of this.#dialog.querySelectorAll("select, .icon-button")) one.disabled = !isOwner;
  }

  #line({ display_name, email, principal_type }) {
    const name = display_name || email;
    let shown = null;
    const index = () => this.#entries.indexOf(shown);
    const select = choice(ROLES, "reader", {
      "aria-label": `What ${name} may do`,
      onchange: () => give(select.value),
    });
    const give = (role) => this.#change(() => this.#ask("PUT", `/${index()}`, { role }));
    const remove = () => this.#change(() => this.#ask("DELETE", `/${index()}`));
    const update = (entry) => {
      shown = entry;
      select.value = entry.role;
    };
    const root = h(
      "li",
      h("span", { class: "name" }, name, h("small", principal_type === "group" ? "group" : email !== name && email)),
      select,
      h("button", { class: "icon-button", type: "button", title: `Remove ${name}`, "aria-label": `Remove ${name}`, onclick: remove }, icon("close")),
    );
    return { root, update };
  }

  #setEveryone(role) {
    const index = this.#entries.findIndex(isEveryone);
    if (index < 0) return this.#ask("POST", "", { subject: "everyone", subject_type: "group", role });
    return role === "none" ? this.#ask("DELETE", `/${index}`) : this.#ask("PUT", `/${index}`, { role });
  }

  #add() {
    const entry = { subject: this.#address.value.trim(), subject_type: "user", role: this.#role.value };
    this.#change(async () => {
      await this.#ask("POST", "", entry);
      this.#address.value = "";
    });
  }

  #ask(method, path, body) {
    return this.#rest.request(method, this.#path + path, { body, headers: { "If-Match": this.#tag } });
  }
}

const isEveryone = ({ principal_type, subject }) => principal_type === "group" && subject === "everyone";

function wordsOf(error) {
  if (error.reason === "last_owner") return "The last owner stays owner.";
  if (error.status === 409) return "That person is in the list already.";
  return problemOf(error);
}

function choice(options, value, attributes) {
  const select = h(
    "select",
    attributes,
    Object.entries(options).map(([key, text]) => h("option", { value: key }, text)),
  );
  select.value = value;
  return select;
}
