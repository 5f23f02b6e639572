// Every call of the contract, typed by it.

import createClient, { type Client } from "openapi-fetch";
import type { paths } from "./contract.js";
import { Patience, STUBBORN } from "./patience.js";
import { asProblem, errorFrom, notOurs } from "./problems.js";
import type { Repeat, Transport } from "./transport.js";

export type Api = Client<paths>;

const HARMLESS: ReadonlySet<string> = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const KEY = "idempotency-key";

export function apiOf(transport: Transport): Api {
  return createClient<paths>({
    baseUrl: transport.url,
    redirect: "manual",
    fetch: (request: Request) => transport.send(request, { repeat: repeatOf(request) }),
  });
}

/** With its Idempotency-Key the platform answers the same call as it did the first time. */
function repeatOf(request: Request): Repeat {
  return HARMLESS.has(request.method) || request.headers.has(KEY) ? "always" : "undone";
}

export interface Manner {
  readonly fetch: (request: Request) => Promise<Response>;
}

/** For a call that is once, however often it is made. */
export function repeatable(transport: Transport): Manner {
  return { fetch: (request) => transport.send(request, { repeat: "always" }) };
}

/** The same, and it has to get through: it waits for a platform that restarts. */
export function persistent(transport: Transport): Manner {
  return { fetch: (request) => transport.send(request, { repeat: "through", patience: new Patience(STUBBORN, true) }) };
}

/** Makes up a key, and is then repeatable. Made before the first try, so that every further try is the same request. */
export function once(key: string = crypto.randomUUID()): { readonly headers: Readonly<Record<string, string>> } {
  return { headers: { [KEY]: key } };
}

/** What was asked for. Rejects with ProblemError for a refusal, UnreachableError for no answer. */
export async function answered<T>(transport: Transport, call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let said: { data?: T; response: Response; error?: unknown };
  try {
    said = await call;
  } catch (fault) {
    if (fault instanceof SyntaxError) throw notOurs(transport.url);
    throw fault;
  }
  if (!said.response.ok) throw errorFrom(said.response, asProblem(said.error), transport.url);
  return said.data as T;
}
