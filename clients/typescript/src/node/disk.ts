// What is on this machine's disk, and its errors in our words.

import { createReadStream } from "node:fs";
import { lstat, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import { EsteiraError, FileChangedError, LocalFileError } from "../errors.js";
import type { Still } from "../uploads/sources.js";
import { NODE } from "./machine.js";

/**
 * A file as it was when it was first looked at. Its pieces are read into memory one by one: Node's own Blob of a file
 * ends at 2 GiB without a word.
 */
export class DiskFile implements Still {
  readonly type = "";

  private constructor(
    readonly path: string,
    readonly size: number,
    readonly mtimeNs: bigint,
  ) {}

  static look(path: string): Promise<DiskFile> {
    return told(path, "read", async () => {
      const status = await stat(path, { bigint: true });
      if (!status.isFile()) throw new LocalFileError(`${path} is not a file that can be sent.`);
      return new DiskFile(path, Number(status.size), status.mtimeNs);
    });
  }

  get name(): string {
    return basename(this.path);
  }

  /** Whole milliseconds, rounded down, as every client of Esteira says it: so one goes on with what another began. */
  get modifiedMs(): number {
    return Number(this.mtimeNs / 1_000_000n);
  }

  piece(from: number, to: number): Promise<Blob> {
    return told(this.path, "read", async () => {
      const file = await open(this.path);
      try {
        this.#requireSame(await file.stat({ bigint: true }));
        const bytes = new Uint8Array(to - from);
        for (let at = 0; at < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
          if (!bytesRead) throw new FileChangedError(this.path);
          at += bytesRead;
        }
        return new Blob([bytes]);
      } finally {
        await file.close();
      }
    });
  }

  async requireSame(): Promise<void> {
    this.#requireSame(await told(this.path, "read", () => stat(this.path, { bigint: true })));
  }

  #requireSame({ size, mtimeNs }: { size: bigint; mtimeNs: bigint }): void {
    if (Number(size) !== this.size || mtimeNs !== this.mtimeNs) throw new FileChangedError(this.path);
  }
}

/** Also a link that leads nowhere. */
export async function isThere(path: string): Promise<boolean> {
  return (await statusOf(path)) !== null;
}

export async function isFileThere(path: string): Promise<boolean> {
  return (await statusOf(path))?.isFile() ?? false;
}

export async function isSame(path: string, size: number, sha256: string | null): Promise<boolean> {
  const status = await statusOf(path);
  if (!sha256 || !status?.isFile() || status.size !== size) return false;
  const hasher = NODE.sha256();
  for await (const block of createReadStream(path)) hasher.update(block as Uint8Array);
  return (await hasher.hex()) === sha256;
}

async function statusOf(path: string): Promise<Awaited<ReturnType<typeof lstat>> | null> {
  try {
    return await lstat(path);
  } catch (fault) {
    if (["ENOENT", "ENOTDIR"].includes((fault as NodeJS.ErrnoException).code ?? "")) return null;
    throw fault;
  }
}

/** What the disk refuses, said as a LocalFileError. */
export async function told<T>(path: string, verb: "read" | "write", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (fault) {
    const isOfDisk = typeof (fault as NodeJS.ErrnoException).syscall === "string" && !(fault instanceof EsteiraError);
    if (!isOfDisk) throw fault;
    throw new LocalFileError(`Cannot ${verb} ${path} (${(fault as Error).message}).`, "local_file", { cause: fault });
  }
}
