// The calls of the upload resource. All of them may be repeated, so they go on until they get through.

import type { Api } from "../api.js";
import { answered, persistent } from "../api.js";
import { ProblemError, UploadEndedError, type EsteiraError, FileChangedError } from "../errors.js";
import type { Machine } from "../machine.js";
import { Patience, STUBBORN, sleep } from "../patience.js";
import type { File, PartWish, SignedPart, Upload, UploadConfig, UploadWish } from "../shapes.js";
import { isRefusal, type Transport } from "../transport.js";

const ASK_AGAIN_MS = 2_000;

export class Calls {
  constructor(
    readonly api: Api,
    readonly transport: Transport,
    readonly machine: Machine,
    readonly config: UploadConfig,
    readonly signal: AbortSignal,
  ) {}

  static async open(api: Api, transport: Transport, machine: Machine, signal: AbortSignal): Promise<Calls> {
    const config = await answered(transport, api.GET("/api/v1/uploads/config", { ...persistent(transport), signal }));
    return new Calls(api, transport, machine, config, signal);
  }

  /** The same calls, ended by another signal too. */
  until(signal: AbortSignal): Calls {
    return new Calls(this.api, this.transport, this.machine, this.config, AbortSignal.any([this.signal, signal]));
  }

  create(body: UploadWish, key?: string): Promise<Upload> {
    const header = key === undefined ? {} : { "idempotency-key": key };
    // Its place in the contract holds raw bodies too, so that TypeScript has to be told which of the two this is.
    return this.#ask(this.api.POST("/api/v1/uploads", { body: body as never, params: { header, query: {} as never }, ...this.#options() })) as Promise<Upload>;
  }

  async show(id: string): Promise<Upload> {
    try {
      return await this.#ask(this.api.GET("/api/v1/uploads/{upload_id}", { params: { path: { upload_id: id } }, ...this.#options() }));
    } catch (fault) {
      if (isRefusal(fault, 404)) throw new UploadEndedError("The platform does not know the upload any more.", "gone");
      throw fault;
    }
  }

  async sign(id: string, part: PartWish): Promise<SignedPart> {
    try {
      const params = { path: { upload_id: id } };
      const { parts } = await this.#ask(this.api.POST("/api/v1/uploads/{upload_id}/parts", { params, body: { parts: [part] }, ...this.#options() }));
      return parts[0] as SignedPart;
    } catch (fault) {
      if (isRefusal(fault, 404, 409, 410)) await this.openUpload(id);
      throw fault;
    }
  }

  /** Its state now. Rejects with UploadEndedError when it takes no more bytes. */
  async openUpload(id: string): Promise<Upload> {
    const upload = await this.show(id);
    if (upload.state !== "open") throw ended(upload);
    return upload;
  }

  /** Complete, or with its failure. Rejects with ProblemError `parts_missing`. */
  async complete(id: string, body: { crc64nvme: string; size?: number }): Promise<Upload> {
    try {
      const params = { path: { upload_id: id } };
      return await this.settled(await this.#ask(this.api.POST("/api/v1/uploads/{upload_id}/complete", { params, body, ...this.#options() })));
    } catch (fault) {
      if (!isRefusal(fault, 404, 409, 410) || fault.code === "parts_missing") throw fault;
      return this.settled(await this.show(id));
    }
  }

  /** Object storage may take minutes to join the parts. */
  async settled(upload: Upload): Promise<Upload> {
    while (upload.state === "completing") {
      await sleep(ASK_AGAIN_MS, this.signal);
      upload = await this.show(upload.id);
    }
    return upload;
  }

  /** As far as one try goes: an upload that nobody aborts expires by itself. */
  async abort(id: string): Promise<void> {
    const url = `${this.transport.url}/api/v1/uploads/${encodeURIComponent(id)}`;
    await this.transport.send(new Request(url, { method: "DELETE", redirect: "manual" }), { repeat: "never" }).catch(() => undefined);
  }

  patience(): Patience {
    return new Patience(STUBBORN, true);
  }

  #options(): ReturnType<typeof persistent> & { signal: AbortSignal } {
    return { ...persistent(this.transport), signal: this.signal };
  }

  #ask<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
    return answered(this.transport, call);
  }
}

export function ended(upload: Upload): EsteiraError {
  const why = upload.failure ? `: ${upload.failure.detail}` : ".";
  return new UploadEndedError(`The upload of ${upload.name} is ${upload.state}${why}`, upload.state);
}

/** Of an upload that takes no more bytes. Raises what became of it instead. */
export function fileOf(upload: Upload): File {
  if (upload.state === "complete" && upload.file) return upload.file;
  if (upload.state === "complete") throw new UploadEndedError(`${upload.name} was sent, and then deleted there.`, "deleted");
  if (upload.failure?.code === "checksum_mismatch") throw new FileChangedError(upload.name);
  throw ended(upload);
}

export function isProblem(fault: unknown, code: string): fault is ProblemError {
  return fault instanceof ProblemError && fault.code === code;
}

/** `1-57,60` as numbers. */
export function ranges(text: string | null | undefined): Set<number> {
  const found = new Set<number>();
  for (const piece of (text ?? "").split(",").filter(Boolean)) {
    const [first = "", last = first] = piece.split("-");
    for (let number = Number(first); number <= Number(last); number += 1) found.add(number);
  }
  return found;
}
