// What a browser and Node do differently, given to the client by its entry point.

import { EsteiraError } from "./errors.js";

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Of all that came, as lower-case hexadecimal. */
  hex(): Promise<string>;
}

export interface Machine {
  sha256(): Hasher;
  /** In base64: a digest that the platform's storage wants of a part. */
  digest(name: string, part: Blob): Promise<string>;
}

/** WebCrypto has no digest of pieces: what is hashed here is held in memory until it is complete. */
class WholeHasher implements Hasher {
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];

  update(bytes: Uint8Array): void {
    this.#pieces.push(bytes.slice());
  }

  async hex(): Promise<string> {
    return toHex(await crypto.subtle.digest("SHA-256", await new Blob(this.#pieces).arrayBuffer()));
  }
}

export const BROWSER: Machine = {
  sha256: () => new WholeHasher(),
  async digest(name, part) {
    if (name !== "sha256") throw unknownDigest(name);
    return toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer())));
  },
};

export function unknownDigest(name: string): EsteiraError {
  return new EsteiraError(`The platform's storage wants ${name} of every part, which this client cannot compute.`);
}

export function toHex(bytes: ArrayBuffer | Uint8Array): string {
  return Array.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Raises for what is no base64; takes the alphabet for addresses too. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
}
