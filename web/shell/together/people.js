/** Who is there: faces, and behind them what one can do with and for each. */

import { assign, confirmed, h } from "../dom.js";
import { icon } from "../icons.js";
import { Keyed } from "../start/keyed.js";
import { avatar, crowdOf } from "./crowd.js";
import { popover } from "./popover.js";
import { answered, Presenting } from "./presenting.js";

const MOST_FACES = 5;

/** @param following what following.js gives */
export function people({ diagram, following }) {
  const roster = new Roster(diagram, following);
  return { root: roster.root, stop: () => roster.stop() };
}

class Roster {
  #diagram;
  #following;
  #crowd;
  #faces = h("span", { class: "faces" });
  #count = h("span", { class: "hidden" });
  #list = h("ul", { class: "people-list" });
  #lines = new Keyed(this.#list);
  #presenting;
  #popover;
  #stops;

  constructor(diagram, following) {
    this.#diagram = diagram;
    this.#following = following;
    this.#crowd = crowdOf(diagram);
    this.#presenting = new Presenting(diagram);
    this.#popover = popover({
      id: "people",
      name: "People",
      buttonClass: "quiet roster",
      label: [this.#faces, this.#count],
      content: [h("h2", "Here now"), this.#list, this.#presenting.root],
    });
    this.root = h("div", { class: "people-place" }, this.#popover.root, this.#presenting.requests);
    this.#stops = [
      diagram.on("participants", () => this.#draw()),
      diagram.on("welcome", () => this.#draw()),
      diagram.on("presenter", () => this.#draw()),
      diagram.on("status", (status) => this.#connectionChanged(status)),
      following.onChange(() => this.#draw()),
      () => this.#popover.stop(),
      () => this.#presenting.stop(),
    ];
    this.#draw();
  }

  stop() {
    for (const stop of this.#stops) stop();
  }

  #connectionChanged({ state }) {
    if (this.root.dataset.state === state) return; // it is told with every edit
    this.root.dataset.state = state;
    if (state === "refused") this.#popover.close();
    this.#presenting.forget();
    this.#draw();
  }

  async #remove({ user, name }) {
    const afterwards = `${name} cannot come back while it lasts, and may open the diagram again afterwards.`;
    if (!(await confirmed(`Remove ${name} from this session? ${afterwards}`, "Remove"))) return;
    await answered(this.#diagram.removeParticipant(user));
  }

  // -- what is to be seen --------------------------------------------------------------------------------------------

  /** What stays the same stays where it is: a button that is being pressed must not be replaced. */
  #draw() {
    const { people } = this.#crowd;
    this.#drawFaces(people);
    this.#lines.show(people, {
      key: (person) => JSON.stringify([person, this.#notes(person), this.#isOurs(person)]),
      make: (person) => ({ root: this.#line(person) }),
      update: ({ root }, person) => this.#update(root, person),
    });
    this.#presenting.draw();
  }

  #drawFaces(people) {
    const shown = people.length > MOST_FACES ? MOST_FACES - 1 : MOST_FACES;
    const faces = people.slice(0, shown).map((person) => this.#face(person));
    const rest = people.length - faces.length;
    if (rest > 0) faces.push(h("span", { class: "avatar more", "aria-hidden": "true" }, `+${rest}`));
    this.#faces.replaceChildren(...faces);
    this.#count.textContent = people.length === 1 ? "Only you are here" : `${people.length} people here`;
  }

  #face(person) {
    const face = avatar(person);
    face.title = [person.name, ...this.#notes(person)].join(" · ");
    face.classList.toggle("presents", person.isPresenter);
    face.classList.toggle("away", person.windows.length === 0);
    return face;
  }

  #line(person) {
    const words = h("span", { class: "words" }, h("b", person.name), h("small", this.#notes(person).join(" · ")));
    return h("li", this.#face(person), words, h("span", { class: "row" }, this.#buttonsFor(person)));
  }

  #notes({ isYou, isHost, isPresenter, isReader, windows }) {
    const isAway = isHost && this.#diagram.roster.host_state === "away";
    return [
      isYou && "you",
      isHost && (isAway ? "host, away" : "host"),
      isPresenter && "presents",
      isReader && "looks on",
      windows.length === 0 && !isAway && "on the way",
      windows.length > 1 && `${windows.length} windows`,
    ].filter(Boolean);
  }

  #isFollowed({ windows }) {
    return windows.includes(this.#following.followed);
  }

  /** To be granted or removed: somebody else, and we are the host. */
  #isOurs({ isYou }) {
    return Boolean(this.#diagram.you?.is_host) && !isYou;
  }

  #update(line, person) {
    for (const button of line.querySelectorAll("button")) button.disabled = !this.#diagram.isLive;
    const follow = line.querySelector(".follow");
    if (!follow) return;
    const isFollowed = this.#isFollowed(person);
    const label = `${isFollowed ? "Stop following" : "Follow"} ${person.name}`;
    assign(follow, { "aria-pressed": String(isFollowed), "aria-label": label, title: label });
  }

  #buttonsFor(person) {
    const { isPresenter, name, windows, user } = person;
    const isOurs = this.#isOurs(person);
    const isGrantable = isOurs && !isPresenter && windows.length > 0;
    return [
      this.#followButton(person),
      isGrantable && button("present", `Let ${name} present`, () => this.#presenting.grant(user)),
      isOurs && button("close", `Remove ${name}`, () => this.#remove(person)),
    ];
  }

  #followButton(person) {
    const windows = person.seen.filter((window) => window !== this.#diagram.you?.connection_id);
    if (windows.length === 0) return null;
    const follow = () => this.#following.follow(this.#isFollowed(person) ? null : windows.at(-1));
    return assign(button("eye", "Follow", follow), { class: "icon-button follow" });
  }
}

function button(picture, label, act) {
  const attributes = { type: "button", class: "icon-button", title: label, "aria-label": label, onclick: act };
  return h("button", attributes, icon(picture));
}
