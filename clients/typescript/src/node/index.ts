// For Node: the same client, which also knows the disk.

import { Esteira as Portable, type Given, type VerifyOptions } from "../esteira.js";
import { NotCheckableError } from "../errors.js";
import type { Machine } from "../machine.js";
import type { File } from "../shapes.js";
import { segment } from "../transport.js";
import type { Item, Outcome, UploadOptions } from "../uploads/fleet.js";
import type { AnySource } from "../uploads/sources.js";
import { check, MANIFEST, subjectsOf, verified, type Source as Files, type Verified } from "../verifying.js";
import { DiskFile, told } from "./disk.js";
import { fetchArchive, fetchTo, plan } from "./downloads.js";
import { NODE } from "./machine.js";
import { sourceOf } from "./places.js";

const MOST_MANIFEST_BYTES = 256 << 20;

/** The path of a file, or whatever a browser could send too. */
export type Source = string | AnySource;

export interface LocalVerifyOptions extends VerifyOptions {
  /** Of the job that the files should be from; needed where they have no manifest with them. */
  readonly job?: string | undefined;
}

export class Esteira extends Portable {
  protected override readonly machine: Machine = NODE;

  override async upload(source: Source, options: UploadOptions = {}): Promise<File> {
    const { source: bytes, ...about } = await item({ source, ...options });
    return super.upload(bytes, about);
  }

  override async uploadMany(items: readonly (string | ({ readonly source: Source } & UploadOptions))[], options: UploadOptions = {}): Promise<Outcome[]> {
    return super.uploadMany(await Promise.all(items.map((one) => item(typeof one === "string" ? { source: one } : one))), options);
  }

  /** All results of a job, into a folder: each under its name, and only after its digest fits. What is there stays. */
  async download(jobId: string, folder: string, options: Given = {}): Promise<string[]> {
    const paths: string[] = [];
    for (const place of await plan(await this.results(jobId, options), folder)) {
      paths.push(await fetchTo(this.transport, place, folder, options.signal));
    }
    return paths;
  }

  /** All results of a job as one ZIP, with the signed manifest in it. */
  downloadArchive(jobId: string, target: string, { signal }: Given = {}): Promise<string> {
    return fetchArchive(this.transport, `/api/v1/jobs/${segment(jobId)}/results.zip`, target, signal);
  }

  /** Holds a folder or ZIP of results to the signed manifest that lies in it, or to the one that the platform has of `job`. */
  async verifyFiles(path: string, { job = "", ...options }: LocalVerifyOptions = {}): Promise<Verified> {
    const source = await told(path, "read", () => sourceOf(path));
    try {
      const envelope = await manifestIn(source);
      const { statement, key } = await this.signed(job, { ...options, envelope });
      const verdict = await told(path, "read", () => check(this.machine, subjectsOf(statement), source));
      // Other files of one's own may lie in a folder; in an archive nothing has a reason to.
      if (!source.isArchive) verdict.unsigned = [];
      return verified(verdict, statement, key);
    } finally {
      await source.close();
    }
  }
}

async function manifestIn(source: Files): Promise<string | undefined> {
  if (!(await source.names()).has(MANIFEST)) return undefined;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const block of source.read(MANIFEST)) {
    pieces.push(block);
    size += block.length;
    if (size > MOST_MANIFEST_BYTES) throw new NotCheckableError("The manifest is too large to be one of Esteira's.");
  }
  return Buffer.concat(pieces).toString("utf8");
}

async function item<T extends { readonly source: Source | AnySource }>(one: T): Promise<T & Item> {
  return { ...one, source: typeof one.source === "string" ? await DiskFile.look(one.source) : one.source };
}

export * from "../index.js";
