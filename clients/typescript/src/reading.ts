// A body as it comes, by `for await`, in every browser; and who brings nothing for a minute is let go.

import { reasonOf } from "./patience.js";

const STALL_MS = 60_000;

/** Rejects when nothing comes for `stallMs`, or with the signal's reason. Whoever stops early closes the connection. */
export async function* reading(body: ReadableStream<Uint8Array> | null, signal?: AbortSignal, stallMs = STALL_MS): AsyncGenerator<Uint8Array, void, undefined> {
  if (!body) return;
  const reader = body.getReader();
  let reject: (why: Error) => void = () => undefined;
  const ended = new Promise<never>((_, refuse) => {
    reject = refuse;
  });
  ended.catch(() => undefined); // nobody may be waiting when it is told
  const stop = (): void => reject(reasonOf(signal));
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      const timer = setTimeout(() => reject(new TypeError(`nothing came for ${stallMs / 1000} s`)), stallMs);
      const { done, value } = await Promise.race([reader.read(), ended]).finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    // Not waited for: a connection that is dead never says that it was closed.
    reader.cancel().catch(() => undefined);
  }
}
