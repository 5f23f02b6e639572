// Speed, and work in small bites so that the page never stands still.

const WINDOW_MS = 8_000;
const BITE_MS = 12;

// Bytes a second over the last seconds.
export class Meter {
  #seen = []; // [time, bytes so far]
  #bytes = 0;

  add(bytes) {
    this.#bytes += bytes;
    const now = performance.now();
    const last = this.#seen.at(-1);
    if (last && now - last[0] < 200) last[1] = this.#bytes;
    else this.#seen.push([now, this.#bytes]);
    while (this.#seen.length > 2 && now - this.#seen[0][0] > WINDOW_MS) this.#seen.shift();
  }

  rate() {
    const first = this.#seen[0], now = performance.now();
    if (!first || now - this.#seen.at(-1)[0] > WINDOW_MS || now - first[0] < 500) return 0;
    return ((this.#bytes - first[1]) * 1000) / (now - first[0]);
  }

  clear() {
    this.#seen = [];
  }
}

// Lets the page breathe when the work at hand has taken long enough.
export class Bites {
  #since = performance.now();

  async breathe() {
    if (performance.now() - this.#since < BITE_MS) return;
    await new Promise((resolve) => { // a timer would be held up by a minute where the tab is in the background
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage(null);
    });
    this.#since = performance.now();
  }
}
