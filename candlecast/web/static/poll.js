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
    let answer;
    try {
      const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
      answer = await read(await fetch(this.url(), { headers, cache: "no-store", signal: asking.signal }));
    } catch {
      if (asking.signal.aborted && asking.signal.reason !== "late") return;
      answer = { problem: { reason: `the service ${asking.signal.aborted ? "takes too long" : "does not answer"}` } };
    } finally {
      clearTimeout(limit);
    }
    if (this.#asking === asking) this.#take(answer);
  }

  /** The next request is certain before anyone hears of this one. */
  #take({ problem = null, found = null, etag = null, lacks = true }) {
    if (problem || found) {
      this.#etag = etag; // none after a problem: a 304 would not say whether that document lacks something
      this.#lacking = lacks;
    }
    const seconds = this.#lacking ? Math.min(AGAIN, this.seconds) : this.seconds;
    this.#timer = setTimeout(() => this.#ask(), seconds * (document.hidden ? 5_000 : 1_000));
    this.onState(problem);
    if (found) this.onData(found);
  }
}

/** What came: the document with its ETag, nothing where it is still the same, or what is wrong. */
async function read(response) {
  if (response.status === 304) {
    await response.arrayBuffer();
    return {};
  }
  const found = await response.json();
  if (!response.ok && !found.status) return { problem: { reason: found.error } };
  const lacks = Object.values(found).some((section) => section?.error);
  return { found, lacks, etag: response.ok ? response.headers.get("ETag") : null };
}
