/** What happens to and around us, said once and in passing. */

import { toast } from "../dom.js";
import { crowdOf, idOf, listed } from "./crowd.js";

const GATHER_MS = 1_500; // who reloads a page leaves and joins again meanwhile, and a crowd comes in one sentence
const REFUSALS_MS = 200;

const SKIPPED = {
  changed: "changed since by somebody else",
  gone: "gone",
  exists: "there already",
  in_use: "in use by somebody else",
};

const UNKEPT = "This browser keeps nothing for this page: what is not saved when it is closed or loaded again is lost.";

const HELD = { too_old: "too old to be sent safely", other_user: "made under another name" };

/** @param skippedWords by reason: why undo left something alone */
export function notices({ diagram, skippedWords = SKIPPED }) {
  const arrivals = new Arrivals(toast);
  const refusals = new Refusals(toast);
  const rights = rightsOf(diagram);
  const presenting = presentingOf(diagram);
  const isOther = ({ id }) => id !== diagram.you?.id;
  const stops = [
    diagram.on("participants", ({ joined, left }) => {
      arrivals.note(joined.filter(isOther), left.filter(isOther));
      rights();
    }),
    diagram.on("status", ({ state }) => state === "offline" && arrivals.lost(crowdOf(diagram).others)),
    diagram.on("rejected", (refusal) => refusals.note(refusal)),
    diagram.on("accepted", ({ skipped = [] }) => leftAlone(skipped, skippedWords)),
    diagram.on("held", held),
    diagram.on("trouble", troubling()),
    diagram.on("presenter", denied),
    diagram.on("presenter", presenting),
    diagram.on("participants", presenting),
  ];
  const stop = () => {
    for (const end of stops) end();
    arrivals.stop();
    refusals.stop();
  };
  return { stop };
}

/** Refusals come one by one, after an hour offline by the hundred: each sentence is said once, with how often. */
export class Refusals {
  #say;
  #counts = new Map(); // sentence -> how often
  #timer = null;

  constructor(say) {
    this.#say = say;
  }

  note({ reason, message }) {
    const [, empty] = /^nothing_to_(undo|redo)$/.exec(reason) ?? [];
    const sentence = empty ? `Nothing to ${empty}` : `Not accepted: ${message || reason}`;
    this.#counts.set(sentence, (this.#counts.get(sentence) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.tell(), REFUSALS_MS);
  }

  tell() {
    this.stop();
    for (const [sentence, count] of this.#counts) {
      const often = count > 1 ? ` (${count} times)` : "";
      this.#say(`${sentence.replace(/\.$/, "")}${often}.`, sentence.startsWith("Nothing") ? "note" : "bad");
    }
    this.#counts.clear();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function leftAlone(skipped, words) {
  const reasons = new Set(skipped.map(({ why }) => words[why] ?? why));
  if (reasons.size > 0) toast(`Left alone: ${[...reasons].join(", ")}.`);
}

/** What waits because the diagram is closed is no news: the state of the connection says it. */
function held({ reason, operations }) {
  const why = HELD[reason];
  if (why) toast(`Changes that were not sent, because they are ${why}: ${operations.length}.`, "bad");
}

/** Where nothing can be kept, every change would say so. */
function troubling() {
  let isKept = true;
  return ({ error, message }) => {
    if (error !== "storage_failed") return toast(message, "bad");
    if (isKept) toast(UNKEPT, "bad");
    isKept = false;
  };
}

function denied({ action, by }) {
  if (action !== "denied") return;
  toast(by === "system" ? "The host cannot be asked now to let you present." : "The host did not let you present.");
}

/** Tells when the presenter has changed and others are there; that another presents is told by the offer to follow. */
function presentingOf(diagram) {
  let before = null; // the presenter's id, "" for nobody
  return () => {
    const { presenter } = diagram.roster;
    const now = presenter ? idOf(presenter) : "";
    if (before !== null && now !== before && crowdOf(diagram).others.length > 0) {
      if (now === diagram.you.id) toast("You present now: the others can follow you.");
      else if (!presenter) toast("Nobody presents now.");
    }
    before = now;
  };
}

/** Tells when what we may do has changed, not what it is from the start. */
function rightsOf(diagram) {
  let before = null;
  return () => {
    const now = diagram.canWrite;
    if (before !== null && now !== before)
      toast(now ? "You may edit this diagram now." : "You can only look on from now.");
    before = now;
  };
}

/** Who came and went, gathered: `{id, name}`s in, sentences out. */
export class Arrivals {
  #say;
  #joined = new Map();
  #left = new Map();
  #expected = new Set(); // who was there when we lost the connection: who comes back with us has not joined
  #timer = null;

  constructor(say) {
    this.#say = say;
  }

  lost(people) {
    for (const { id } of people) this.#expected.add(id);
  }

  note(joined, left) {
    for (const { id } of left) this.#expected.delete(id);
    const isNew = ({ id }) => !this.#left.delete(id) && !this.#expected.delete(id);
    for (const { id, name } of joined.filter(isNew)) this.#joined.set(id, name);
    for (const { id, name } of left) if (!this.#joined.delete(id)) this.#left.set(id, name);
    if (this.#joined.size + this.#left.size > 0) this.#timer ??= setTimeout(() => this.tell(), GATHER_MS);
  }

  tell() {
    this.stop();
    if (this.#joined.size > 0) this.#say(`${listed([...this.#joined.values()])} joined.`);
    if (this.#left.size > 0) this.#say(`${listed([...this.#left.values()])} left.`);
    this.#joined.clear();
    this.#left.clear();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }
}
