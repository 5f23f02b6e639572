// What is sent, as the parts of it that can be read again.

import { EMPTY, update } from "../crc64.js";
import { FileChangedError, RequestError } from "../errors.js";
import { toHex } from "../machine.js";
import type { UploadWish } from "../shapes.js";

const BLOCK = 4 << 20;
const LONGEST_FINGERPRINT = 255;

export type Stream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;
export type Source = Blob | Uint8Array | ArrayBuffer | Stream;
/** Of this machine too, as an entry point may know more of it. */
export type AnySource = Source | Still;

export interface Named {
  readonly name: string;
  /** Its folder there: photos/2026. */
  readonly path: string;
}

/** Bytes that lie still, and can be read again. */
export interface Still {
  readonly size: number;
  readonly type: string;
  /** null where nobody knows, and then an upload that was cut off is not found again. */
  readonly modifiedMs: number | null;
  /** Rejects with FileChangedError when they are not the bytes any more that there were at first. */
  piece(from: number, to: number): Promise<Blob>;
  requireSame(): Promise<void>;
}

export function isStream(source: AnySource): source is Stream {
  return !(source instanceof Blob || source instanceof Uint8Array || source instanceof ArrayBuffer || "requireSame" in source);
}

export function still(source: Exclude<AnySource, Stream>, name: string, modifiedMs?: number): Still {
  if ("requireSame" in source) return source;
  const blob = source instanceof Blob ? source : new Blob([source as Uint8Array<ArrayBuffer> | ArrayBuffer]);
  const { lastModified } = blob as { lastModified?: number };
  return {
    size: blob.size,
    type: blob.type,
    modifiedMs: lastModified ?? modifiedMs ?? null,
    piece: (from, to) => Promise.resolve(blob.slice(from, to)),
    requireSame: () => requireReadable(blob, name),
  };
}

export function nameOf(source: AnySource, given: string | undefined): string {
  const name = given || (source as { name?: unknown }).name;
  if (typeof name === "string" && name) return name;
  throw new RequestError("What is sent needs a name, such as table.csv.", "no_name");
}

/** The same on every machine that has the file with its date, so that any of them can go on. */
export async function fingerprintOf({ name, path }: Named, { size, modifiedMs }: Still): Promise<string> {
  if (modifiedMs === null) return crypto.randomUUID();
  const said = `${name}|${size}|${modifiedMs}|${path}`;
  if ([...said].length <= LONGEST_FINGERPRINT && !/[\x00-\x1f\x7f]/.test(said)) return said;
  return toHex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(said)));
}

export function wish(named: Named, file: Still, fingerprint: string, workspace: string | undefined): UploadWish {
  const { size, type, modifiedMs } = file;
  const modified = modifiedMs === null ? null : new Date(modifiedMs);
  const year = modified?.getUTCFullYear() ?? NaN;
  return {
    ...named,
    size,
    content_type: type,
    modified: modified && year >= 1 && year <= 9999 ? modified.toISOString() : null, // some archives leave dates behind that no calendar has
    fingerprint,
    resume: true,
    ...(workspace && { workspace }),
  };
}

/** A block at a time, whatever its size. Rejects with FileChangedError for a file that changed since it was chosen. */
export async function crcOf(part: Blob, name: string): Promise<bigint> {
  let crc = EMPTY;
  for (let at = 0; at < part.size; at += BLOCK) crc = update(new Uint8Array(await bytesOf(part.slice(at, at + BLOCK), name)), crc);
  return crc;
}

/** A changed file looks like a broken connection to whoever sends it. */
export async function requireReadable(part: Blob, name: string): Promise<void> {
  await bytesOf(part.slice(0, 1), name);
}

async function bytesOf(piece: Blob, name: string): Promise<ArrayBuffer> {
  let bytes: ArrayBuffer;
  try {
    bytes = await piece.arrayBuffer();
  } catch (fault) {
    throw new FileChangedError(name, { cause: fault });
  }
  if (bytes.byteLength !== piece.size) throw new FileChangedError(name);
  return bytes;
}
