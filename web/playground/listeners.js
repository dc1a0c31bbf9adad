/** The same diagram as clients of the other dialects hear it: further connections of ours, without a client behind them. */

import { LISTENERS, V1 } from "./templates.js";

export class Listeners {
  #place;
  #rest;
  #frame;
  #changed;
  #sockets = new Map(); // dialect -> WebSocket

  /** @param place `{threatModelId, diagramId}`. @param frame called with every frame. @param changed with what is open */
  constructor({ place, rest, frame, changed }) {
    this.#place = place;
    this.#rest = rest;
    this.#frame = frame;
    this.#changed = changed;
  }

  get dialects() {
    return LISTENERS;
  }

  get wires() {
    return [V1, ...this.#sockets.keys()];
  }

  async open(dialect) {
    const { threatModelId, diagramId } = this.#place;
    const { url, ticket } = this.#rest.live(threatModelId, diagramId);
    const address = new URL(url);
    address.searchParams.set("ticket", await ticket({ wants: "connect" }));
    address.searchParams.set("dialect", dialect);
    const socket = new WebSocket(address);
    const tell = (direction, text, note) => this.#frame({ wire: dialect, direction, text, note, at: Date.now() });
    socket.onopen = () => tell("wire", JSON.stringify({ dialect }), "opened");
    socket.onmessage = ({ data }) => tell("in", data);
    socket.onclose = ({ code, reason }) => {
      tell("wire", JSON.stringify({ code, reason }), "closed");
      if (this.#sockets.get(dialect) === socket) this.#sockets.delete(dialect);
      this.#changed();
    };
    this.#sockets.set(dialect, socket);
    this.#changed();
  }

  /** False: there is no such connection. */
  send(dialect, text) {
    const socket = this.#sockets.get(dialect);
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(text);
    this.#frame({ wire: dialect, direction: "out", text, at: Date.now() });
    return true;
  }

  close(dialect) {
    this.#sockets.get(dialect)?.close(1000);
  }

  stop() {
    for (const socket of this.#sockets.values()) socket.close(1000);
  }
}
