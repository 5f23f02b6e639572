// Many small files in one request: each costs less than its request would.

import { post } from "./transfer.js";

const MOST_FILES = 64;
const MOST_BYTES = 1 << 20; // lost, when a connection breaks
const MOST_OF_ONE = 256 << 10;

// How many of the first ones go in the next request; 1: the first one goes alone.
export function fits(ones, most) {
  let bytes = 0, files = 0;
  for (const { item, signed, isAlone } of ones.slice(0, MOST_FILES)) {
    if (isAlone || !signed || item.size > MOST_OF_ONE) break;
    bytes += item.size + line(item, signed).length;
    if (bytes > Math.min(most, MOST_BYTES)) break;
    files += 1;
  }
  return Math.max(1, files);
}

// For each, whether its bytes are there now. One try, and no reason given: who goes alone afterwards hears it.
export async function together(queue, ones) {
  const body = new Blob(ones.flatMap(({ item, signed }) => [line(item, signed), item.file]));
  try {
    const { status, results } = await post(`${queue.api.base}:put`, body, {
      signal: whenAll(ones.map(({ signal }) => signal)),
      onProgress: (bytes) => share(queue, ones, bytes),
    });
    const arrived = ones.map((_, at) => status === 200 && results?.[at]?.problem === null);
    arrived.forEach((is, at) => { if (!ones[at].signal.aborted) queue.moved(ones[at].item, 1, is ? ones[at].item.size : 0); });
    return arrived;
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    return ones.map(() => false);
  }
}

function line(item, signed) {
  return `${item.size} ${signed.url}\n`;
}

// They go out in this order.
function share(queue, ones, bytes) {
  let left = bytes;
  for (const { item, signal, signed } of ones) {
    left -= line(item, signed).length;
    const sent = Math.max(0, Math.min(item.size, left));
    if (!signal.aborted && item.flying.get(1) !== sent) queue.moved(item, 1, sent);
    left -= item.size;
    if (left <= 0) return;
  }
}

// Aborted when nobody wants any of it: one file that is taken back does not stop the others.
function whenAll(signals) {
  const all = new AbortController();
  const look = () => { if (signals.every(({ aborted }) => aborted)) all.abort(); };
  for (const signal of signals) signal.addEventListener("abort", look, { once: true });
  look();
  return all.signal;
}
