// The bytes of a file as they come, from the platform or from the object storage that it leads to.

import { DamagedTransferError, RequestError } from "./errors.js";
import type { Machine } from "./machine.js";
import { Patience } from "./patience.js";
import { CutError, reading } from "./reading.js";
import type { File } from "./shapes.js";
import { isRefusal, segment, type Transport } from "./transport.js";

export function contentPath(fileId: string): string {
  return `/api/v1/files/${segment(fileId)}/content`;
}

/** Followed to object storage; what fetches leaves the token behind where another host is led to. */
export async function fetched(transport: Transport, path: string, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<Response> {
  const request = new Request(`${transport.url}${path}`, { headers, signal: signal ?? null });
  try {
    return await transport.required(request, { repeat: "always", isStream: true });
  } catch (fault) {
    if (isRefusal(fault, 404)) throw new RequestError("The file is not kept any more (deleted or expired).", "not_found");
    throw fault;
  }
}

/** Rejects with CutError when the connection breaks. */
export async function* content(transport: Transport, fileId: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const response = await fetched(transport, contentPath(fileId), {}, signal);
  yield* reading(response.body, signal);
}

/** For whom nothing can be done about a connection that breaks but to say so. */
export async function* contentOnce(transport: Transport, fileId: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* content(transport, fileId, signal);
  } catch (fault) {
    throw fault instanceof CutError ? transport.unreachable(fault) : fault;
  }
}

/** Begun again when the connection breaks; held to the digest that the platform keeps. */
export async function contentBlob(transport: Transport, machine: Machine, file: File, signal: AbortSignal | undefined): Promise<Blob> {
  let patience = new Patience();
  for (let damaged = 0; ; ) {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const hasher = machine.sha256();
    try {
      for await (const block of content(transport, file.id, signal)) {
        pieces.push(block.slice());
        hasher.update(block);
      }
    } catch (fault) {
      if (!(fault instanceof CutError)) throw fault;
      if (pieces.length) patience = new Patience(); // only a connection that brings nothing at all uses patience up
      await transport.waitOrThrow(fault, patience, signal);
      continue;
    }
    const blob = new Blob(pieces, { type: file.media_type ?? "" });
    if (isAsKept(file, blob.size, await hasher.hex())) return blob;
    damaged += 1;
    if (damaged === 2) throw arrivedDamaged(file);
  }
}

export function isAsKept(file: File, size: number, sha256: string): boolean {
  return size === file.size && (!file.sha256 || file.sha256 === sha256);
}

export function arrivedDamaged(file: File): DamagedTransferError {
  return new DamagedTransferError(
    `${file.name} arrived damaged, twice, and was thrown away. Something between here and the platform changes the bytes; try another network.`,
  );
}
