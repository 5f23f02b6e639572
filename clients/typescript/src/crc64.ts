// CRC64NVME as S3 writes it (ae8b14860a799888 for "123456789"): eight bytes a step, in halves of 32 bits.

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n; // reflected
const ONES = 0xffffffffffffffffn;
const LOW = new Int32Array(8 * 256);
const HIGH = new Int32Array(8 * 256);

for (let byte = 0; byte < 256; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n;
  LOW[byte] = Number(value & 0xffffffffn);
  HIGH[byte] = Number(value >> 32n);
}
for (let at = 256; at < LOW.length; at += 1) {
  const low = LOW[at - 256]!;
  const high = HIGH[at - 256]!;
  LOW[at] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255]!;
  HIGH[at] = (high >>> 8) ^ HIGH[low & 255]!;
}

/** Of nothing. */
export const EMPTY = 0n;

/** The CRC of what `crc` covers followed by `bytes`. */
export function update(bytes: Uint8Array, crc: bigint = EMPTY): bigint {
  let low = Number((crc ^ ONES) & 0xffffffffn) | 0;
  let high = Number((crc ^ ONES) >> 32n) | 0;
  // Whole words where they lie; every processor that runs a browser is little-endian.
  const aligned = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, (aligned.length >> 3) * 2);
  const table = LOW;
  const upper = HIGH;
  for (let at = 0; at < words.length; at += 2) {
    low ^= words[at]!;
    high ^= words[at + 1]!;
    const a = 1792 + (low & 255), b = 1536 + ((low >>> 8) & 255), c = 1280 + ((low >>> 16) & 255), d = 1024 + (low >>> 24);
    const e = 768 + (high & 255), f = 512 + ((high >>> 8) & 255), g = 256 + ((high >>> 16) & 255), h = high >>> 24;
    low = table[a]! ^ table[b]! ^ table[c]! ^ table[d]! ^ table[e]! ^ table[f]! ^ table[g]! ^ table[h]!;
    high = upper[a]! ^ upper[b]! ^ upper[c]! ^ upper[d]! ^ upper[e]! ^ upper[f]! ^ upper[g]! ^ upper[h]!;
  }
  for (let at = words.length * 4; at < aligned.length; at += 1) {
    const byte = (low ^ aligned[at]!) & 255;
    low = ((low >>> 8) | (high << 24)) ^ table[byte]!;
    high = (high >>> 8) ^ upper[byte]!;
  }
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) ^ ONES;
}

/** Of polynomials modulo ours; the highest bit is x to the power 0. */
function multiply(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let bit = 1n << 63n; bit; bit >>= 1n) {
    if (a & bit) product ^= b;
    b = b & 1n ? (b >> 1n) ^ POLYNOMIAL : b >> 1n;
  }
  return product;
}

function shift(length: number): bigint {
  let power = 1n << 63n; // 1
  let square = 1n << 55n; // x to the power 8
  for (let left = BigInt(length); left; left >>= 1n) {
    if (left & 1n) power = multiply(power, square);
    square = multiply(square, square);
  }
  return power;
}

export interface Summed {
  readonly crc: bigint;
  readonly length: number;
}

/** The CRC of the whole from those of consecutive parts, without reading a byte. */
export function combine(parts: readonly Summed[]): bigint {
  const shifts = new Map<number, bigint>(); // parts have one length but for the last
  return parts.reduce((whole, { crc, length }) => {
    const by = shifts.get(length) ?? shift(length);
    shifts.set(length, by);
    return multiply(whole, by) ^ crc;
  }, EMPTY);
}

/** As on the wire: base64 of eight bytes, big-endian. */
export function toText(crc: bigint): string {
  return btoa(String.fromCharCode(...Array.from({ length: 8 }, (_, at) => Number((crc >> BigInt(56 - 8 * at)) & 255n))));
}
