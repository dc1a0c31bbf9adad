/** Types of offline.js. */

import type { Storage } from "./codraw.js";

/** Keeps unsaved operations in localStorage. `key` names the person and the diagram: nobody sends another's. */
export function localQueue(
  key: string,
  store?: () => {
    readonly length: number;
    key(index: number): string | null;
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  },
): Storage;
