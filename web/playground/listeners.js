/** The same diagram as clients of the other dialects hear it: further connections of ours, without a client behind them. */

import { LISTENERS, V1 } from "./templates.js";

export class Listeners {
  #place;
  #rest;
  #frame;
  #changed;
  #wires = new Map(); // dialect -> {socket}, null until its ticket is there

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
    return [V1, ...this.#wires.keys()];
  }

  /** Noted before its ticket is there: a second press closes it, and so does leaving. */
  async open(dialect) {
    const wire = { socket: null };
    this.#wires.set(dialect, wire);
    this.#changed();
    try {
      const address = await this.#address(dialect);
      if (this.#wires.get(dialect) === wire) wire.socket = this.#opened(address, dialect, wire);
    } catch (error) {
      this.#gone(dialect, wire);
      throw error;
    }
  }

  async #address(dialect) {
    const { threatModelId, diagramId } = this.#place;
    const { url, ticket } = this.#rest.live(threatModelId, diagramId);
    const address = new URL(url);
    address.searchParams.set("ticket", await ticket({ wants: "connect" }));
    address.searchParams.set("dialect", dialect);
    return address;
  }

  #opened(address, dialect, wire) {
    const socket = new WebSocket(address);
    const tell = (direction, text, note) => this.#frame({ wire: dialect, direction, text, note, at: Date.now() });
    socket.onopen = () => tell("wire", JSON.stringify({ dialect }), "opened");
    socket.onmessage = ({ data }) => tell("in", data);
    socket.onclose = ({ code, reason }) => {
      tell("wire", JSON.stringify({ code, reason }), "closed");
      this.#gone(dialect, wire);
    };
    return socket;
  }

  #gone(dialect, wire) {
    if (this.#wires.get(dialect) !== wire) return;
    this.#wires.delete(dialect);
    this.#changed();
  }

  /** False: there is no such connection. */
  send(dialect, text) {
    const socket = this.#wires.get(dialect)?.socket;
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(text);
    this.#frame({ wire: dialect, direction: "out", text, at: Date.now() });
    return true;
  }

  close(dialect) {
    const wire = this.#wires.get(dialect);
    if (wire?.socket) wire.socket.close(1000);
    else if (wire) this.#gone(dialect, wire);
  }

  stop() {
    for (const dialect of [...this.#wires.keys()]) this.close(dialect);
  }
}
