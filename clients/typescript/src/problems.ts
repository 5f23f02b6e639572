// From an HTTP answer that is no success to an error with a sentence.

import { EsteiraError, ProblemError, UnreachableError } from "./errors.js";
import type { Problem } from "./shapes.js";

export function retryAfterMs(response: Response): number {
  const asked = (response.headers.get("retry-after") ?? "").trim();
  if (/^\d+$/.test(asked)) return Number(asked) * 1000;
  const moment = Date.parse(asked);
  return Number.isNaN(moment) ? 0 : Math.max(0, moment - Date.now());
}

export function problemOf(text: string): Partial<Problem> | null {
  try {
    return asProblem(JSON.parse(text));
  } catch {
    return null; // no JSON, as from a proxy: the status alone has to do
  }
}

export function asProblem(body: unknown): Partial<Problem> | null {
  return typeof body === "object" && body !== null && !Array.isArray(body) ? body : null;
}

/** `problem`: what the answer said, null where it was no JSON. */
export function errorFrom(response: Response, problem: Partial<Problem> | null, url: string): EsteiraError {
  if (response.type === "opaqueredirect" || (response.status >= 300 && response.status < 400)) {
    // Not followed: the token would travel to wherever the answer points.
    const target = response.headers.get("location") ?? "somewhere else";
    return new UnreachableError(`${url} points to ${target}. If that is right, use it as the url.`);
  }
  if (problem === null && response.status < 500 && response.status !== 401) return notOurs(url);
  return new ProblemError(
    sentence(response, problem ?? {}, url),
    problem?.code ?? `http_${response.status}`,
    response.status,
    problem ?? {},
    retryAfterMs(response),
  );
}

export function notOurs(url: string): UnreachableError {
  return new UnreachableError(`What answers at ${url} does not look like Esteira. Check the address.`);
}

function sentence(response: Response, problem: Partial<Problem>, url: string): string {
  const told = (problem.detail ?? problem.title ?? "").trim();
  if (response.status === 401) return `${url} does not accept the token (expired, revoked or mistyped). Give another one.`;
  if (response.status === 429) {
    const wait = response.headers.get("retry-after");
    const when = wait && /^\d+$/.test(wait) ? `in ${wait} s` : "later";
    return told.toLowerCase().includes("try again") ? told : `${told || "Too many requests."} Try again ${when}.`;
  }
  if (response.status >= 500) {
    const requestId = response.headers.get("x-request-id");
    const why = `HTTP ${response.status}${told ? `: ${told.replace(/\.+$/, "")}` : ""}`;
    const report = requestId ? ` When you report it, name the request ${requestId}.` : "";
    return `The platform at ${url} failed (${why}). This is its fault, not yours; try again later.${report}`;
  }
  return (told || `The platform refused (HTTP ${response.status}).`) + fields(problem, told);
}

function fields(problem: Partial<Problem>, told: string): string {
  const entries: readonly unknown[] = Array.isArray(problem.errors) ? problem.errors : [];
  return entries.map((entry) => field(entry, told)).join("");
}

function field(entry: unknown, told: string): string {
  const { loc, msg } = entry as { loc?: unknown; msg?: unknown };
  const what = typeof msg === "string" ? msg : "";
  if (!what || told.includes(what)) return "";
  const where = (Array.isArray(loc) ? loc : []).filter((one) => !["body", "query", "path"].includes(String(one))).join(".");
  return `\n  ${where}${where ? ": " : ""}${what}`;
}
