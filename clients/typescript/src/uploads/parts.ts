// One part on its way: sent, and sent again, until the platform has it or says never.

import { toText } from "../crc64.js";
import { EsteiraError, FileChangedError } from "../errors.js";
import { reasonOf, sleep, type Patience } from "../patience.js";
import type { PartWish, SignedPart } from "../shapes.js";
import { ranges, type Calls } from "./calls.js";
import { crcOf, requireReadable } from "./sources.js";
import { readAnswer, type Answer, type Verdict } from "./verdicts.js";

/** A signed address lives for 15 minutes; one that waited longer than this is asked for anew before a byte is sent. */
const FRESH_MS = 600_000;
const MOST_IN_A_ROW: Partial<Record<Verdict, number>> = { read: 3, sign: 5, look: 10 };
/** Of a part that goes nowhere: a line of 64 KiB/s is let live. */
const SLOWEST_BYTES_PER_MS = 64;
const ANSWER_MS = 60_000;

export interface Part {
  readonly uploadId: string;
  readonly number: number;
  readonly blob: Blob;
  /** What people call the source. */
  readonly name: string;
  /** Of an upload that was begun without a size. */
  readonly isUnsized: boolean;
}

/** Resolves to the part's CRC when the platform has it. Rejects with UploadEndedError, FileChangedError, or what was refused. */
export async function sendPart(calls: Calls, part: Part): Promise<bigint> {
  const sender = new PartSender(calls, part, await crcOf(part.blob, part.name));
  return sender.send();
}

class PartSender {
  readonly #calls: Calls;
  readonly #part: Part;
  #crc: bigint;
  #signed: SignedPart | null = null;
  #signedAt = 0;
  #patience: Patience;

  constructor(calls: Calls, part: Part, crc: bigint) {
    [this.#calls, this.#part, this.#crc, this.#patience] = [calls, part, crc, calls.patience()];
  }

  async send(): Promise<bigint> {
    const seen = new Map<Verdict, number>();
    for (;;) {
      const answer = await this.#put();
      const { verdict, code } = answer;
      if (verdict === "arrived") return this.#crc;
      if (verdict === "wait" || code === "part_busy") seen.clear();
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1);
      const isTooOften = verdict !== "wait" && code !== "part_busy" && (seen.get(verdict) ?? 0) > (MOST_IN_A_ROW[verdict] ?? 1);
      if (verdict === "never" || isTooOften) throw this.#refusal(answer);
      if (await this.#prepare(answer)) return this.#crc;
    }
  }

  async #put(): Promise<Answer> {
    const { url, method, headers } = await this.#fresh();
    const { signal } = this.#calls;
    const limit = AbortSignal.timeout(ANSWER_MS + Math.ceil(this.#part.blob.size / SLOWEST_BYTES_PER_MS));
    try {
      // Without our token: the address is the permission.
      const address = new URL(url, `${this.#calls.transport.url}/`);
      const answer = await fetch(address, { method, headers, body: this.#part.blob, redirect: "error", signal: AbortSignal.any([signal, limit]) });
      return await readAnswer(answer);
    } catch (fault) {
      if (signal.aborted) throw reasonOf(signal);
      await requireReadable(this.#part.blob, this.#part.name);
      return { verdict: "wait", code: "", told: (fault as Error).message, waitMs: 0 };
    }
  }

  async #fresh(): Promise<SignedPart> {
    if (!this.#signed || Date.now() - this.#signedAt > FRESH_MS) {
      this.#signed = await this.#calls.sign(this.#part.uploadId, await this.#asked());
      this.#signedAt = Date.now();
    }
    return this.#signed;
  }

  /** What signs it: the checksums that the platform's storage wants of a part. */
  async #asked(): Promise<PartWish> {
    const { number, blob, isUnsized } = this.#part;
    const { config, machine } = this.#calls;
    const said: PartWish & Record<string, unknown> = { number, crc64nvme: toText(this.#crc), ...(isUnsized && { size: blob.size }) };
    for (const name of config.checksums) said[name] ??= await machine.digest(name, blob);
    return said;
  }

  /** The next try. True: none is needed, because an answer was lost and the bytes are there. */
  async #prepare({ verdict, waitMs }: Answer): Promise<boolean> {
    this.#signed = null;
    if (verdict === "sign") return false;
    if (verdict === "read") {
      this.#crc = await crcOf(this.#part.blob, this.#part.name);
      return false;
    }
    await sleep(this.#patience.pauseMs({ atLeastMs: waitMs, withinMs: Infinity }) ?? 0, this.#calls.signal);
    const upload = await this.#calls.openUpload(this.#part.uploadId);
    return ranges(upload.received).has(this.#part.number);
  }

  #refusal({ verdict, code, told }: Answer): EsteiraError {
    const { name } = this.#part;
    return verdict === "read" ? new FileChangedError(name) : new EsteiraError(`${name} was refused: ${told}`, code || "refused");
  }
}
