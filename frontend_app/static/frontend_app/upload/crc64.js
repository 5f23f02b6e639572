// CRC64NVME as S3 writes it (ae8b14860a799888 for "123456789"): eight bytes a step, in halves of 32 bits. A value is a BigInt.

const POLYNOMIAL = 0x9a6c9329ac4bc9b5n; // reflected
const ONES = 0xffffffffffffffffn;
const SLICES = 8;
const LOW = new Int32Array(SLICES * 256);
const HIGH = new Int32Array(SLICES * 256);

for (let byte = 0; byte < 256; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = value & 1n ? (value >> 1n) ^ POLYNOMIAL : value >> 1n;
  LOW[byte] = Number(value & 0xffffffffn);
  HIGH[byte] = Number(value >> 32n);
}
for (let at = 256; at < SLICES * 256; at += 1) {
  const low = LOW[at - 256], high = HIGH[at - 256];
  LOW[at] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255];
  HIGH[at] = (high >>> 8) ^ HIGH[low & 255];
}

// The CRC of what `crc` covers followed by `bytes`, a Uint8Array.
export function update(bytes, crc = 0n) {
  let low = Number((crc ^ ONES) & 0xffffffffn) | 0;
  let high = Number((crc ^ ONES) >> 32n) | 0;
  // Whole words where they lie: pieces of files begin at 0, and every processor that runs a browser is little-endian.
  const aligned = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, (bytes.length >> 3) * 2);
  const end = words.length * 4;
  for (let at = 0; at < words.length; at += 2) {
    low ^= words[at];
    high ^= words[at + 1];
    const a = 1792 + (low & 255), b = 1536 + ((low >>> 8) & 255), c = 1280 + ((low >>> 16) & 255), d = 1024 + (low >>> 24);
    const e = 768 + (high & 255), f = 512 + ((high >>> 8) & 255), g = 256 + ((high >>> 16) & 255), h = high >>> 24;
    low = LOW[a] ^ LOW[b] ^ LOW[c] ^ LOW[d] ^ LOW[e] ^ LOW[f] ^ LOW[g] ^ LOW[h];
    high = HIGH[a] ^ HIGH[b] ^ HIGH[c] ^ HIGH[d] ^ HIGH[e] ^ HIGH[f] ^ HIGH[g] ^ HIGH[h];
  }
  for (let at = end; at < bytes.length; at += 1) {
    const byte = (low ^ bytes[at]) & 255;
    low = ((low >>> 8) | (high << 24)) ^ LOW[byte];
    high = (high >>> 8) ^ HIGH[byte];
  }
  return ((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) ^ ONES;
}

// Of polynomials modulo ours; the highest bit is x to the power 0.
function multiply(a, b) {
  let product = 0n;
  for (let bit = 1n << 63n; bit; bit >>= 1n) {
    if (a & bit) product ^= b;
    b = b & 1n ? (b >> 1n) ^ POLYNOMIAL : b >> 1n;
  }
  return product;
}

const shifts = new Map(); // parts have one length but for the last
function shift(length) {
  if (!shifts.has(length)) {
    let power = 1n << 63n, square = 1n << 55n; // 1, and x to the power 8
    for (let left = BigInt(length); left; left >>= 1n) {
      if (left & 1n) power = multiply(power, square);
      square = multiply(square, square);
    }
    shifts.set(length, power);
  }
  return shifts.get(length);
}

// The CRC of the whole from [crc, length] of consecutive parts.
export function combine(parts) {
  return parts.reduce((whole, [crc, length]) => multiply(whole, shift(length)) ^ crc, 0n);
}

// As on the wire: base64 of eight bytes, big-endian.
export function toText(crc) {
  return btoa(String.fromCharCode(...Array.from({ length: 8 }, (_, at) => Number((crc >> BigInt(56 - 8 * at)) & 255n))));
}

export function fromText(text) {
  return Array.from(atob(text)).reduce((crc, char) => (crc << 8n) | BigInt(char.charCodeAt(0)), 0n);
}
