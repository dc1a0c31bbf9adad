/** A whole page: its address says what is shown. `#/<threat model>/<diagram>` is a diagram and the link to share, else the dashboard. */

import { Rest } from "../../sdk/rest.js";
import { h, toast } from "../dom.js";
import { keep, kept } from "../kept.js";
import { openDashboard } from "./dashboard.js";
import { openSignIn, redeemed } from "./signin.js";
import { PageError, problemOf } from "./words.js";

// Of this window alone, so that two windows can be two people.
const TOKENS = "codraw.tokens";
const AGAIN_MS = 5_000;
const PLACE = /^#\/([0-9a-f-]{36})\/([0-9a-f-]{36})$/i;

/**
 * @param openWorkspace ({main, rest, place: {threatModelId, diagramId}, onLeave}) shows a diagram in `main`; what it
 *   resolves to may have `leave()`, which resolves to whether the diagram may be left, and `stop()`
 */
export async function openPage({ main, openWorkspace }) {
  const page = new Page(main, openWorkspace);
  await page.start();
}

class Page {
  #main;
  #openWorkspace;
  #view = null; // what is shown, if there is something to leave
  #shown = null; // its address
  #isAsking = false; // whether it may be left
  #retry = 0; // the timer of trying again by itself
  #turn = Promise.resolve(); // one thing is shown after the other
  #windows = channel();
  #rest = new Rest({ tokens: kept(TOKENS), keep: (tokens) => this.#keep(tokens) });

  constructor(main, openWorkspace) {
    this.#main = main;
    this.#openWorkspace = openWorkspace;
  }

  async start() {
    addEventListener("hashchange", () => this.#changed());
    this.#windows.onmessage = ({ data: { former, tokens } }) => {
      if (kept(TOKENS)?.refresh_token !== former) return;
      keep(TOKENS, tokens); // first, or it would be told once more
      this.#rest.adopt(tokens);
    };
    this.#main.setAttribute("aria-busy", "true");
    await redeemed(this.#rest).catch((error) => toast(error.message, "bad"));
    this.#again();
  }

  /** A duplicated tab has the same login; whoever renews it tells the others, or they would end it with the old token. */
  #keep(tokens) {
    const former = kept(TOKENS)?.refresh_token;
    keep(TOKENS, tokens);
    if (former && tokens && former !== tokens.refresh_token) this.#windows.postMessage({ former, tokens });
  }

  async #changed() {
    if (this.#isAsking || location.hash === this.#shown) return;
    this.#isAsking = true;
    const leaves = await this.#leaves().finally(() => (this.#isAsking = false));
    if (location.hash === this.#shown) return; // one has gone back there meanwhile
    if (leaves) this.#again();
    else history.pushState(null, "", this.#shown || location.pathname);
  }

  async #leaves() {
    return !this.#view?.leave || this.#view.leave();
  }

  #again() {
    this.#turn = this.#turn.then(() => this.#show());
    return this.#turn;
  }

  async #show() {
    clearTimeout(this.#retry);
    this.#view?.stop?.();
    this.#view = null;
    this.#shown = location.hash;
    this.#main.setAttribute("aria-busy", "true");
    document.title = "codraw";
    try {
      this.#view = await this.#open();
    } catch (error) {
      if (error.status === 401 && this.#rest.isSignedIn) this.#rest.forget();
      if (error.status === 401) return this.#show();
      this.#explain(error);
    }
    this.#main.removeAttribute("aria-busy");
  }

  async #open() {
    const [main, rest] = [this.#main, this.#rest];
    const [, threatModelId, diagramId] = PLACE.exec(this.#shown) ?? [];
    if (rest.isSignedIn && threatModelId) {
      return this.#openWorkspace({ main, rest, place: { threatModelId, diagramId }, onLeave: () => go() });
    }
    const providers = await rest.providers();
    if (!rest.isSignedIn) {
      return openSignIn({ main, rest, providers, isJoining: Boolean(threatModelId), signedIn: () => this.#again() });
    }
    const isDevelopment = providers.some(({ id }) => id === "test");
    return openDashboard({ main, rest, me: await rest.me(), isDevelopment, go, signOut: () => this.#signOut() });
  }

  async #signOut() {
    await this.#rest.signOut();
    await this.#again();
  }

  #explain(error) {
    const why = { 403: "You have no access to this diagram.", 404: "There is no such diagram." };
    const again = h("button", { class: "primary", type: "button", onclick: () => this.#again() }, "Try again");
    const mayPass = !(error instanceof PageError) && (!error.status || error.status >= 500);
    if (mayPass) this.#retry = setTimeout(() => this.#again(), AGAIN_MS);
    this.#main.replaceChildren(
      h(
        "div",
        { class: "welcome" },
        h(
          "section",
          { class: "card", role: "alert" },
          h("h1", { class: "brand" }, "codraw"),
          h("p", { class: "lead" }, why[error.status] ?? problemOf(error)),
          h("div", { class: "row" }, again, h("a", { class: "button", href: "#/" }, "All diagrams")),
        ),
      ),
    );
  }
}

/** To the other windows; a browser that keeps nothing for a page may refuse this, too. */
function channel() {
  try {
    return new BroadcastChannel(TOKENS);
  } catch {
    return { postMessage() {} };
  }
}

function go(threatModelId, diagramId) {
  location.hash = threatModelId ? `#/${threatModelId}/${diagramId}` : "#/";
}
