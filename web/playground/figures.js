/** What can be counted at one connection: receipts, rates, and what a slow reader is told. Pure: `now` in milliseconds. */

const MOST_RECEIPTS = 1_000;
const SECONDS = 2_000;

/** How many per second, over the last two seconds or so; to be asked again and again. */
export class Meter {
  total = 0;
  #marks = [];

  add(count = 1) {
    this.total += count;
  }

  rate(now) {
    this.#marks.push({ now, total: this.total });
    while (this.#marks.length > 2 && now - this.#marks[1].now >= SECONDS) this.#marks.shift();
    const [first] = this.#marks;
    return now > first.now ? ((this.total - first.total) * 1000) / (now - first.now) : 0;
  }
}

/** How long the server took to decide, from sending to receipt. */
export class Receipts {
  #sent = new Map(); // operation id -> when it was sent first
  #times = []; // the newest, in order of arrival

  sent(operationId, now) {
    if (!this.#sent.has(operationId)) this.#sent.set(operationId, now);
  }

  answered(operationId, now) {
    const sent = this.#sent.get(operationId);
    if (sent === undefined) return;
    this.#sent.delete(operationId);
    this.#times.push(now - sent);
    if (this.#times.length > MOST_RECEIPTS) this.#times.shift();
  }

  /** What is under way now will not be answered on another connection in comparable time. */
  lost() {
    this.#sent.clear();
  }

  get count() {
    return this.#times.length;
  }

  /** @param part 0.5: the median; null while there is none */
  quantile(part) {
    if (this.#times.length === 0) return null;
    const sorted = [...this.#times].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  }
}

const OPERATION_ID = /"operation_id"\s*:\s*"([^"]{1,64})"/;
const ASKS = new Set(["operation", "undo", "redo"]);
const ANSWERS = new Set(["operation_accepted", "operation_rejected"]);
const SLOW = 4408;

/** All figures of a connection in `codraw.v1`, from its frames. */
export class Figures {
  receipts = new Receipts();
  into = { frames: new Meter(), bytes: new Meter(), cursors: new Meter(), cursorFrames: new Meter() };
  out = { frames: new Meter(), bytes: new Meter(), cursors: new Meter() };
  /** The rungs of a slow reader's ladder that were reached (WS12): full states instead of events, closes. */
  slow = { states: 0, closes: 0 };

  note({ direction, type, text }, now) {
    if (direction === "wire") return this.#wire(type, text);
    const side = direction === "in" ? this.into : this.out;
    side.frames.add();
    side.bytes.add(text.length);
    if (direction === "in") this.#arrived(type, text, now);
    else this.#left(type, text, now);
  }

  #arrived(type, text, now) {
    if (ANSWERS.has(type)) this.receipts.answered(OPERATION_ID.exec(text)?.[1], now);
    else if (type === "state" && /"reason"\s*:\s*"overflow"/.test(text.slice(0, 400) + text.slice(-400)))
      this.slow.states++;
    else if (type === "awareness") {
      this.into.cursorFrames.add();
      this.into.cursors.add(text.split('"connection_id"').length - 1);
    }
  }

  #left(type, text, now) {
    if (ASKS.has(type)) this.receipts.sent(OPERATION_ID.exec(text)?.[1], now);
    else if (type === "awareness") this.out.cursors.add();
  }

  #wire(type, text) {
    if (type !== "closed") return;
    this.receipts.lost();
    if (JSON.parse(text).code === SLOW) this.slow.closes++;
  }
}

/** `850 ms`, `12.3 s`, `2 min`: an age as it is told. */
export function spoken(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.round(milliseconds / 60_000)} min`;
}
