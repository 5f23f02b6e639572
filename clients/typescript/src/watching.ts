// A job until it has ended. The stream only makes news come sooner; true is the job itself, asked again each time.

import { follow } from "./events.js";
import { EsteiraError } from "./errors.js";
import { sleep } from "./patience.js";
import { hasEnded, type Job } from "./shapes.js";
import type { Transport } from "./transport.js";

const POLL_MS = 1_000;
const SAFETY_POLL_MS = 10_000;
const SHORTEST_INTERVAL_MS = 200;

/** The job now and after every change, until it has ended or the signal is aborted. */
export async function* watch(transport: Transport, path: string, ask: () => Promise<Job>, signal?: AbortSignal): AsyncGenerator<Job, void, undefined> {
  let job = await ask();
  yield job;
  if (hasEnded(job)) return;
  const nudges = new Nudges(transport, path);
  try {
    while (!hasEnded(job)) {
      await nudges.wait(signal);
      const began = Date.now();
      job = await ask();
      const tookMs = Date.now() - began;
      yield job;
      // A job with ten thousand inputs is a long answer: spend at most a fifth of the time on asking.
      if (!hasEnded(job)) await sleep(Math.max(SHORTEST_INTERVAL_MS, 4 * tookMs), signal);
    }
  } finally {
    nudges.close();
  }
}

/** Reads the stream beside, so that the watcher wakes up when something happened. */
class Nudges {
  readonly #closed = new AbortController();
  #hasHappened = false;
  #isOpen = false;
  #fault: Error | null = null;
  #wake: () => void = () => undefined;

  constructor(transport: Transport, path: string) {
    void this.#listen(transport, path);
  }

  async #listen(transport: Transport, path: string): Promise<void> {
    try {
      for await (const _ of follow(transport, path, { signal: this.#closed.signal, onLost: () => (this.#isOpen = false) })) {
        this.#isOpen = this.#hasHappened = true;
        this.#wake();
      }
      this.#hasHappened = true; // the stream says that the job has ended
    } catch (fault) {
      // No stream to be had: the watcher asks every second, and hears a "no" itself.
      // Anything else, as of a token that could not be had, is the watcher's: thrown here it would end the program.
      if (!(fault instanceof EsteiraError) && !this.#closed.signal.aborted) this.#fault = fault as Error;
    } finally {
      this.#isOpen = false;
      this.#wake();
    }
  }

  async wait(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#hasHappened && !this.#fault) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      const either = signal ? AbortSignal.any([woken.signal, signal]) : woken.signal;
      await sleep(this.#isOpen ? SAFETY_POLL_MS : POLL_MS, either).catch(() => undefined);
      signal?.throwIfAborted();
    }
    if (this.#fault) throw this.#fault;
    this.#hasHappened = false;
  }

  close(): void {
    this.#closed.abort();
  }
}
