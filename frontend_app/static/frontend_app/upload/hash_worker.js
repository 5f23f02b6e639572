// Reads files and computes their checksums, away from the page. In: {id, blobs, also} or {id, parts}; out: {id, answer}.

import { combine, fromText, toText, update } from "./crc64.js";

const PIECE = 4 << 20; // bytes in memory at a time

// Fetched only where a storage asks for one. Not crypto.subtle, which takes all bytes at once and wants HTTPS.
const OTHERS = {
  sha256: async () => (await import("../vendor/noble-hashes/sha2.js")).sha256.create(),
  md5: async () => (await import("../vendor/noble-hashes/legacy.js")).md5.create(),
};

async function checksum(blob, also) {
  const other = also ? await OTHERS[also]() : null;
  let crc = 0n;
  for (let at = 0; at < blob.size; at += PIECE) {
    const bytes = new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer());
    crc = update(bytes, crc);
    other?.update(bytes);
  }
  return { crc: toText(crc), digest: other ? btoa(String.fromCharCode(...other.digest())) : "" };
}

async function checksums(blobs, also) {
  const found = [];
  for (const blob of blobs) {
    // What cannot be read is said of that file alone.
    found.push(await checksum(blob, also).catch((error) => ({ error: error.name })));
  }
  return found;
}

self.addEventListener("message", async ({ data: { id, blobs, also, parts } }) => {
  const answer = blobs ? await checksums(blobs, also) : toText(combine(parts.map(([crc, length]) => [fromText(crc), length])));
  self.postMessage({ id, answer });
});
