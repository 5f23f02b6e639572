// Whether files are those that a manifest names.

import { BadSignatureError, NotCheckableError } from "./errors.js";
import type { Machine } from "./machine.js";
import type { Key, Statement } from "./signatures.js";

export const MANIFEST = "esteira-manifest.json";

export interface Subject {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  /** Its id on the platform; "" for what is made for the archive. */
  readonly file: string;
}

/** By name, and what is wrong with it in words. */
export interface Verdict {
  readonly good: string[];
  readonly changed: Map<string, string>;
  readonly missing: string[];
  /** They are there, and no manifest speaks of them. */
  unsigned: string[];
}

export interface Verified extends Verdict {
  /** Every file that should be there is there, as it was signed, and no other. */
  readonly isGood: boolean;
  readonly statement: Statement;
  readonly key: Key;
}

/** Some files, to be read by name. */
export interface Source {
  names(): Promise<Set<string>>;
  /** Rejects with UnreadableError for what is spoilt. */
  read(name: string): AsyncIterable<Uint8Array>;
}

/** The bytes are there and cannot be unpacked. */
export class UnreadableError extends Error {}

export function newVerdict(): Verdict {
  return { good: [], changed: new Map(), missing: [], unsigned: [] };
}

export function verified(verdict: Verdict, statement: Statement, key: Key): Verified {
  const isGood = !verdict.changed.size && !verdict.missing.length && !verdict.unsigned.length;
  return { ...verdict, isGood, statement, key };
}

export function subjectsOf(statement: Statement): Subject[] {
  try {
    return (statement.subject as Record<string, unknown>[]).map(subject);
  } catch (fault) {
    throw new NotCheckableError("The manifest names no files in a way that is known here.", { cause: fault });
  }
}

function subject(one: Record<string, unknown>): Subject {
  const name = String(one["name"]);
  const { sha256 } = one["digest"] as { sha256: unknown };
  const about = one["annotations"] as { size: unknown; file?: unknown };
  const size = Number(about.size);
  if (typeof one["name"] !== "string" || typeof sha256 !== "string" || !Number.isSafeInteger(size)) throw new TypeError(name);
  if (name.startsWith("/") || name.split("/").includes("..")) throw new TypeError(name);
  return { name, sha256, size, file: String(about.file ?? "") };
}

/** Where a job's id is said: a good signature says only that it was signed. */
export function requireJob(statement: Statement, wanted: string): void {
  const bare = (id: string): string => id.replaceAll("-", "");
  const there = jobOf(statement);
  if (wanted && bare(there) !== bare(wanted)) {
    throw new BadSignatureError(`The manifest is of job ${there}, not of ${wanted}. Somebody shows another one; do not trust these files.`);
  }
}

function jobOf(statement: Statement): string {
  const predicate = statement.predicate as { buildDefinition?: { internalParameters?: { job?: unknown } } } | null;
  const job = predicate?.buildDefinition?.internalParameters?.job;
  if (typeof job !== "string") throw new NotCheckableError("What is signed speaks of no job: it is not Esteira's.");
  return job;
}

/** Holds every file to the manifest. */
export async function check(machine: Machine, subjects: readonly Subject[], source: Source): Promise<Verdict> {
  const verdict = newVerdict();
  const there = await source.names();
  there.delete(MANIFEST);
  const signed = new Set(subjects.map(({ name }) => name));
  for (const one of subjects) {
    if (there.delete(one.name)) {
      await judge(machine, verdict, one, source.read(one.name));
      continue;
    }
    const renamed = await renamedOf(machine, one, source, [...there].filter((name) => !signed.has(name)));
    if (renamed !== undefined) {
      there.delete(renamed);
      verdict.good.push(one.name);
    } else if (one.file) {
      verdict.missing.push(one.name); // what describes the results may be left behind
    }
  }
  verdict.unsigned = [...there].sort();
  return verdict;
}

/** The same bytes under another name: a folder may not have taken the one in the manifest. */
async function renamedOf(machine: Machine, one: Subject, source: Source, others: readonly string[]): Promise<string | undefined> {
  for (const name of [...others].sort()) {
    if (ending(name) !== ending(one.name)) continue;
    const found = await digest(machine, one.size, source.read(name));
    if (found.size === one.size && found.sha256 === one.sha256) return name;
  }
  return undefined;
}

function ending(name: string): string {
  return /[^/]\.([^./]*)$/.exec(name)?.[1]?.toLowerCase() ?? "";
}

export async function judge(machine: Machine, verdict: Verdict, one: Subject, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const { size, sha256 } = await digest(machine, one.size, bytes);
  if (sha256 === undefined) {
    verdict.changed.set(one.name, "it cannot be unpacked from this archive");
  } else if (size !== one.size) {
    const there = size > one.size ? `more than ${one.size}` : String(size);
    verdict.changed.set(one.name, `it has ${there} bytes, the manifest says ${one.size}`);
  } else if (sha256 !== one.sha256) {
    verdict.changed.set(one.name, `its SHA-256 is ${sha256}, the manifest says ${one.sha256}`);
  } else {
    verdict.good.push(one.name);
  }
}

/** Reads little more than it should have: a small archive may unpack to any length. */
async function digest(machine: Machine, most: number, bytes: AsyncIterable<Uint8Array>): Promise<{ size: number; sha256?: string }> {
  const hasher = machine.sha256();
  let size = 0;
  try {
    for await (const block of bytes) {
      hasher.update(block);
      size += block.length;
      if (size > most) break;
    }
  } catch (fault) {
    if (fault instanceof UnreadableError) return { size };
    throw fault;
  }
  return { size, sha256: await hasher.hex() };
}
