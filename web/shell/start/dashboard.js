/** The first page of who is signed in: what is live, what there is, and something new. */

import { h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { themeSwitch } from "../theme.js";
import { LiveNow, ModelSection } from "./cards.js";
import { createForm } from "./create.js";
import { Keyed } from "./keyed.js";
import { Library } from "./library.js";
import { Thumbnails } from "./thumbnails.js";
import { counted, problemOf } from "./words.js";

const LOOK_AGAIN_MS = 10_000;
const TYPING_MS = 200;
const SEARCHED = 120; // threat models that a search reads by itself

/** Shows it in `main`; it stops by itself when something else is shown there. @throws where nothing can be read */
export async function openDashboard({ main, rest, me, isDevelopment, go, signOut }) {
  const dashboard = new Dashboard({ rest, me, isDevelopment, go, signOut });
  await dashboard.read();
  main.replaceChildren(dashboard.root);
  document.title = "Diagrams · codraw";
  dashboard.start();
  return dashboard;
}

class Dashboard {
  #library;
  #thumbnails;
  #sessions = [];
  #live;
  #at;
  #signOut;
  #found = "";
  #search = h("input", { type: "search", placeholder: "Search by name", "aria-label": "Search threat models and diagrams", oninput: () => this.#typed() });
  #searching = h("div", { class: "search", role: "search" }, icon("search"), this.#search);
  #models = h("div", { class: "models" });
  #sections = new Keyed(this.#models);
  #empty = h("p", { class: "empty", hidden: true });
  #stale = h("p", { class: "stale", role: "status" });
  #count = h("p", { class: "hidden", role: "status" });
  #more = h("button", { class: "wide", type: "button", hidden: true, onclick: () => this.#readOn() }, "Show more");
  #typing = 0;
  #timer = 0;
  #isBusy = false;
  #seen = () => document.visibilityState === "visible" && this.#look(true);

  constructor({ rest, me, isDevelopment, go, signOut }) {
    this.#library = new Library(rest, me);
    this.#thumbnails = new Thumbnails(rest);
    this.#signOut = signOut;
    const refresh = (id) => this.#tried(() => this.#library.refresh(id));
    this.#at = { rest, library: this.#library, thumbnails: this.#thumbnails, go, refresh };
    this.#live = new LiveNow(this.#at);
    const everyone = isDevelopment ? "writer" : undefined;
    this.root = h(
      "div",
      { class: "shelf" },
      h(
        "header",
        { class: "bar" },
        h("h1", { class: "brand" }, "codraw"),
        h("span", { class: "spring" }),
        themeSwitch(),
        h("span", { class: "who" }, me.name ?? me.display_name),
        h("button", { class: "quiet", type: "button", onclick: signOut }, "Sign out"),
      ),
      h(
        "div",
        { class: "page" },
        this.#stale,
        this.#live.root,
        createForm({ rest, library: this.#library, everyone, go }),
        isDevelopment && h("p", { class: "hint" }, "Development server: everybody who signs in may edit what you create here."),
        this.#searching,
        this.#count,
        this.#empty,
        this.#models,
        this.#more,
      ),
    );
  }

  async read() {
    [, this.#sessions] = await Promise.all([this.#library.more(), this.#library.sessions()]);
    this.#draw();
  }

  start() {
    this.#timer = setInterval(() => this.#look(false), LOOK_AGAIN_MS);
    document.addEventListener("visibilitychange", this.#seen);
  }

  stop() {
    clearInterval(this.#timer);
    clearTimeout(this.#typing);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#thumbnails.stop();
  }

  /** What has changed; all of it after the page was out of sight, else what is live. */
  async #look(isBack) {
    if (!this.root.isConnected) return this.stop();
    if (document.visibilityState !== "visible" || this.#isBusy) return;
    this.#isBusy = true;
    try {
      const before = this.#sessions;
      this.#sessions = await this.#library.sessions();
      if (isBack) await this.#library.again();
      if (isBack && this.#found) await this.#library.find(this.#found);
      if (!isBack) await Promise.all([...touched(before, this.#sessions)].map((id) => this.#library.refresh(id)));
      this.#stale.textContent = "";
      this.#draw();
    } catch (error) {
      if (error.status === 401) return this.#signOut();
      this.#stale.textContent = `${problemOf(error)} What you see here may be old.`;
    } finally {
      this.#isBusy = false;
    }
  }

  async #tried(act) {
    try {
      await act();
    } catch (error) {
      toast(problemOf(error), "bad");
    }
    this.#draw();
  }

  async #readOn() {
    this.#more.disabled = true;
    await this.#tried(() => this.#library.more());
    this.#more.disabled = false;
  }

  #typed() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#find(), TYPING_MS);
  }

  /** Among what is there at once; what is further down is read meanwhile. */
  async #find() {
    const wanted = this.#search.value.trim().toLowerCase();
    this.#found = wanted;
    this.#draw();
    if (!wanted || !this.#library.hasMore) return;
    const goesOn = () => {
      this.#draw();
      return this.#found === wanted && this.root.isConnected;
    };
    this.#more.disabled = true;
    await this.#tried(() => this.#library.search(wanted, { most: SEARCHED, goesOn }));
    this.#more.disabled = false;
  }

  #draw() {
    const sessions = new Map(this.#sessions.map((session) => [session.diagram_id, session]));
    const vectors = new Map(this.#library.models.flatMap(({ diagrams }) => diagrams.map((one) => [one.id, one.update_vector])));
    this.#live.update(this.#sessions, (id) => vectors.get(id) ?? 0);
    const shown = this.#library.models.map((model) => ({ model, matches: this.#matching(model) })).filter(({ matches }) => matches);
    this.#sections.show(shown, {
      key: ({ model }) => `${model.id} ${model.role}`, // what is offered depends on the role
      make: ({ model }) => new ModelSection(this.#at, model),
      update: (section, { model, matches }) => section.update(model, sessions, matches),
      gone: (section) => section.stop(),
    });
    this.#searching.hidden = !this.#found && shown.length === 0;
    this.#more.hidden = !this.#library.hasMore;
    this.#empty.hidden = shown.length > 0;
    this.#empty.textContent = this.#found
      ? `Nothing here is called “${this.#search.value.trim()}”.`
      : "Nothing here yet. Give your first threat model a name, and a diagram opens.";
    this.#count.textContent = this.#found ? `${counted(shown.length, "threat model")} found` : "";
  }

  /** Which diagrams of it are wanted; null: none, nor itself. */
  #matching({ name, diagrams }) {
    const holds = (text) => text.toLowerCase().includes(this.#found);
    if (holds(name)) return () => true;
    const matches = (diagram) => holds(diagram.name);
    return diagrams.some(matches) ? matches : null;
  }
}

/** Threat models that were or are at work. */
const touched = (...sessions) => new Set(sessions.flat().map(({ threat_model_id }) => threat_model_id));
