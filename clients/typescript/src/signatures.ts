// Whether a manifest was signed by a key of the platform: DSSE with Ed25519, checked here and not by the platform.

import { BadSignatureError, NotCheckableError } from "./errors.js";
import { fromBase64, toHex } from "./machine.js";

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const STATEMENT = "https://in-toto.io/Statement/v1";
const PEM = "-----BEGIN PUBLIC KEY-----";
/** RFC 8410: what stands before the 32 bytes of an Ed25519 public key. */
const DER = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const RAW_LENGTH = 32;

export interface Key {
  readonly id: string;
  readonly raw: Uint8Array<ArrayBuffer>;
  /** When and why; what it signed counts no more. "" for a good key. */
  readonly revoked: string;
}

export interface Statement {
  readonly _type: string;
  readonly subject: unknown;
  readonly predicate: unknown;
}

interface Signature {
  readonly keyid: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A JSON Web Key Set, as `/api/v1/signing-keys` answers, or one public key in PEM. */
export async function readKeys(text: string): Promise<Key[]> {
  try {
    if (text.trimStart().startsWith(PEM)) return [await fromPem(text)];
    const { keys } = JSON.parse(text) as { keys: Record<string, unknown>[] };
    return await Promise.all(keys.map(fromJwk));
  } catch (fault) {
    throw new NotCheckableError("These are no keys: a JSON Web Key Set or a public key in PEM is needed (see /api/v1/signing-keys).", { cause: fault });
  }
}

async function fromJwk(key: Record<string, unknown>): Promise<Key> {
  const raw = fromBase64(key["x"] as string);
  if (raw.length !== RAW_LENGTH) throw new TypeError("no Ed25519 key");
  const when = key["revoked_at"] ? String(key["revoked_at"]).slice(0, 10) : "";
  return { id: await idOf(raw), raw, revoked: when && `${when}: ${String(key["revoked_reason"] ?? "no reason is given")}` };
}

async function fromPem(text: string): Promise<Key> {
  const der = fromBase64(text.trim().split(/\r?\n/).slice(1, -1).join(""));
  const raw = der.slice(DER.length);
  if (raw.length !== RAW_LENGTH || DER.some((byte, at) => der[at] !== byte)) throw new TypeError("no Ed25519 key");
  return { id: await idOf(raw), raw, revoked: "" };
}

async function idOf(raw: Uint8Array): Promise<string> {
  return toHex(await crypto.subtle.digest("SHA-256", Uint8Array.from([...DER, ...raw])));
}

/** The statement and the key that signed it. Rejects with BadSignatureError or NotCheckableError. */
export async function opened(envelope: string, keys: readonly Key[]): Promise<{ statement: Statement; key: Key }> {
  const { kind, payload, signatures } = read(envelope);
  const key = await signer(preAuthentication(kind, payload), signatures, keys);
  if (key.revoked) throw new BadSignatureError(`The key that signed this was revoked on ${key.revoked}. Nothing it signed counts.`);
  return { statement: statementOf(kind, payload), key };
}

function read(envelope: string): { kind: string; payload: Uint8Array<ArrayBuffer>; signatures: Signature[] } {
  try {
    const said = JSON.parse(envelope) as { payloadType: unknown; payload: string; signatures: { keyid?: unknown; sig: string }[] };
    const signatures = said.signatures.map(({ keyid, sig }) => ({ keyid: String(keyid ?? ""), bytes: fromBase64(sig) }));
    return { kind: String(said.payloadType), payload: fromBase64(said.payload), signatures };
  } catch (fault) {
    throw new NotCheckableError("This is no manifest: not a DSSE envelope.", { cause: fault });
  }
}

/** Only after its signature was found good. */
function statementOf(kind: string, payload: Uint8Array): Statement {
  const statement = kind === PAYLOAD_TYPE ? (JSON.parse(new TextDecoder().decode(payload)) as Statement) : undefined;
  if (statement?._type !== STATEMENT) throw new NotCheckableError(`What is signed is no in-toto statement but ${JSON.stringify(kind)}.`);
  return statement;
}

function preAuthentication(kind: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder();
  const head = bytes.encode(`DSSEv1 ${bytes.encode(kind).length} ${kind} ${payload.length} `);
  const said = new Uint8Array(head.length + payload.length);
  said.set(head);
  said.set(payload, head.length);
  return said;
}

async function signer(said: Uint8Array<ArrayBuffer>, signatures: readonly Signature[], keys: readonly Key[]): Promise<Key> {
  for (const { bytes } of signatures) {
    for (const key of keys) {
      const known = await crypto.subtle.importKey("raw", key.raw, "Ed25519", false, ["verify"]);
      if (await crypto.subtle.verify("Ed25519", known, bytes, said)) return key;
    }
  }
  const named = new Set(signatures.map(({ keyid }) => keyid));
  if (keys.some(({ id }) => named.has(id))) {
    throw new BadSignatureError("The signature does not fit: the manifest was changed after it was signed.");
  }
  const told = [...named].map((id) => id.slice(0, 16)).sort().join(", ") || "nobody";
  throw new BadSignatureError(`The manifest is signed by ${told}, which is no key of this platform.`);
}
