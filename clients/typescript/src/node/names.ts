// Names that a server sent, made safe to create below a folder of ours.

const LONGEST_BYTES = 200;
// Control and direction characters, and what Windows refuses in a name.
const FORBIDDEN = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>:"|?*]|\p{Surrogate}/gu;
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** `../../etc/passwd` becomes etc, passwd; there is always at least one part. */
export function safeParts(name: string): string[] {
  const parts = name.split(/[/\\]/).filter((part) => part.replace(/[ .]/g, ""));
  return parts.length ? parts.map(safePart) : ["file"];
}

function safePart(part: string): string {
  const bare = part.normalize("NFC").replace(FORBIDDEN, "_").replace(/^ +/, "").replace(/[. ]+$/, "");
  // No hidden files: `.envrc` in the folder where somebody works would be run, not read.
  const shown = bare.replace(/^\.+/, "_");
  return shortened(RESERVED.test(shown) ? `_${shown}` : shown);
}

function shortened(part: string): string {
  const bytes = Buffer.from(part);
  if (bytes.length <= LONGEST_BYTES) return part;
  const dot = part.lastIndexOf(".");
  const isEnding = dot > 0 && Buffer.byteLength(part.slice(dot + 1)) <= 16; // longer is no ending
  const ending = isEnding ? part.slice(dot) : "";
  const room = LONGEST_BYTES - Buffer.byteLength(ending);
  return new TextDecoder().decode(bytes.subarray(0, room)).replace(/\ufffd+$/, "") + ending;
}

/** Number 1 is the name itself, number 2 is `report-2.html`. */
export function withNumber(parts: readonly string[], number: number): string[] {
  const last = parts.at(-1) ?? "file";
  if (number === 1) return [...parts];
  const dot = last.lastIndexOf(".");
  const numbered = dot > 0 ? `${last.slice(0, dot)}-${number}${last.slice(dot)}` : `${last}-${number}`;
  return [...parts.slice(0, -1), numbered];
}
