// Plays tests/clients/scenario.json with the TypeScript client. Says each step, and ends at the first that is not as it should be.

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { appendFile, cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Esteira, EsteiraError, ProblemError, hasEnded, type File, type Job } from "@esteira/client";

interface Step {
  do: string;
  as?: string;
  expect?: Record<string, unknown>;
  refused?: { code: string; status?: number };
  content?: string;
  name?: string;
  path?: string;
  pipeline?: string;
  inputs?: string[];
  params?: Record<string, unknown>;
  labels?: Record<string, string>;
  key?: string;
  same_as?: string;
  job?: string;
  timeout_s?: number;
  file?: string;
  of?: string;
  spoil?: string;
  forge?: string;
}

interface Scenario {
  about: string;
  contents: Record<string, { text?: string; base64?: string; times?: number }>;
  steps: Step[];
}

const EVERY = ["do", "as", "expect", "refused"];
const WORDS: Record<string, { keys: string[]; play: (step: Step) => Promise<Record<string, unknown>> }> = {
  upload: { keys: ["content", "name", "path"], play: upload },
  run: { keys: ["pipeline", "inputs", "params", "name", "labels", "key", "same_as"], play: run },
  watch: { keys: ["job", "timeout_s"], play: watch },
  cancel: { keys: ["job"], play: async ({ job }) => ({ ...(await client.cancel(idOf(job))) }) },
  retry: { keys: ["job"], play: async ({ job }) => ({ ...(await client.retry(idOf(job))) }) },
  fetch: { keys: ["file"], play: fetchFile },
  download: { keys: ["job"], play: download },
  archive: { keys: ["job"], play: archive },
  verify: { keys: ["job", "of", "spoil", "forge"], play: verify },
};

const [, , scenarioFile = "", workFolder = ""] = process.argv;
const scenario = JSON.parse(await readFile(scenarioFile, "utf8")) as Scenario;
const client = new Esteira({ url: process.env["ESTEIRA_URL"] ?? "", token: process.env["ESTEIRA_TOKEN"] ?? "" });
const made = new Map<string, Record<string, unknown>>();
const keys = new Map<string, string>();

for (const [number, step] of scenario.steps.entries()) {
  const word = WORDS[step.do];
  assert(word, `step ${number}: no such word: ${step.do}`);
  const strange = Object.keys(step).filter((key) => !EVERY.includes(key) && !word.keys.includes(key));
  assert.deepEqual(strange, [], `step ${number}: ${step.do} knows no such keys`);
  if (step.refused) await refused(step, word.play(step));
  else done(step, await word.play(step));
  console.log(`${number} ${step.do} ${step.as ?? step.job ?? step.file ?? ""}`);
}
console.log(`played ${scenario.steps.length} steps`);

async function refused({ refused }: Step, call: Promise<unknown>): Promise<void> {
  const fault: unknown = await call.then(
    () => assert.fail("it was not refused"),
    (error: unknown) => error,
  );
  assert(fault instanceof EsteiraError, String(fault));
  assert.equal(fault.code, refused?.code, fault.message);
  if (refused?.status !== undefined) assert.equal(fault instanceof ProblemError && fault.status, refused.status);
}

function done(step: Step, answer: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(step.expect ?? {})) assert.deepEqual(answer[key], value, `${step.do}: ${key}`);
  if (step.as) made.set(step.as, answer);
}

function madeBy(name: string | undefined): Record<string, unknown> {
  const found = made.get(name ?? "");
  assert(found, `nothing was made by the name of ${name}`);
  return found;
}

function idOf(name: string | undefined): string {
  return String(madeBy(name)["id"]);
}

async function upload({ content = "", name, path }: Step): Promise<Record<string, unknown>> {
  const said = scenario.contents[content];
  assert(said, `no such content: ${content}`);
  const once = said.text === undefined ? Buffer.from(said.base64 ?? "", "base64") : Buffer.from(said.text);
  return { ...(await client.upload(Buffer.concat(Array<Buffer>(said.times ?? 1).fill(once)), { name, path })) };
}

async function run({ pipeline = "", inputs = [], params, name, labels, key, same_as: same }: Step): Promise<Record<string, unknown>> {
  if (key !== undefined && !keys.has(key)) keys.set(key, `${key}-${randomUUID()}`);
  const wish = { ...(params && { params }), ...(name !== undefined && { name }), ...(labels && { labels }) };
  const job = await client.run(pipeline, inputs.map(idOf), { ...wish, key: keys.get(key ?? "") });
  if (same !== undefined) assert.equal(job.id, idOf(same));
  return { ...job };
}

async function watch({ job, timeout_s: timeout = 60 }: Step): Promise<Record<string, unknown>> {
  let last: Job | undefined;
  for await (const now of client.watch(idOf(job), { signal: AbortSignal.timeout(timeout * 1000) })) last = now;
  assert(last && hasEnded(last), "the watch ended before the job");
  return { ...last };
}

async function fetchFile({ file }: Step): Promise<Record<string, unknown>> {
  const bytes = await (await client.content(idOf(file))).arrayBuffer();
  return { size: bytes.byteLength, sha256: sha256(Buffer.from(bytes)) };
}

async function download({ job }: Step): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(workFolder, "download-"));
  const paths = await client.download(idOf(job), folder);
  const results: File[] = await client.results(idOf(job));
  const there = await Promise.all(paths.map(async (path) => sha256(await readFile(path))));
  assert.deepEqual(there.sort(), results.map((one) => one.sha256).sort());
  return { folder, names: results.map(({ name }) => name).sort() };
}

async function archive({ job, expect }: Step): Promise<Record<string, unknown>> {
  const path = await client.downloadArchive(idOf(job), join(workFolder, `${randomUUID()}.zip`));
  const { good, isGood } = await client.verifyFiles(path, { job: idOf(job) });
  assert(isGood);
  const names = new Set([...good, "esteira-manifest.json"]);
  const bytes = await readFile(path);
  const holds = ((expect?.["holds"] ?? []) as string[]).filter((name) => names.has(name) && bytes.includes(name));
  return { holds };
}

async function verify({ job, of, spoil, forge }: Step): Promise<Record<string, unknown>> {
  const folder = await mkdtemp(join(workFolder, "verify-"));
  await cp(String(madeBy(of)["folder"]), folder, { recursive: true });
  if (spoil !== undefined) await appendFile(join(folder, spoil), " ");
  if (forge !== undefined) await writeFile(join(folder, "esteira-manifest.json"), forged(await client.manifest(idOf(job)), forge));
  const { good, changed, missing } = await client.verifyFiles(folder, { job: idOf(job) });
  return { good: good.sort(), changed: [...changed.keys()].sort(), missing: missing.sort() };
}

function forged(envelope: string, text: string): string {
  const said = JSON.parse(envelope) as { payload: string };
  const payload = Buffer.from(said.payload, "base64").toString();
  assert(payload.includes(text));
  return JSON.stringify({ ...said, payload: Buffer.from(payload.replace(text, ` ${text}`)).toString("base64") });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
