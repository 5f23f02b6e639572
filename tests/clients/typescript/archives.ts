// Holds each ZIP of this folder to a manifest of one file, signed here, and says what it found.

import { generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readdir } from "node:fs/promises";
import { Esteira, EsteiraError } from "@esteira/client";

const [, , sha256 = "", size = ""] = process.argv;
const JOB = "0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52";
const statement = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "tables/table.csv", digest: { sha256 }, annotations: { size: Number(size), file: JOB } }],
  predicate: { buildDefinition: { internalParameters: { job: JOB } } },
};
const kind = "application/vnd.in-toto+json";
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const payload = Buffer.from(JSON.stringify(statement));
const said = Buffer.concat([Buffer.from(`DSSEv1 ${kind.length} ${kind} ${payload.length} `), payload]);
const envelope = { payloadType: kind, payload: payload.toString("base64"), signatures: [{ keyid: "", sig: sign(null, said, privateKey).toString("base64") }] };

const server = createServer((_, response) => void response.end(JSON.stringify(envelope))).listen(0, "127.0.0.1");
await new Promise((ready) => server.once("listening", ready));
const client = new Esteira({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
const keys = publicKey.export({ format: "pem", type: "spki" }).toString();

const found: Record<string, unknown> = {};
for (const name of (await readdir(".")).filter((one) => one.endsWith(".zip"))) {
  try {
    const { good, changed, missing, unsigned } = await client.verifyFiles(name, { job: JOB, keys });
    found[name.replace(".zip", "")] = { good: good.length, changed: changed.size, missing: missing.length, unsigned: unsigned.length };
  } catch (fault) {
    if (!(fault instanceof EsteiraError)) throw fault;
    found[name.replace(".zip", "")] = fault.code;
  }
}
console.log(JSON.stringify(found));
server.close();
server.closeAllConnections();
