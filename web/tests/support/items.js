/** localStorage as the standard has it, in memory. */

export class Items {
  #items = new Map();
  get length() {
    return this.#items.size;
  }
  key = (at) => [...this.#items.keys()].sort()[at] ?? null;
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, value);
  removeItem = (key) => void this.#items.delete(key);
}
