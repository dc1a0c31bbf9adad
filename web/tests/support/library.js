/**
 * A diagram library as they are: it keeps its own model, rounds numbers, fills in defaults, removes the edges of a node
 * with it and, a family, moves children with their parent; and it fires an event per property for every change, no
 * matter who made it, at once or a moment later.
 */

export class Library {
  cells = new Map();
  #isLate;
  #isFamily;
  #heard = () => {};

  constructor({ isLate = false, isFamily = false } = {}) {
    this.#isLate = isLate;
    this.#isFamily = isFamily;
  }

  onChange(heard) {
    this.#heard = heard;
  }

  /** By user or program, all the same. */
  put(id, given) {
    const { shape, x, y, width, height, source, target, ...rest } = given;
    const box = x === undefined ? {} : { position: { x: Math.round(x), y: Math.round(y) }, size: { width, height } };
    const ends = source ? { source, target } : {};
    const attrs = { ...rest.attrs, library: { version: 3 } };
    const { stranger: _, ...known } = rest;
    const dx = box.position?.x - this.cells.get(id)?.position.x;
    this.cells.set(id, structuredClone({ ...known, id, shape, ...box, ...ends, attrs }));
    for (const _ of ["position", "size", "attrs"]) this.#fire(id);
    if (!this.#isFamily || !dx) return;
    for (const [child, { parent, position }] of this.cells) if (parent === id) this.move(child, position.x + dx);
  }

  move(id, x) {
    const cell = this.cells.get(id);
    cell.position = { ...cell.position, x };
    this.#fire(id);
  }

  paint(id, fill) {
    const cell = this.cells.get(id);
    cell.attrs = { ...cell.attrs, body: { ...cell.attrs.body, fill } };
    this.#fire(id);
  }

  remove(id) {
    if (!this.cells.delete(id)) return;
    this.#fire(id);
    for (const [edge, { source, target }] of this.cells) {
      if (source?.cell === id || target?.cell === id) this.remove(edge);
    }
  }

  #fire(id) {
    if (this.#isLate) setTimeout(() => this.#heard(id), 0);
    else this.#heard(id);
  }
}

/** Binding the library is this much. */
export function adapterOf(library) {
  return {
    draw: (cell) => library.put(cell.id, cell),
    erase: (id) => library.remove(id),
    read: (id) => library.cells.get(id),
  };
}
