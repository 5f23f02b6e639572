// Brings one part to where it belongs, however often that takes.

import { mayPass, Problem } from "./api.js";
import { put as send } from "./transfer.js";
import * as words from "./words.js";

const READINGS = 3;
const BROKEN = new Set(["checksum_mismatch", "BadDigest", "wrong_length"]);

// The file cannot be read any more; `name` is the browser's for why.
export class Unreadable extends Error {
  constructor(name) {
    super(words.unreadable(name));
    this.isChanged = true;
  }
}

// Resolves to its checksum. Raises Problem, Unreadable, AbortError; a Problem of 404, 409 or 410: ask for the upload's state.
export async function deliver(queue, item, { number, blob, signed = null, crc = null }) {
  const { signal } = item.controller;
  const who = Symbol(item.name);
  const { also } = queue;
  let readings = 0, digest = "";
  for (let tries = 0; ; tries += 1) {
    if (!signed && (crc === null || (also && !digest))) ({ crc, digest } = await checksums(queue, blob, signal));
    signed ??= await sign(queue, item, { number, crc64nvme: crc, ...(also && { [also]: digest }) }, signal);
    const answer = await send(signed, blob, { signal, onProgress: (bytes) => queue.moved(item, number, bytes) });
    if ((answer.status >= 200 && answer.status < 300) || answer.status === 412) { // 412: it was there already
      queue.patience.over(who);
      return crc;
    }
    item.flying.delete(number);
    if (answer.status === 403 && answer.code === "signature_expired") {
      signed = null;
    } else if (answer.status === 400 && BROKEN.has(answer.code)) {
      readings += 1;
      if (readings === READINGS) throw Object.assign(new Problem(400, { detail: words.CHANGED_ON_THE_WAY }), { isChanged: true });
      crc = signed = null;
      digest = "";
    } else if (mayPass(answer.status) || answer.code === "part_busy") {
      await readable(blob); // a changed file looks like a broken connection
      await queue.patience.wait(who, tries, { why: words.trouble(answer.status, answer), signal });
    } else {
      queue.patience.over(who);
      throw new Problem(answer.status, answer);
    }
  }
}

export async function checksum(queue, blob, signal) {
  return (await checksums(queue, blob, signal)).crc;
}

// With the digest that the storage asks for.
async function checksums(queue, blob, signal) {
  const [found] = await queue.hasher.checksums([blob], queue.also);
  signal.throwIfAborted();
  if (found.error) throw new Unreadable(found.error);
  return found;
}

async function sign(queue, item, part, signal) {
  const { parts } = await queue.api.call("POST", `/${item.upload.id}/parts`, { parts: [part] }, { signal });
  return parts[0];
}

async function readable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch (error) {
    throw new Unreadable(error.name);
  }
}
