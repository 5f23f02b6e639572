// The HTTP connection: what is tried again, how often, and what is said when nothing helps.

import { EsteiraError, ProblemError, RequestError, UnreachableError } from "./errors.js";
import { Patience, reasonOf, sleep } from "./patience.js";
import { errorFrom, problemOf, retryAfterMs } from "./problems.js";

/**
 * What a second try of the same call can do. `never`: its caller must know at once; `undone`: twice is not once, so only
 * when the first try surely did nothing; `always`: twice is once; `through`: the same, and hours of work stand behind it.
 */
export type Repeat = "never" | "undone" | "always" | "through";

const ANSWER_MS = 75_000; // the longest `wait` of the platform, and then some
const FIRST_CONTACT_MS = 1_000;
const BUSY = [429, 503];
const AGAIN: Record<Repeat, (status: number) => boolean> = {
  never: () => false,
  undone: (status) => BUSY.includes(status),
  // An answer from a gateway leaves open whether the platform did it; "busy" means that it did not.
  always: mayPass,
  through: passes,
};
/** Said with 429, and mended by a person only: waiting would be for ever. */
const LASTING: ReadonlySet<string> = new Set(["too_many_open_uploads"]);
/** The first request with this Idempotency-Key is still being answered. */
const UNDER_WAY = "request_in_progress";
/** How Node says that nothing was sent. A browser does not tell. */
const NOT_SENT: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

export function mayPass(status: number): boolean {
  return BUSY.includes(status) || status === 502 || status === 504;
}

/** 501, 505 and 507 (the disk is full) say "no" and not "not now". */
export function passes(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status < 600 && ![501, 505, 507].includes(status));
}

export interface Sending {
  readonly repeat: Repeat;
  readonly patience?: Patience;
  /** The caller reads the body as it comes; a connection that breaks there is the caller's to mend. */
  readonly isStream?: boolean;
}

export class Transport {
  readonly url: string;
  readonly #token: string | (() => string | Promise<string>);
  readonly #patienceMs: number;
  // Long patience is for a platform that restarts; one that never answered is probably not there at all.
  #isReached = false;

  constructor(url: string, token: string | (() => string | Promise<string>), patienceMs: number) {
    this.url = normal(url);
    this.#token = token;
    this.#patienceMs = patienceMs;
  }

  /** An answer worth having: a success, or the refusal that is left after all tries. Rejects with UnreachableError. */
  async send(request: Request, { repeat, patience = new Patience(), isStream = false }: Sending): Promise<Response> {
    const token = typeof this.#token === "string" ? this.#token : await this.#token();
    if (token) request.headers.set("authorization", `Bearer ${token}`);
    for (;;) {
      const began = Date.now();
      const answer = await attempt(request, isStream).catch((fault: unknown) => fault as Error);
      if (request.signal.aborted) throw reasonOf(request.signal);
      if (answer instanceof Error) {
        const isUnsent = wasNotSent(answer);
        if (isUnsent) patience.spentMs += Date.now() - began;
        const may = repeat === "always" || repeat === "through" || (repeat === "undone" && isUnsent);
        const pause = may ? patience.pauseMs({ withinMs: this.#withinMs(patience) }) : null;
        if (pause === null) throw this.unreachable(answer);
        await sleep(pause, request.signal);
        continue;
      }
      this.#isReached = true;
      const pause = answer.ok ? null : await this.#pauseMs(answer, repeat, patience);
      if (pause === null) return answer;
      await answer.body?.cancel();
      await sleep(pause, request.signal);
    }
  }

  async #pauseMs(answer: Response, repeat: Repeat, patience: Patience): Promise<number | null> {
    const isUnderWay = answer.status === 409 && repeat !== "never" && (await codeOf(answer)) === UNDER_WAY;
    if (!isUnderWay && !AGAIN[repeat](answer.status)) return null;
    if (repeat === "through" && LASTING.has(await codeOf(answer))) return null;
    return patience.pauseMs({ atLeastMs: retryAfterMs(answer), withinMs: this.#withinMs(patience) });
  }

  #withinMs(patience: Patience): number {
    if (!this.#isReached) return Math.min(FIRST_CONTACT_MS, this.#patienceMs);
    return patience.isEndless ? Infinity : this.#patienceMs;
  }

  /** For a transfer that broke off: waits before the next try, or rejects when patience is at its end. */
  async waitOrThrow(fault: Error, patience: Patience, signal?: AbortSignal): Promise<void> {
    const pause = patience.pauseMs({ withinMs: this.#withinMs(patience) });
    if (pause === null) throw this.unreachable(fault);
    await sleep(pause, signal);
  }

  unreachable(fault: Error): EsteiraError {
    const why = String((fault.cause as Error | undefined)?.message || fault.message || fault.name);
    return new UnreachableError(
      this.#isReached
        ? `${this.url} stopped answering (${why}). Jobs that were submitted go on; try again in a minute.`
        : `Cannot reach ${this.url} (${why}). Check the address and your network, then try again.`,
      { cause: fault },
    );
  }

  /** The answer to a call outside of the contract's types. Rejects with ProblemError for a refusal. */
  async required(request: Request, sending: Sending): Promise<Response> {
    const response = await this.send(request, sending);
    if (response.ok) return response;
    throw errorFrom(response, problemOf(await response.text()), this.url);
  }
}

async function attempt(request: Request, isStream: boolean): Promise<Response> {
  const cut = new AbortController();
  const stop = (): void => cut.abort(reasonOf(request.signal));
  if (request.signal.aborted) stop();
  request.signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => cut.abort(new DOMException(`no answer within ${ANSWER_MS / 1000} s`, "TimeoutError")), ANSWER_MS);
  try {
    const answer = await fetch(request.clone(), { signal: cut.signal });
    if (isStream && answer.ok) return answer;
    // Read to its end here, so that a connection that breaks in the middle of an answer is tried again.
    const body = await answer.arrayBuffer();
    if (answer.type === "opaqueredirect") return answer;
    return new Response(body.byteLength ? body : null, answer);
  } finally {
    clearTimeout(timer);
    // A stream goes on after this: whoever gave the signal ends it by `reading`.
    if (!isStream) request.signal.removeEventListener("abort", stop);
  }
}

async function codeOf(answer: Response): Promise<string> {
  try {
    return String(((await answer.clone().json()) as { code?: unknown }).code ?? "");
  } catch {
    return ""; // no JSON: some proxy's words
  }
}

function wasNotSent(fault: Error): boolean {
  const cause = fault.cause as { code?: unknown; errors?: { code?: unknown }[] } | undefined;
  return NOT_SENT.has(cause?.code) || (cause?.errors ?? []).some((one) => NOT_SENT.has(one.code));
}

export function isRefusal(fault: unknown, ...statuses: number[]): fault is ProblemError {
  return fault instanceof ProblemError && statuses.includes(fault.status);
}

function normal(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new RequestError(`${url} is no address. It begins with https:// or http://.`);
  }
  if (!["http:", "https:"].includes(parsed.protocol)) throw new RequestError(`${url} is no address of a platform: it begins with https:// or http://.`);
  return parsed.href.replace(/[?#].*$/, "").replace(/\/+$/, "");
}

/** One segment of a path and nothing more: an id with a slash or `..` would ask for something else. */
export function segment(text: string): string {
  if (!text || text === "." || text === ".." || /[/\\?#% \p{C}]/u.test(text)) {
    throw new RequestError(`${JSON.stringify(text)} is neither an id nor a name.`);
  }
  return text;
}
