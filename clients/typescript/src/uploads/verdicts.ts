// What the answer to a PUT means, from the platform or from S3 (docs/design/0003, end of section 1).

import { problemOf, retryAfterMs } from "../problems.js";
import { passes } from "../transport.js";

/**
 * `arrived`: the platform has these bytes; `sign`: the address is no longer good, ask for another; `read`: other bytes
 * arrived than were announced, read them again; `look`: the upload is not what we think; `wait`: not now; `never`: no.
 */
export type Verdict = "arrived" | "sign" | "read" | "look" | "wait" | "never";

export interface Answer {
  readonly verdict: Verdict;
  readonly code: string;
  readonly told: string;
  readonly waitMs: number;
}

const DAMAGED: ReadonlySet<string> = new Set(["checksum_mismatch", "BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"]);
const EXPIRED: ReadonlySet<string> = new Set(["signature_expired", "ExpiredToken", "RequestExpired"]);
/** S3 says 400 to a connection that stalled or broke off. */
const CUT: ReadonlySet<string> = new Set(["RequestTimeout", "IncompleteBody"]);

export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const problem = problemOf(text);
  const code = problem ? (problem.code ?? "") : inXml("Code", text);
  const told = problem ? (problem.detail ?? problem.title ?? "") : inXml("Message", text);
  return { verdict: verdictOf(response.status, code, told), code, told: told || `HTTP ${response.status}`, waitMs: retryAfterMs(response) };
}

function verdictOf(status: number, code: string, told: string): Verdict {
  // 412 answers `If-None-Match: *`: an object is there, and only these bytes could be put there.
  if ((status >= 200 && status < 300) || status === 412) return "arrived";
  if (EXPIRED.has(code) || (code === "AccessDenied" && told.toLowerCase().includes("expired"))) return "sign";
  if (DAMAGED.has(code)) return "read";
  if ([404, 409, 410].includes(status)) return "look";
  return passes(status) || CUT.has(code) ? "wait" : "never";
}

/** S3's errors are flat, so a name stands for one text; whoever answers, nothing of it is expanded. */
function inXml(name: string, text: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? "";
}
