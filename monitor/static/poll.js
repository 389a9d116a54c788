// Asks for a document again and again; what has not changed since costs a line (ETag, 304).

/** Seconds after which what could not be read is asked for again, or sooner where the document is. */
const AGAIN = 10;

export class Poll {
  #etag = null;
  #timer = null;
  #asking = null;
  #lacking = false;

  /** `url` is a function; `onData(document)` hears of what is new, `onState(problem)` of every answer: null is well. */
  constructor(url, seconds, onData, onState = () => {}) {
    Object.assign(this, { url, seconds, onData, onState });
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  /** Ask at once, and anew where it was asked for something else. */
  now({ other = false } = {}) {
    if (other) this.#etag = null;
    this.#asking?.abort();
    clearTimeout(this.#timer);
    return this.#ask();
  }

  async #ask() {
    const asking = new AbortController();
    this.#asking = asking;
    // Sections that wait for locks come one after the other, and the document when the last one is given up.
    const limit = setTimeout(() => asking.abort("late"), 1_000 * Math.max(10, this.seconds));
    try {
      const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
      const response = await fetch(this.url(), { headers, cache: "no-store", signal: asking.signal });
      await this.#take(response);
    } catch {
      if (asking.signal.aborted && asking.signal.reason !== "late") return;
      this.#fail(`the service ${asking.signal.aborted ? "takes too long" : "does not answer"}`);
    } finally {
      clearTimeout(limit);
    }
    if (this.#asking !== asking) return;
    const seconds = this.#lacking ? Math.min(AGAIN, this.seconds) : this.seconds;
    this.#timer = setTimeout(() => this.#ask(), seconds * (document.hidden ? 5_000 : 1_000));
  }

  async #take(response) {
    if (response.status === 304) {
      await response.arrayBuffer();
      this.onState(null);
      return;
    }
    const found = await response.json();
    if (response.ok || found.status) {
      this.#etag = response.ok ? response.headers.get("ETag") : null;
      this.#lacking = Object.values(found).some((section) => section?.error);
      this.onState(null);
      this.onData(found);
    } else {
      this.#fail(found.error);
    }
  }

  #fail(reason) {
    this.#etag = null; // a 304 would not say whether that document lacks something
    this.#lacking = true;
    this.onState({ reason });
  }
}
