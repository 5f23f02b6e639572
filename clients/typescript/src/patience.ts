// How long one call may go on trying, and how it waits. Full jitter keeps a crowd of clients from returning in step.

export interface Pace {
  readonly firstMs: number;
  readonly longestMs: number;
}

export const CALL: Pace = { firstMs: 200, longestMs: 10_000 };
/** For uploads: hours of sending must not be lost to a platform that restarts. */
export const STUBBORN: Pace = { firstMs: 500, longestMs: 30_000 };

export class Patience {
  spentMs = 0;
  #tries = 0;

  constructor(
    readonly pace: Pace = CALL,
    readonly isEndless = false,
  ) {}

  /** How long to wait before the next try; null when there should be none. */
  pauseMs({ atLeastMs = 0, withinMs }: { atLeastMs?: number; withinMs: number }): number | null {
    const ceiling = Math.min(this.pace.longestMs, this.pace.firstMs * 2 ** Math.min(this.#tries, 16));
    this.#tries += 1;
    const pause = Math.max(atLeastMs, 10 + Math.random() * (ceiling - 10));
    this.spentMs += pause;
    return this.spentMs <= withinMs ? pause : null;
  }
}

/** Rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

export function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException("No longer wanted.", "AbortError");
}
