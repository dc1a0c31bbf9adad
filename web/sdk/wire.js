/** One WebSocket after another: dials, listens for silence, and comes back where coming back is of use. */

/** What to do after a close without `goodbye`; codes that are not listed mean: return. */
const RETURN = { 1000: "no", 1002: "no", 1003: "no", 1007: "no", 4401: "reauthenticate", 4403: "no", 4404: "no" };

/** Our own close codes. 1000, or none, is for leaving: from the host's last socket it ends the session for all. */
const CUT = 4000;
const SILENT = 4001;

const BACKOFF_MS = { first: 500, longest: 30_000 };
const STEADY_MS = 10_000; // a connection that was live for so long was a good one
/** So many tickets in a row may be for a session that has ended meanwhile; then it is over. */
const TOO_LATE = 3;
const OPEN = 1;

/**
 * `closed` → `connecting` → `live` (said by `ready()`); a loss leads to `offline` and, by a timer, to `connecting`
 * again, or to `refused` where returning is of no use. `open()` leads to `connecting` from everywhere but `live`.
 */
export class Wire {
  state = "closed";
  /** Of `offline` and `refused`: `{code?, reason, message, retryAt?, attempt?}`. */
  why = null;
  /** A peer that sends nothing for so long is taken for gone. */
  patienceMs = 30_000;

  #callbacks;
  #WebSocket;
  #protocol;
  #socket = null;
  #attempt = null;
  #attempts = 0;
  #tooLate = 0;
  #readyAt = Infinity;
  #heardAt = 0;
  #goodbye = null;
  #wants = "connect";
  #retrying;
  #listening;
  #online = () => this.open();

  /**
   * @param callbacks `address(wants)`: a promise of the `[url, query]` to dial; an error whose `retryAfterMs` says when
   *   to ask again is obeyed; else one with `status` 401, 403 or 404 is a clear no, and any other is bad weather.
   *   `heard(text)`, `sent(text)`: a frame. `lost()`: the socket is gone. `changed()`: the state is another one.
   */
  constructor({ WebSocket, protocol, ...callbacks }) {
    this.#WebSocket = WebSocket;
    this.#protocol = protocol;
    this.#callbacks = callbacks;
  }

  async open() {
    if (this.state === "connecting" || this.state === "live") return;
    this.#forgetRetry();
    this.#readyAt = Infinity;
    const attempt = (this.#attempt = Symbol("attempt"));
    this.#become("connecting"); // who hears it may leave
    let address;
    try {
      if (attempt === this.#attempt) address = await this.#callbacks.address(this.#wants);
      if (attempt === this.#attempt) this.#dial(...address);
    } catch (error) {
      if (attempt === this.#attempt) this.#withoutSocket(error, address);
    }
  }

  /** The other side and we agree again. `first` is done before anybody hears of it, who may have more to say. */
  ready(first) {
    if (this.#socket) first();
    if (!this.#socket) return; // a listener that was shown something has left
    this.#wants = "connect";
    this.#tooLate = 0;
    this.#readyAt = Date.now();
    this.#become("live");
  }

  /** False: there is no connection (a loss may not have been told yet). */
  send(text) {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#callbacks.sent(text);
    if (!this.#socket) return false; // a listener that was shown it has left
    this.#socket.send(text);
    return true;
  }

  /** The other side explains the close that follows. */
  goodbye(message) {
    this.#goodbye = message;
  }

  close() {
    this.#hangUp(1000);
    this.#forgetRetry();
    this.#become("closed");
  }

  /** Loses the connection on purpose, as bad weather would; it comes back by itself. */
  cut() {
    if (this.#socket) this.#giveUp(CUT, { reason: "cut", message: "connection cut" });
  }

  #dial(where, query) {
    const url = new URL(where);
    for (const key in query) url.searchParams.set(key, query[key]);
    const socket = new this.#WebSocket(url.href, [this.#protocol]);
    this.#socket = socket;
    this.#goodbye = null;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heardAt = Date.now();
      this.#callbacks.heard(data);
    };
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
    socket.onerror = () => {}; // its close follows; a socket of Node's `ws` throws where nobody listens
    this.#heardAt = Date.now();
    this.#listen();
  }

  /** An address that cannot be dialled is the program's mistake; a `fetch` without a network is a TypeError as well. */
  #withoutSocket({ status, reason, message, retryAfterMs }, address) {
    const isFinal = !retryAfterMs && [401, 403, 404].includes(status);
    const why = { reason: reason ?? (address ? "bad_address" : isFinal ? "no_ticket" : "unreachable"), message };
    if (address || isFinal) this.#become("refused", why);
    else this.#retry(why, retryAfterMs);
  }

  /** A browser does not tell that the other side is gone; frames that stay out do. */
  #listen() {
    const left = this.#heardAt + this.patienceMs - Date.now();
    if (left > 0) this.#listening = setTimeout(() => this.#listen(), left);
    else this.#giveUp(SILENT, { reason: "silent", message: "the server has fallen silent" });
  }

  #giveUp(code, why) {
    this.#hangUp(code);
    if (this.state !== "closed") this.#retry(why);
  }

  #hangUp(code) {
    const socket = this.#socket;
    this.#detach();
    socket?.close(code);
  }

  #detach() {
    this.#socket = this.#attempt = null;
    clearTimeout(this.#listening);
    this.#callbacks.lost();
  }

  #closed(code, text) {
    const goodbye = this.#goodbye;
    const policy = goodbye?.return ?? RETURN[code] ?? "yes";
    const why = { code, reason: goodbye?.reason ?? "lost", message: goodbye?.message ?? text };
    this.#detach();
    if (this.state === "closed") return; // a listener that was told of the loss has left
    if (policy === "reauthenticate") this.#wants = policy;
    if (policy === "no" && !this.#cameTooLate(goodbye)) this.#become("refused", why);
    else this.#retry(why, goodbye?.retry_after_ms);
  }

  /** The session that the ticket was for has just ended: whether there is another one the next ticket says. */
  #cameTooLate(goodbye) {
    return goodbye?.reason === "session_not_found" && this.#readyAt === Infinity && this.#tooLate++ < TOO_LATE;
  }

  /** Exponential backoff with full jitter, after what the server asks for. It is told last: who hears it may leave. */
  #retry(why, retryAfterMs = 0) {
    if (Date.now() - this.#readyAt > STEADY_MS) this.#attempts = 0;
    const ceiling = Math.min(BACKOFF_MS.longest, BACKOFF_MS.first * 2 ** this.#attempts++);
    const delay = retryAfterMs + Math.random() * ceiling;
    this.#retrying = setTimeout(() => this.open(), delay);
    globalThis.addEventListener?.("online", this.#online);
    this.#become("offline", { ...why, retryAt: Date.now() + delay, attempt: this.#attempts });
  }

  #forgetRetry() {
    clearTimeout(this.#retrying);
    globalThis.removeEventListener?.("online", this.#online);
  }

  #become(state, why = null) {
    this.state = state;
    this.why = why;
    this.#callbacks.changed();
  }
}
