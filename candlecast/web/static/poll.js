// Polls a document. An unchanged document is answered with 304 (ETag).

/** Maximum interval in seconds while the document is incomplete or failed. */
const RETRY_SECONDS = 10;

export class Poll {
  #etag = null;
  #timer = null;
  #request = null;
  #incomplete = false;

  /** `url` is a function. `onData(document)` gets each changed document; `onState(problem)` each answer, null if OK. */
  constructor(url, seconds, onData, onState = () => {}) {
    Object.assign(this, { url, seconds, onData, onState });
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
  }

  /** Send a request now and drop the pending one. `other`: the URL has changed, so the ETag does not apply. */
  now({ other = false } = {}) {
    if (other) this.#etag = null;
    this.#request?.abort();
    clearTimeout(this.#timer);
    return this.#send();
  }

  async #send() {
    const request = new AbortController();
    this.#request = request;
    // Long timeout: the service reads sections that wait for locks one after the other before it answers.
    const limit = setTimeout(() => request.abort("late"), 1_000 * Math.max(10, this.seconds));
    let answer;
    try {
      const headers = this.#etag ? { "If-None-Match": this.#etag } : {};
      answer = await read(await fetch(this.url(), { headers, cache: "no-store", signal: request.signal }));
    } catch {
      if (request.signal.aborted && request.signal.reason !== "late") return;
      answer = { problem: { reason: `the service ${request.signal.aborted ? "timed out" : "does not answer"}` } };
    } finally {
      clearTimeout(limit);
    }
    if (this.#request === request) this.#take(answer);
  }

  /** Schedules the next request before the callbacks run, so that an error in a callback cannot stop the polling. */
  #take({ problem = null, found = null, etag = null, incomplete = true }) {
    if (problem || found) {
      this.#etag = etag; // null after a problem: a 304 would not show whether the document is complete
      this.#incomplete = incomplete;
    }
    const seconds = this.#incomplete ? Math.min(RETRY_SECONDS, this.seconds) : this.seconds;
    this.#timer = setTimeout(() => this.#send(), seconds * (document.hidden ? 5_000 : 1_000));
    this.onState(problem);
    if (found) this.onData(found);
  }
}

/** The parsed response: the document and its ETag, an empty object for 304, or the problem. */
async function read(response) {
  if (response.status === 304) {
    await response.arrayBuffer();
    return {};
  }
  const found = await response.json();
  if (!response.ok && !found.status) return { problem: { reason: found.error } };
  const incomplete = Object.values(found).some((section) => section?.error);
  return { found, incomplete, etag: response.ok ? response.headers.get("ETag") : null };
}
