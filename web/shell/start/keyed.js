/** A list of elements that is shown again and again: what stays the same stays where it is, so that nothing flickers. */

export class Keyed {
  #parent;
  #items = new Map();

  constructor(parent) {
    this.#parent = parent;
  }

  /**
   * @param make for a thing with a new key: `{root: HTMLElement, …}`
   * @param gone called with what `make` gave for a key that is no longer there
   */
  show(things, { key, make, update, gone = () => {} }) {
    const before = this.#items;
    this.#items = new Map(things.map((thing) => [key(thing), before.get(key(thing)) ?? make(thing)]));
    for (const [old, item] of before) {
      if (this.#items.has(old)) continue;
      gone(item);
      item.root.remove();
    }
    let at = this.#parent.firstElementChild;
    for (const thing of things) {
      const item = this.#items.get(key(thing));
      update(item, thing);
      if (item.root === at) at = at.nextElementSibling;
      else this.#parent.insertBefore(item.root, at);
    }
  }
}
