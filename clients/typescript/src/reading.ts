// A body as it comes, by `for await`, in every browser; and who brings nothing for a minute is let go.

import { reasonOf } from "./patience.js";

const STALL_MS = 60_000;

/** A transfer that broke off in the middle: it can be begun again, or gone on with. */
export class CutError extends Error {}

/** Rejects with CutError when the connection breaks or nothing comes for `stallMs`, or with the signal's reason. */
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
      const timer = setTimeout(() => reject(new CutError(`nothing came for ${stallMs / 1000} s`)), stallMs);
      const { done, value } = await Promise.race([read(reader, signal), ended]).finally(() => clearTimeout(timer));
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    // Not waited for: a connection that is dead never says that it was closed. Whoever stops early closes it so.
    reader.cancel().catch(() => undefined);
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal | undefined): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (fault) {
    if (signal?.aborted) throw reasonOf(signal);
    throw new CutError((fault as Error).message, { cause: fault });
  }
}

/** What its owner's stream says, errors and all. */
export async function* chunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => undefined); // it may have broken by itself
  }
}
