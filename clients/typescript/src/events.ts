// Live news. Over any number of connections, none twice, until the job has ended or nobody listens any more.

import { EsteiraError, ProblemError, UnreachableError } from "./errors.js";
import { Patience, sleep } from "./patience.js";
import { CutError, reading } from "./reading.js";
import { mayPass, type Transport } from "./transport.js";
import type { Event } from "./shapes.js";

/** The platform sends a comment every 15 s: a stream that is silent for longer is dead. */
const SILENCE_MS = 25_000;
const RECONNECT_MS = 100;

/**
 * `event`: one that happened. `connected`: from here on nothing is missed, and something may have happened before.
 * `resync`: more happened than is told one by one; load what you show anew, events go on after it.
 */
export type News = { kind: "event"; event: Event } | { kind: "connected" } | { kind: "resync"; after: number };

export interface Following {
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long to go on with a platform that does not answer. */
  readonly patienceMs?: number | undefined;
  readonly onLost?: (() => void) | undefined;
}

export async function* follow(transport: Transport, path: string, { after = 0, signal, patienceMs = Infinity, onLost }: Following): AsyncGenerator<News, void, undefined> {
  const seen = { last: after, hasEnded: false };
  let patience = new Patience();
  while (!seen.hasEnded) {
    signal?.throwIfAborted();
    let pause: number | null = RECONNECT_MS;
    try {
      for await (const news of connection(transport, path, seen, signal)) {
        // Not for a server that takes connections and drops them.
        if (news.kind !== "connected") patience = new Patience();
        yield news;
      }
      pause = patience.pauseMs({ atLeastMs: RECONNECT_MS, withinMs: Infinity });
    } catch (fault) {
      signal?.throwIfAborted();
      pause = mayComeBack(fault) ? patience.pauseMs({ atLeastMs: fault instanceof ProblemError ? fault.retryAfterMs : 0, withinMs: patienceMs }) : null;
      if (pause === null) throw fault instanceof CutError ? transport.unreachable(fault) : fault;
    }
    onLost?.();
    if (!seen.hasEnded) await sleep(pause ?? RECONNECT_MS, signal);
  }
}

function mayComeBack(fault: unknown): boolean {
  if (fault instanceof ProblemError) return mayPass(fault.status);
  return fault instanceof UnreachableError || fault instanceof CutError;
}

async function* connection(transport: Transport, path: string, seen: { last: number; hasEnded: boolean }, signal: AbortSignal | undefined): AsyncGenerator<News, void, undefined> {
  const headers: Record<string, string> = { accept: "text/event-stream", "cache-control": "no-store" };
  if (seen.last) headers["last-event-id"] = String(seen.last);
  const request = new Request(`${transport.url}${path}`, { headers, redirect: "manual", signal: signal ?? null });
  const response = await transport.required(request, { repeat: "never", isStream: true });
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await response.body?.cancel();
    throw new EsteiraError("The platform has no stream of events.");
  }
  yield { kind: "connected" };
  for await (const { id, name, data } of serverSent(reading(response.body, signal, SILENCE_MS))) {
    if (name === "end") {
      seen.hasEnded = true;
      return;
    }
    // Told again after a reconnection. A resync may lead back: to a platform that was restored from a backup.
    if (id !== null && id <= seen.last && name !== "resync") continue;
    seen.last = id ?? seen.last;
    const news = newsOf(name, data);
    if (news) yield news;
  }
}

function newsOf(name: string, data: string): News | null {
  let told: unknown;
  try {
    told = JSON.parse(data);
  } catch {
    return { kind: "connected" }; // whatever a later version may send: a reason to look, not an event
  }
  if (name === "resync") return { kind: "resync", after: Number((told as { after?: unknown }).after ?? 0) };
  return typeof told === "object" && told !== null && "kind" in told ? { kind: "event", event: told as Event } : { kind: "connected" };
}

interface Message {
  readonly id: number | null;
  readonly name: string;
  readonly data: string;
}

/** Split at LF only: U+2028 in a file name is no end of a line. */
export async function* serverSent(blocks: AsyncIterable<Uint8Array>): AsyncGenerator<Message, void, undefined> {
  const text = new TextDecoder();
  let buffered = "";
  let id: number | null = null;
  let name = "";
  let data: string[] = [];
  for await (const block of blocks) {
    const lines = (buffered + text.decode(block, { stream: true })).split("\n");
    buffered = lines.pop() ?? "";
    for (const line of lines) {
      const [, field = "", value = ""] = /^([^:]*):? ?([^]*?)\r?$/.exec(line) ?? [];
      if (field === "data") data.push(value);
      else if (field === "event") name = value;
      else if (field === "id" && /^\d+$/.test(value)) id = Number(value);
      else if (!field && !value && data.length) {
        yield { id, name, data: data.join("\n") };
        [id, name, data] = [null, "", []];
      }
    }
  }
}
