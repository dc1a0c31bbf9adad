/** Bad weather on purpose: a WebSocket that is late, deaf, doubled, held, cut. The client does not know it is not real. */

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
const ABNORMAL = 1006;
const CUT = 4000;

export const canHoldBack = "WebSocketStream" in globalThis;

/**
 * What is wrong at present, and the class of sockets that suffer from it: `connect({ WebSocket: weather.WebSocket })`.
 *
 * `frame({direction, text, at, note})` is called for all that really crosses the wire: what was doubled twice, what was
 * changed as it went, what waits when it goes.
 */
export class Weather {
  isOffline = false;
  /** Every frame of the server comes so much later, in order. */
  latencyMs = 0;
  /** Nothing is read. Over a stream the server feels it, as its own queue fills; else it waits in the page. */
  isDeaf = false;
  /** The next connection is a stream. */
  wantsStream = false;
  isDoubling = false;
  /** What is sent waits; see `release`. */
  isHolding = false;
  /** Sent operations say that they were made upon nothing. */
  isStale = false;
  /** Sent operations ask to be refused where somebody else was faster. */
  isStrict = false;

  #frame;
  #Real;
  #sockets = new Set();

  constructor(frame, Real = globalThis.WebSocket) {
    this.#frame = frame;
    this.#Real = Real;
    const weather = this;
    this.WebSocket = class extends Exposed {
      constructor(url, protocols) {
        super(weather, url, protocols);
      }
    };
  }

  /** Frames of the server that have arrived here and not yet at the client, and frames that have not left. */
  get waiting() {
    let [into, out] = [0, 0];
    for (const socket of this.#sockets) {
      into += socket.arrivals;
      out += socket.departures;
    }
    return { into, out };
  }

