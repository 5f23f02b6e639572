// How long to wait before the next try: longer each time, shorter when the network or the reader comes back.

const FIRST_S = 0.5;
const MOST_S = 30;

export function aborted() {
  return new DOMException("No longer wanted.", "AbortError");
}

export class Patience {
  #waiting = new Set();
  #troubles = new Map(); // who waits → why

  constructor(say) {
    this.say = say; // called with what is wrong at the moment, "" for nothing
    window.addEventListener("online", () => this.wake());
    window.addEventListener("offline", () => this.#tell());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.wake(); });
  }

  wake() {
    for (const resolve of this.#waiting) resolve();
    this.#tell();
  }

  // `tries` counts from 0. Rejects when `signal` is aborted.
  async wait(who, tries, { why, least = 0, signal } = {}) {
    const seconds = Math.max(least, Math.min(MOST_S, FIRST_S * 2 ** tries) * (0.5 + Math.random() / 2));
    if (why) {
      this.#troubles.set(who, why);
      this.#tell();
    }
    await new Promise((resolve, reject) => {
      const go = () => { clearTimeout(timer); this.#waiting.delete(go); resolve(); };
      const timer = setTimeout(go, seconds * 1000);
      this.#waiting.add(go);
      signal?.addEventListener("abort", () => { this.over(who); go(); reject(aborted()); }, { once: true });
    });
    if (signal?.aborted) throw aborted();
  }

  // It went well again.
  over(who) {
    if (this.#troubles.delete(who)) this.#tell();
  }

  #tell() {
    this.say([...this.#troubles.values()].pop() ?? "");
  }
}
