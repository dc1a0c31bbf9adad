/** Asking to present, saying yes or no to whoever asks, ending it. */

import { h, toast } from "../dom.js";
import { icon } from "../icons.js";
import { Keyed } from "../start/keyed.js";
import { avatar, crowdOf, idOf } from "./crowd.js";

/** `root`: our own buttons; `requests`: who asks us, the host. */
export class Presenting {
  root = h("div", { class: "row presenting" });
  requests = h("div", { class: "requests", role: "status" });
  #diagram;
  #crowd;
  #buttons = new Keyed(this.root);
  #cards = new Keyed(this.requests);
  #asking = new Map(); // user id -> User
  #hasAsked = false; // to present ourselves
  #stop;

  constructor(diagram) {
    this.#diagram = diagram;
    this.#crowd = crowdOf(diagram);
    this.#stop = diagram.on("presenter", (event) => this.#changed(event));
  }

  stop() {
    this.#stop();
  }

  grant(user) {
    this.#decide("grant", user);
  }

  /** What was asked over a connection that is gone is asked anew. */
  forget() {
    this.#hasAsked = false;
    this.#asking.clear();
  }

  #changed({ action, user }) {
    if (action === "requested") this.#asking.set(idOf(user), user);
    else this.#hasAsked = false;
    if (action === "changed") this.#asking.clear();
    this.draw();
  }

  async #ask() {
    this.#hasAsked = !this.#diagram.you.is_host; // a host is not asked but served
    this.draw();
    if (await answered(this.#diagram.presenter("request"))) return;
    this.#hasAsked = false;
    this.draw();
  }

  #decide(action, user) {
    this.#asking.delete(idOf(user));
    this.draw();
    answered(this.#diagram.presenter(action, user));
  }

  draw() {
    if (this.#crowd.presenter?.isYou) this.#hasAsked = false;
    for (const id of this.#asking.keys()) if (!this.#crowd.person(id)?.windows.length) this.#asking.delete(id);
    this.#buttons.show(this.#offered(), {
      key: ({ does, label, isDisabled }) => `${does} ${label} ${isDisabled}`,
      make: (offer) => ({ root: this.#button(offer) }),
      update: () => {},
    });
    this.#cards.show([...this.#asking.values()], {
      key: idOf,
      make: (user) => ({ root: this.#request(user) }),
      update: () => {},
    });
  }

  /** `{does, label, act, isDisabled}` */
  #offered() {
    const { you, isLive } = this.#diagram;
    if (!you) return [];
    const { presenter } = this.#crowd;
    const isPresenting = presenter?.id === you.id;
    const asks = this.#hasAsked ? "Asked the host" : you.is_host ? "Present yourself" : "Ask to present";
    const offers = [
      isPresenting && { does: "release", label: "Stop presenting", act: () => this.#say("release") },
      !isPresenting && { does: "present", label: asks, act: () => this.#ask(), isDisabled: this.#hasAsked },
      you.is_host &&
        presenter &&
        !isPresenting && {
          does: "nobody",
          label: `End ${presenter.name}'s presenting`,
          act: () => this.#say("grant", null),
        },
    ];
    return offers.filter(Boolean).map((offer) => ({ ...offer, isDisabled: !isLive || Boolean(offer.isDisabled) }));
  }

  #say(action, user) {
    answered(this.#diagram.presenter(action, user));
  }

  #button({ does, label, act, isDisabled }) {
    return h(
      "button",
      { type: "button", class: "small", "data-does": does, disabled: isDisabled, onclick: act },
      icon("present"),
      label,
    );
  }

  #request(user) {
    const person = this.#crowd.person(idOf(user));
    const decide = (action) => () => this.#decide(action, user);
    return h(
      "div",
      { class: "request" },
      avatar(person),
      h("span", { class: "words" }, `${person.name} would like to present`),
      h("button", { type: "button", class: "small primary", onclick: decide("grant") }, "Allow"),
      h("button", { type: "button", class: "small quiet", onclick: decide("deny") }, "Deny"),
    );
  }
}

/** Whether a request was granted; if not, why not is said. */
export async function answered(asked) {
  const { accepted, message } = await asked;
  if (!accepted) toast(message, "bad");
  return accepted;
}
