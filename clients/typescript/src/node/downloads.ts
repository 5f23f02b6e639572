// Fetch to disk: names planned first, `.part` files that resume, a name only after the digest fits.

import { createReadStream, constants } from "node:fs";
import { link, mkdir, open, realpath, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { arrivedDamaged, contentPath, fetched, isAsKept } from "../contents.js";
import { DamagedTransferError, LocalFileError } from "../errors.js";
import type { Hasher } from "../machine.js";
import { Patience } from "../patience.js";
import { CutError, reading } from "../reading.js";
import type { File } from "../shapes.js";
import { isRefusal, segment, type Transport } from "../transport.js";
import { isFileThere, isSame, isThere, told } from "./disk.js";
import { NODE } from "./machine.js";
import { safeParts, withNumber } from "./names.js";

export interface Place {
  readonly file: File;
  readonly path: string;
  /** The same bytes lie there already. */
  readonly isPresent: boolean;
}

/** A place below the folder for every file. */
export async function plan(files: readonly File[], folder: string): Promise<Place[]> {
  const taken = new Set<string>();
  const folders = new Set<string>();
  const places: Place[] = [];
  for (const file of files) places.push(await told(folder, "read", () => place(file, folder, taken, folders)));
  return places;
}

// Folded, because Report.html and report.html are one file on some disks.
const folded = (parts: readonly string[]): string => parts.join("/").toLowerCase();
const parents = (parts: readonly string[]): string[] => parts.slice(1).map((_, at) => folded(parts.slice(0, at + 1)));

async function place(file: File, folder: string, taken: Set<string>, folders: Set<string>): Promise<Place> {
  let parts = safeParts(file.name);
  const above = parts.slice(1).map((_, at) => parts.slice(0, at + 1));
  const isFile = await Promise.all(above.map((one) => isFileThere(join(folder, ...one))));
  if (isFile.includes(true) || parents(parts).some((parent) => taken.has(parent))) parts = [parts.join("_")];
  for (let number = 1; ; number += 1) {
    const below = withNumber(parts, number);
    const path = join(folder, ...below);
    if (taken.has(folded(below)) || folders.has(folded(below))) continue;
    const isPresent = await isSame(path, file.size, file.sha256 ?? null);
    if (!isPresent && (await isThere(path))) continue;
    taken.add(folded(below));
    for (const parent of parents(below)) folders.add(parent);
    return { file, path, isPresent };
  }
}

export async function fetchTo(transport: Transport, { file, path, isPresent }: Place, folder: string, signal?: AbortSignal): Promise<string> {
  if (isPresent) return path;
  return told(path, "write", async () => {
    await makeFolder(dirname(path), folder);
    const part = join(dirname(path), `.${segment(file.id)}.part`); // an id is the server's word too
    await fetchPart(transport, file, part, signal);
    await rename(part, path);
    return path;
  });
}

async function makeFolder(parent: string, folder: string): Promise<void> {
  await mkdir(parent, { recursive: true });
  const [there, top] = [await realpath(parent), await realpath(folder)];
  // A link that lies in the folder already could lead anywhere.
  if (there !== top && !there.startsWith(top.endsWith(sep) ? top : top + sep)) {
    throw new LocalFileError(`${parent} leads out of ${folder}; nothing was written there. Choose another folder.`);
  }
}

async function fetchPart(transport: Transport, file: File, part: string, signal: AbortSignal | undefined): Promise<void> {
  let patience = new Patience();
  let sizeBefore = -1;
  let isSecondChance = false;
  for (;;) {
    // O_NOFOLLOW: somebody else may write in the same folder.
    const target = await open(part, constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0), 0o666);
    try {
      await receive(transport, file, part, target, signal);
      return;
    } catch (fault) {
      if (fault instanceof DamagedTransferError) {
        await rm(part, { force: true });
        if (isSecondChance) throw fault;
        isSecondChance = true;
      } else if (fault instanceof CutError) {
        const { size } = await target.stat();
        // Only a connection that brings nothing at all uses patience up.
        if (size > sizeBefore) patience = new Patience();
        sizeBefore = size;
        await transport.waitOrThrow(fault, patience, signal);
      } else {
        throw fault;
      }
    } finally {
      await target.close();
    }
  }
}

async function receive(transport: Transport, file: File, part: string, target: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  let hasher = NODE.sha256();
  let done = await summed(part, hasher);
  if (done === file.size && file.sha256 && isAsKept(file, done, await hasher.hex())) return; // only its name was missing
  if (done >= file.size) [hasher, done] = [NODE.sha256(), 0];
  const headers: Record<string, string> = { "accept-encoding": "identity", ...(done && { range: `bytes=${done}-` }) };
  const response = await fetched(transport, contentPath(file.id), headers, signal).catch((fault: unknown) => {
    throw isRefusal(fault, 416) ? arrivedDamaged(file) : fault;
  });
  if (response.status !== 206 || startOf(response) !== done) [hasher, done] = [NODE.sha256(), 0];
  await target.truncate(done);
  for await (const block of reading(response.body, signal)) {
    await target.write(block, 0, block.length, done);
    hasher.update(block);
    done += block.length;
  }
  if (!isAsKept(file, done, await hasher.hex())) throw arrivedDamaged(file);
}

async function summed(part: string, hasher: Hasher): Promise<number> {
  let size = 0;
  for await (const block of createReadStream(part)) {
    hasher.update(block as Uint8Array);
    size += (block as Uint8Array).length;
  }
  return size;
}

function startOf(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? NaN);
}

/** All results of a job as one ZIP. Goes on after a cut; its name only when all of it is there, and never over a file. */
export async function fetchArchive(transport: Transport, path: string, target: string, signal?: AbortSignal): Promise<string> {
  if (await isThere(target)) throw new LocalFileError(`${target} is there already. Choose another name, or remove it.`);
  const part = `${target}.${process.pid}.part`;
  return told(target, "write", async () => {
    const file = await open(part, "wx");
    try {
      await receiveArchive(transport, path, file, signal);
      await link(part, target); // unlike a rename, never over what came meanwhile
      return target;
    } finally {
      await file.close();
      await rm(part, { force: true });
    }
  });
}

async function receiveArchive(transport: Transport, path: string, file: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  let patience = new Patience();
  let etag = "";
  let done = 0;
  for (;;) {
    const before = done;
    const headers: Record<string, string> = { "accept-encoding": "identity", ...(done && etag && { range: `bytes=${done}-`, "if-range": etag }) };
    try {
      const response = await fetched(transport, path, headers, signal);
      etag = response.headers.get("etag") ?? "";
      // Other results than before: what came of them is of no use.
      if (response.status !== 206 || startOf(response) !== done) done = 0;
      await file.truncate(done);
      for await (const block of reading(response.body, signal)) {
        await file.write(block, 0, block.length, done);
        done += block.length;
      }
      return;
    } catch (fault) {
      if (!(fault instanceof CutError)) throw fault;
      if (done > before) patience = new Patience();
      await transport.waitOrThrow(fault, patience, signal);
    }
  }
}
