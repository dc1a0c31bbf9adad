/** Types of binding.js. */

import type { Cell, LiveDiagram } from "./codraw.js";

/** A diagram library, seen through a few functions of yours. */
export interface Editor {
  /**
   * Makes the cell look so, and creates it where there is none. It may fire whatever events the library fires, and may
   * keep and change what it is given.
   */
  draw(cell: Cell): void;
  /** The cell may be gone already. */
  erase(id: string): void;
  /** The cell as the library has it now, or nothing. Geometry flat or nested; keys it does not know may lack. */
  read(id: string): object | null | undefined;
  /** Called when the order of the cells has changed. */
  order?(ids: string[]): void;
  /**
   * A change of the user fits no frame, and has been taken back (RangeError); or what one of the others threw. Without
   * it that is written to the console.
   */
  failed?(error: Error): void;
}

export interface Binding {
  /** The library says that a cell was added, changed or removed, by whomever. */
  changed(id: string): void;
  /** A gesture begins: what it changes is sent every `sendEveryMs` (rarer the longer it lasts; offline: once, at its end) and undone as one. */
  begin(): void;
  /** It ends: the last of it is sent. */
  end(): void;
  /** Sends now what would be sent soon. */
  flush(): void;
  /** Sends what is left and lets go of both. Before the library is taken down: until then, what goes is removed for all. */
  stop(): void;
}

export function bind(diagram: LiveDiagram, editor: Editor, options?: { sendEveryMs?: number }): Binding;

/** Milliseconds from one step of a gesture to the next, of which so many operations were sent; Infinity: to its end. */
export function stepPause(sent: number, everyMs: number): number;

/** The `data` of an `update` that makes one cell look like the other. */
export function difference(before: object, after: object): Record<string, unknown>;
