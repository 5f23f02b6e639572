// Reads files and computes their checksums, away from the page. In: {id, blobs} or {id, parts}; out: {id, answer}.

import { combine, fromText, toText, update } from "./crc64.js";

const PIECE = 4 << 20; // bytes in memory at a time

async function checksum(blob) {
  let crc = 0n;
  for (let at = 0; at < blob.size; at += PIECE) {
    crc = update(new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()), crc);
  }
  return toText(crc);
}

async function checksums(blobs) {
  const found = [];
  for (const blob of blobs) {
    // What cannot be read is said of that file alone.
    found.push(await checksum(blob).then((crc) => ({ crc }), (error) => ({ error: error.name })));
  }
  return found;
}

self.addEventListener("message", async ({ data: { id, blobs, parts } }) => {
  const answer = blobs ? await checksums(blobs) : toText(combine(parts.map(([crc, length]) => [fromText(crc), length])));
  self.postMessage({ id, answer });
});
