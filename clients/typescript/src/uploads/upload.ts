// One file in parts, sent in parallel; what has arrived before is only summed up.

import { combine, toText, type Summed } from "../crc64.js";
import { FileChangedError, RequestError, UploadEndedError } from "../errors.js";
import { chunks } from "../reading.js";
import type { File, Upload } from "../shapes.js";
import { fileOf, isProblem, ranges, type Calls } from "./calls.js";
import { Lanes } from "./lanes.js";
import { sendPart } from "./parts.js";
import { crcOf, fingerprintOf, wish, type Named, type Still, type Stream } from "./sources.js";

const ROUNDS = 3;
/** Nobody's wish: such an upload is begun anew. */
const OVER: ReadonlySet<string> = new Set(["expired", "gone"]);
/** What is read only once is held in memory, a part at a time, until the platform has it. */
const HELD_PART = 16 << 20;
const HELD = 3;

export interface Course {
  readonly calls: Calls;
  readonly lanes: Lanes;
  readonly workspace: string | undefined;
  /** Bytes that arrived, of all; as many as arrived for a stream. */
  readonly onProgress: (sent: number, total: number) => void;
}

export async function sendStill(course: Course, named: Named, file: Still): Promise<File> {
  const fingerprint = await fingerprintOf(named, file);
  for (let round = 1; ; round += 1) {
    const upload = await course.calls.create(wish(named, file, fingerprint, course.workspace));
    try {
      return fileOf(await course.calls.settled(upload.state === "open" ? await new Parts(course, file, upload).send() : upload));
    } catch (fault) {
      if (fault instanceof FileChangedError) await course.calls.abort(upload.id);
      if (!(fault instanceof UploadEndedError) || !OVER.has(fault.state) || round === ROUNDS) throw fault;
    }
  }
}

class Parts {
  readonly #course: Course;
  readonly #file: Still;
  readonly #upload: Upload;
  readonly #summed: Summed[] = [];
  readonly #failed = new AbortController();
  readonly #calls: Calls;
  #sent = 0;

  constructor(course: Course, file: Still, upload: Upload) {
    [this.#course, this.#file, this.#upload] = [course, file, upload];
    this.#calls = course.calls.until(this.#failed.signal);
  }

  async send(): Promise<Upload> {
    let there = ranges(this.#upload.received);
    for (let round = 1; ; round += 1) {
      await this.#sendParts(there);
      try {
        return await this.#complete();
      } catch (fault) {
        if (!isProblem(fault, "parts_missing") || round === ROUNDS) throw fault;
        const missing = ranges((fault.problem as { missing?: string }).missing);
        there = new Set(this.#numbers().filter((number) => !missing.has(number)));
        this.#sent = 0;
      }
    }
  }

  #numbers(): number[] {
    return Array.from({ length: this.#upload.part_count ?? 1 }, (_, at) => at + 1);
  }

  #piece(number: number): Promise<Blob> {
    const { part_size: size } = this.#upload;
    return this.#file.piece((number - 1) * size, Math.min(number * size, this.#file.size));
  }

  /** The first that fails ends the others, which are in vain then. */
  async #sendParts(there: ReadonlySet<number>): Promise<void> {
    const sending: Promise<void>[] = [];
    try {
      for (const number of this.#numbers()) {
        this.#calls.signal.throwIfAborted();
        const { done } = await this.#course.lanes.begin(() => this.#one(number, there.has(number)));
        done.catch((fault: unknown) => this.#failed.abort(fault));
        sending.push(done);
      }
      await Promise.all(sending);
    } finally {
      await Promise.allSettled(sending);
    }
  }

  async #one(number: number, isThere: boolean): Promise<void> {
    this.#calls.signal.throwIfAborted();
    const blob = await this.#piece(number);
    const { name } = this.#upload;
    const crc = isThere
      ? (this.#summed[number - 1]?.crc ?? (await crcOf(blob, name)))
      : await sendPart(this.#calls, { uploadId: this.#upload.id, number, blob, name, isUnsized: false });
    this.#summed[number - 1] = { crc, length: blob.size };
    this.#sent += blob.size;
    this.#course.onProgress(this.#sent, this.#file.size);
  }

  async #complete(): Promise<Upload> {
    await this.#file.requireSame();
    try {
      return await this.#calls.complete(this.#upload.id, { crc64nvme: toText(combine(this.#summed)) });
    } catch (fault) {
      if (isProblem(fault, "checksum_mismatch")) throw new FileChangedError(this.#upload.name, { cause: fault });
      throw fault;
    }
  }
}

export async function sendStream(course: Course, stream: Stream, named: Named): Promise<File> {
  const pieces = piecesOf(stream);
  const first = (await pieces.next()).value ?? new Blob();
  const { calls, workspace } = course;
  // Shorter than a part: that was all of it.
  const size = first.size < HELD_PART ? first.size : null;
  const upload = await calls.create({ ...named, size, part_size_hint: HELD_PART, ...(workspace && { workspace }) }, crypto.randomUUID());
  try {
    const summed = await sendPieces(course, upload, first, pieces);
    const whole = { crc64nvme: toText(combine(summed)), size: summed.reduce((sum, { length }) => sum + length, 0) };
    return fileOf(await calls.complete(upload.id, whole));
  } catch (fault) {
    // Nobody can go on with it: what was read is gone.
    await calls.abort(upload.id);
    throw fault;
  }
}

/** Ends what is still under way when one fails, or when the stream itself breaks. */
async function sendPieces({ calls: all, onProgress }: Course, upload: Upload, first: Blob, rest: AsyncIterable<Blob>): Promise<Summed[]> {
  const failed = new AbortController();
  const calls = all.until(failed.signal);
  const lanes = new Lanes(HELD);
  const { max_parts: most } = calls.config;
  const summed: Summed[] = [];
  const sending: Promise<void>[] = [];
  let sent = 0;
  async function send(number: number, blob: Blob): Promise<void> {
    const crc = await sendPart(calls, { uploadId: upload.id, number, blob, name: upload.name, isUnsized: upload.size === null });
    summed[number - 1] = { crc, length: blob.size };
    sent += blob.size;
    onProgress(sent, sent);
  }
  try {
    for await (const blob of chained(first, rest)) {
      calls.signal.throwIfAborted();
      const number = sending.length + 1;
      if (number > most) throw new RequestError(`${upload.name} is longer than ${most} parts; save it to a file and send that.`);
      const { done } = await lanes.begin(() => send(number, blob));
      done.catch((fault: unknown) => failed.abort(fault));
      sending.push(done);
    }
    await Promise.all(sending);
    return summed;
  } catch (fault) {
    failed.abort(fault);
    throw fault;
  } finally {
    await Promise.allSettled(sending);
  }
}

async function* chained(first: Blob, rest: AsyncIterable<Blob>): AsyncGenerator<Blob, void, undefined> {
  yield first;
  yield* rest;
}

/** Of exactly HELD_PART bytes, but for the last; at least one, be it empty. */
async function* piecesOf(stream: Stream): AsyncGenerator<Blob, void, undefined> {
  let held: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (let chunk of stream instanceof ReadableStream ? chunks(stream) : stream) {
    while (size + chunk.length > HELD_PART) {
      held.push(chunk.slice(0, HELD_PART - size));
      yield new Blob(held);
      chunk = chunk.subarray(HELD_PART - size);
      [held, size] = [[], 0];
    }
    held.push(chunk.slice());
    size += chunk.length;
  }
  yield new Blob(held);
}
