// All that one call sends: several files at a time, over so many lanes in all.

import type { Api } from "../api.js";
import { EsteiraError } from "../errors.js";
import type { Machine } from "../machine.js";
import type { File } from "../shapes.js";
import type { Transport } from "../transport.js";
import { Calls } from "./calls.js";
import { Lanes } from "./lanes.js";
import { isStream, nameOf, still, type AnySource } from "./sources.js";
import { sendStill, sendStream, type Course } from "./upload.js";

/** Files that are begun at a time. */
const FILES_AT_ONCE = 4;

export interface UploadOptions {
  /** Needed where the source has none. */
  readonly name?: string | undefined;
  /** Its folder there: photos/2026. */
  readonly path?: string | undefined;
  /** When bytes were last changed that do not say it themselves: by it, what was cut off is found again. */
  readonly modifiedMs?: number | undefined;
  readonly workspace?: string | undefined;
  readonly maxParallel?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that arrived, of all; as many as arrived for a stream. */
  readonly onProgress?: ((sent: number, total: number) => void) | undefined;
}

export type Item = { readonly source: AnySource } & UploadOptions;

/** `file` where it is on the platform, else `fault` says why not. */
export type Outcome = { readonly file: File; readonly fault?: undefined } | { readonly file?: undefined; readonly fault: EsteiraError };

export class Fleet {
  constructor(
    readonly api: Api,
    readonly transport: Transport,
    readonly machine: Machine,
    readonly options: UploadOptions,
  ) {}

  /** One that fails does not stop the others; the signal stops all. */
  async send(items: readonly Item[]): Promise<Outcome[]> {
    const { signal: given, maxParallel } = this.options;
    const failed = new AbortController();
    const signal = given ? AbortSignal.any([given, failed.signal]) : failed.signal;
    const calls = await Calls.open(this.api, this.transport, this.machine, signal);
    const lanes = new Lanes(Math.max(1, Math.min(maxParallel ?? Infinity, calls.config.max_parallel)));
    const crew = new Lanes(FILES_AT_ONCE);
    const sending: Promise<Outcome>[] = [];
    for (const item of items) {
      const workspace = item.workspace ?? this.options.workspace;
      const course: Course = { calls, lanes, workspace, onProgress: item.onProgress ?? (() => undefined) };
      sending.push((await crew.begin(() => outcome(send(course, item)))).done);
    }
    try {
      return await Promise.all(sending);
    } catch (fault) {
      failed.abort(fault); // an error that is nobody's outcome, as of a stream that broke: the others end with it
      throw fault;
    }
  }
}

async function send(course: Course, { source, name: given, path = "", modifiedMs }: Item): Promise<File> {
  const named = { name: nameOf(source, given), path };
  if (isStream(source)) return sendStream(course, source, named);
  return sendStill(course, named, still(source, named.name, modifiedMs));
}

async function outcome(sending: Promise<File>): Promise<Outcome> {
  try {
    return { file: await sending };
  } catch (fault) {
    if (fault instanceof EsteiraError) return { fault };
    throw fault;
  }
}
