/** What the open diagram is called, in the page and on its tab. No socket is told of a new name: it is looked for. */

import { h } from "./dom.js";

const LOOK_MS = 30_000; // of the one window that has the focus: another looks when one comes back to it

/**
 * @param name as it is known by now; who is told another says so to `is`
 * @returns {{root: HTMLElement, name: string, is(name: string): void, stop(): void}}
 */
export const titleOf = ({ rest, place, name }) => new Title(rest, place, name);

class Title {
  root = h("h1");
  name;
  #rest;
  #path;
  #looking = null; // a promise; focus and sight come back together
  #ticking = setInterval(() => document.hasFocus() && this.#lookAgain(), LOOK_MS);
  #abort = new AbortController();

  constructor(rest, { threatModelId, diagramId }, name) {
    this.#rest = rest;
    this.#path = `/threat_models/${threatModelId}/diagrams/${diagramId}/collaborate`;
    this.is(name);
    const { signal } = this.#abort;
    addEventListener("focus", () => this.#lookAgain(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#lookAgain(), { signal });
  }

  is(name) {
    if (this.#abort.signal.aborted || name === this.name) return;
    this.name = this.root.textContent = this.root.title = name;
    document.title = `${name} · codraw`;
  }

  #lookAgain() {
    this.#looking ??= this.#look().finally(() => (this.#looking = null));
  }

  /** The session tells it in few bytes. Where it cannot be asked, it tells when the connection is back. */
  async #look() {
    try {
      const session = await (await this.#rest.request("GET", this.#path)).json();
      this.is(session.diagram_name);
    } catch {
      // no network, or no session
    }
  }

  stop() {
    clearInterval(this.#ticking);
    this.#abort.abort();
  }
}