  setOffline(isOffline) {
    this.isOffline = isOffline;
    if (isOffline) for (const socket of [...this.#sockets]) socket.break();
  }

  setLatency(latencyMs) {
    this.latencyMs = latencyMs;
    for (const socket of this.#sockets) socket.hurry();
  }

  setDeaf(isDeaf) {
    this.isDeaf = isDeaf;
    for (const socket of this.#sockets) socket.hurry();
  }

  /** Lets go what was held; `isReversed`: the last one first. */
  release({ isReversed = false } = {}) {
    for (const socket of this.#sockets) socket.release(isReversed);
  }

  /** The client hears it as if the server had said it. */
  forge(message) {
    for (const socket of this.#sockets) socket.hear(JSON.stringify(message), "forged");
  }

  // -- what its sockets ask ------------------------------------------------------------------------------------------

  /** A real one, or none. */
  dial(url, protocols) {
    if (this.isOffline) return null;
    if (!this.wantsStream || !canHoldBack) return new this.#Real(url, protocols);
    return new StreamSocket(url, protocols, () => this.isDeaf);
  }

  opened(socket) {
    this.#sockets.add(socket);
  }

  gone(socket) {
    this.#sockets.delete(socket);
  }

  tell(direction, text, note) {
    this.#frame({ direction, text, at: Date.now(), note });
  }
}

/** One connection in the weather; the part of WebSocket that the client uses. */
class Exposed {
  onmessage = null;
  onclose = null;

  #weather;
  #real;
  #arrivals = []; // {due, deliver}, in order
  #departures = [];
  #timer;
  #isLeaving = false; // the client does not listen any more
  #isBroken = false;

  constructor(weather, url, protocols) {
    this.#weather = weather;
    weather.opened(this);
    this.#real = weather.dial(url, protocols);
    if (!this.#real) {
      setTimeout(() => this.#closed(ABNORMAL, "no network"), 0);
      return;
    }
    this.#real.onopen = () => weather.tell("wire", JSON.stringify({ url: withoutTicket(url) }), "opened");
    this.#real.onmessage = ({ data }) => this.#isLeaving || this.#arrive(() => this.hear(data));
    this.#real.onclose = ({ code, reason }) => {
      if (this.#isLeaving) this.#closed(code, reason);
      else this.#arrive(() => this.#closed(code, reason));
    };
  }

  get readyState() {
    if (this.#isBroken) return CLOSED;
    return this.#real?.readyState ?? CONNECTING;
  }

  get arrivals() {
    return this.#arrivals.length;
  }

  get departures() {
    return this.#departures.length;
  }

  send(text) {
    const sent = this.#touchedUp(text);
    if (this.#weather.isHolding) this.#departures.push(sent);
    else this.#depart(sent);
  }

  close(code, reason) {
    this.#isLeaving = true;
    this.#arrivals = [];
    if (this.#real?.readyState === CLOSED) this.#closed(ABNORMAL, "closed unheard");
    else this.#real?.close(code, reason);
  }

  /** What a pulled plug does: this end knows at once, and the other by and by (here it is told by an abnormal code). */
  break() {
    this.close(CUT);
    this.#closed(ABNORMAL, "no network");
  }

  release(isReversed) {
    const held = this.#departures.splice(0);
    if (isReversed) held.reverse();
    for (const text of held) this.#depart(text);
  }

  hear(text, note) {
    if (this.#isBroken) return;
    this.#weather.tell("in", text, note);
    this.onmessage?.({ data: text });
  }

  hurry() {
    const latest = Date.now() + this.#weather.latencyMs;
    for (const arrival of this.#arrivals) arrival.due = Math.min(arrival.due, latest);
    this.#deliver();
  }

  #depart(text) {
    if (this.readyState !== OPEN) return;
    for (let times = this.#weather.isDoubling ? 2 : 1; times > 0; times--) {
      this.#real.send(text);
      this.#weather.tell("out", text, this.#weather.isDoubling && times === 1 ? "again" : "");
    }
  }

  #arrive(deliver) {
    const { latencyMs, isDeaf } = this.#weather;
    if (this.#arrivals.length === 0 && latencyMs === 0 && !isDeaf) return deliver();
    this.#arrivals.push({ due: Date.now() + latencyMs, deliver });
    this.#deliver();
  }

  #deliver() {
    clearTimeout(this.#timer);
    while (this.#arrivals.length > 0 && !this.#weather.isDeaf) {
      const left = this.#arrivals[0].due - Date.now();
      if (left > 0) {
        this.#timer = setTimeout(() => this.#deliver(), left);
        return;
      }
      this.#arrivals.shift().deliver();
    }
  }

  #closed(code, reason) {
    if (this.#isBroken) return;
    this.#isBroken = true;
    clearTimeout(this.#timer);
    this.#weather.gone(this);
    this.#weather.tell("wire", JSON.stringify({ code, reason }), "closed");
    this.onclose?.({ code, reason });
  }

  #touchedUp(text) {
    const { isStale, isStrict } = this.#weather;
    if ((!isStale && !isStrict) || !text.startsWith('{"message_type":"operation"')) return text;
    return JSON.stringify({ ...JSON.parse(text), ...(isStale && { base_vector: 0 }), ...(isStrict && { strict: true }) });
  }
}

/** A ticket is used up by now, and nobody's business all the same. */
function withoutTicket(address) {
  const url = new URL(address);
  for (const secret of ["ticket", "token"]) if (url.searchParams.has(secret)) url.searchParams.set(secret, "…");
  return decodeURI(url.href);
}

/** A WebSocket over a stream. While `isDeaf()` says so it takes nothing from it, and the connection fills up to the server. */
class StreamSocket {
  onopen = null;
  onmessage = null;
  onclose = null;
  readyState = CONNECTING;

  #stream;
  #writer;

  constructor(url, protocols, isDeaf) {
    this.#stream = new globalThis.WebSocketStream(url, { protocols });
    this.#live(isDeaf);
  }

  send(text) {
    this.#writer.write(text).catch(() => {}); // the close that follows tells
  }

  close(code, reason) {
    this.readyState = CLOSING;
    this.#stream.close({ closeCode: code ?? 1000, reason });
  }

  async #live(isDeaf) {
    let end = { closeCode: ABNORMAL, reason: "" };
    try {
      const { readable, writable } = await this.#stream.opened;
      this.#writer = writable.getWriter();
      this.readyState = OPEN;
      this.onopen?.();
      await this.#listen(readable.getReader(), isDeaf);
      end = await this.#stream.closed;
    } catch ({ closeCode, reason, message }) {
      end = { closeCode: closeCode ?? ABNORMAL, reason: reason ?? message };
    }
    this.readyState = CLOSED;
    this.onclose?.({ code: end.closeCode, reason: end.reason });
  }

  async #listen(reader, isDeaf) {
    for (;;) {
      while (isDeaf() && this.readyState === OPEN) await new Promise((resolve) => setTimeout(resolve, 100));
      const { done, value } = await reader.read();
      if (done) return;
      this.onmessage?.({ data: value });
    }
  }
}
