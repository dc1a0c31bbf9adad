/** Moving by keys: steps of the same cells that follow each other quickly are one step of undo. */

import { uuid } from "../../sdk/codraw.js";

const PAUSE_MS = 1000;

export class Stepping {
  #at = -Infinity;
  #of = "";
  #groupId = null;

  /** The group of the step that is made now. */
  groupOf(ids) {
    const [of, now] = [ids.join(), Date.now()];
    if (of !== this.#of || now - this.#at > PAUSE_MS) this.#groupId = uuid();
    [this.#of, this.#at] = [of, now];
    return this.#groupId;
  }
}
