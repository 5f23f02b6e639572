// Files to be verified: in a folder, or in a ZIP as Esteira makes it.

import { createReadStream } from "node:fs";
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { createInflateRaw } from "node:zlib";
import { pipeline } from "node:stream";
import { NotCheckableError } from "../errors.js";
import { UnreadableError, type Source } from "../verifying.js";

/** To be closed. */
export interface OpenSource extends Source {
  readonly isArchive: boolean;
  close(): Promise<void>;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const LONGEST_COMMENT = 0xffff;
const MOST_DIRECTORY_BYTES = 256 << 20;
const STORED = 0;
const DEFLATED = 8;

export async function sourceOf(path: string): Promise<OpenSource> {
  if ((await stat(path)).isDirectory()) return new Folder(path);
  const file = await open(path);
  try {
    return await Archive.opened(path, file);
  } catch (fault) {
    await file.close();
    throw fault;
  }
}

class Folder implements OpenSource {
  readonly isArchive = false;

  constructor(readonly top: string) {}

  async names(): Promise<Set<string>> {
    // Links are left out: what they lead to is not what was fetched.
    const found = (await readdir(this.top, { recursive: true, withFileTypes: true })).filter((one) => one.isFile());
    return new Set(found.map((one) => relative(this.top, join(one.parentPath, one.name)).split(sep).join("/")));
  }

  read(name: string): AsyncIterable<Uint8Array> {
    return createReadStream(join(this.top, name));
  }

  async close(): Promise<void> {
    // nothing is open
  }
}

interface Entry {
  readonly offset: number;
  readonly size: number;
  readonly method: number;
  readonly isEncrypted: boolean;
}

class Archive implements OpenSource {
  readonly isArchive = true;
  readonly #file: FileHandle;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(file: FileHandle, entries: ReadonlyMap<string, Entry>) {
    [this.#file, this.#entries] = [file, entries];
  }

  static async opened(path: string, file: FileHandle): Promise<Archive> {
    try {
      return new Archive(file, entriesOf(await directory(file)));
    } catch (fault) {
      if (!(fault instanceof RangeError)) throw fault; // read past the end of what is there
      throw new NotCheckableError(`${path} is no ZIP, or not all of it is there (${fault.message}).`, { cause: fault });
    }
  }

  names(): Promise<Set<string>> {
    return Promise.resolve(new Set(this.#entries.keys()));
  }

  async *read(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const entry = this.#entries.get(name);
    if (!entry || entry.isEncrypted || ![STORED, DEFLATED].includes(entry.method)) throw new UnreadableError(name);
    try {
      const head = await readAt(this.#file, entry.offset, 30);
      if (head.readUInt32LE(0) !== LOCAL) throw new RangeError("a file is not where the directory says");
      const start = entry.offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
      if (!entry.size) return;
      const packed = this.#file.createReadStream({ start, end: start + entry.size - 1, autoClose: false });
      yield* entry.method === STORED ? packed : (pipeline(packed, createInflateRaw(), () => undefined) as AsyncIterable<Uint8Array>);
    } catch (fault) {
      throw new UnreadableError(name, { cause: fault });
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The central directory: that one counts, for every tool that unpacks. */
async function directory(file: FileHandle): Promise<Buffer> {
  const { size } = await file.stat();
  const tailAt = Math.max(0, size - LONGEST_COMMENT - 22);
  const tail = await readAt(file, tailAt, size - tailAt);
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at -= 1;
  if (at < 0) throw new RangeError("it has no end");
  let [length, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  if (at >= 20 && tail.readUInt32LE(at - 20) === LOCATOR_64) {
    const end = await readAt(file, number64(tail, at - 12), 56);
    if (end.readUInt32LE(0) !== END_64) throw new RangeError("its end is not where it says");
    [length, offset] = [number64(end, 40), number64(end, 48)];
  }
  if (length > MOST_DIRECTORY_BYTES) throw new RangeError("its directory is too long");
  return readAt(file, offset, length);
}

function entriesOf(bytes: Buffer): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (let at = 0; at < bytes.length; ) {
    if (bytes.readUInt32LE(at) !== CENTRAL) throw new RangeError("its directory is damaged");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field)) as [number, number, number];
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    const extra = bytes.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    if (entries.has(name)) throw new NotCheckableError(`The archive has ${name} twice. It is none that Esteira made.`); // tools differ in which of the two they unpack
    if (!name.endsWith("/")) entries.set(name, entry(bytes, at, extra));
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

function entry(bytes: Buffer, at: number, extra: Buffer): Entry {
  const [packed, whole, offset] = [20, 24, 42].map((field) => bytes.readUInt32LE(at + field)) as [number, number, number];
  const large = large64(extra, [whole, packed, offset]);
  return { size: large[1], offset: large[2], method: bytes.readUInt16LE(at + 10), isEncrypted: (bytes.readUInt16LE(at + 8) & 1) === 1 };
}

/** What does not fit in 32 bits stands in the extra field, and only that, in this order. */
function large64(extra: Buffer, short: [whole: number, packed: number, offset: number]): [number, number, number] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    return short.map((value) => (value === 0xffffffff ? number64(extra, (next += 8) - 8) : value)) as [number, number, number];
  }
  return short;
}

function number64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length) throw new RangeError("it ends too early");
  return buffer;
}
