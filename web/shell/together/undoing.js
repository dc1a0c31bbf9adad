/** Undo and redo: only the server knows what there is to take back, so that neither waits for the connection. */

import { toast } from "../dom.js";

export function undoing({ diagram, tell = toast }) {
  const ask = (name, asked) => {
    if (!diagram.canWrite) return;
    // Kept for later, presses without an effect would take back that many steps at once.
    if (diagram.isLive) asked();
    else tell(`${name} needs the connection.`);
  };
  return {
    undo: () => ask("Undo", () => diagram.undo()),
    redo: () => ask("Redo", () => diagram.redo()),
    /** How many steps of either there are to press for. */
    get depth() {
      return diagram.canWrite && diagram.isLive ? diagram.history : { undo: 0, redo: 0 };
    },
  };
}
