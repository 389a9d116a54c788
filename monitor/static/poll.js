// Asks for a document again and again; what has not changed since costs a line (ETag, 304).

export class Poll {
  #etag = null;
  #timer = null;
  #asking = null;

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
    const limit = setTimeout(() => asking.abort("late"), 10_000);
    try {
      const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
      const response = await fetch(this.url(), { headers, cache: "no-store", signal: asking.signal });
      await this.#take(response);
    } catch {
      if (asking.signal.aborted && asking.signal.reason !== "late") return;
      this.onState({ unreachable: true, reason: "no answer" });
    } finally {
      clearTimeout(limit);
    }
    if (this.#asking !== asking) return;
    this.#timer = setTimeout(() => this.#ask(), this.seconds * (document.hidden ? 5_000 : 1_000));
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
      this.onState(null);
      this.onData(found);
    } else {
      this.onState({ unreachable: false, reason: found.error });
    }
  }
}
