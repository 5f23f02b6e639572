// The client: one method for each thing a program does every day, and `api` for every other call of the contract.

import { answered, apiOf, once, repeatable, type Api } from "./api.js";
import { contentBlob, contentOnce } from "./contents.js";
import { follow, type Following, type News } from "./events.js";
import { NotCheckableError, RequestError } from "./errors.js";
import { BROWSER, type Machine } from "./machine.js";
import { reasonOf } from "./patience.js";
import { hasEnded, type Event, type File, type Job, type JobWish, type Me, type ResubmitWish } from "./shapes.js";
import { opened, readKeys } from "./signatures.js";
import { segment, Transport } from "./transport.js";
import { Fleet, type Outcome, type UploadOptions } from "./uploads/fleet.js";
import type { AnySource } from "./uploads/sources.js";
import { judge, newVerdict, requireJob, subjectsOf, verified, type Verdict, type Verified } from "./verifying.js";
import { watch } from "./watching.js";

const PAGE = 200;

export interface Options {
  /** Of the platform, such as https://esteira.example. */
  readonly url: string;
  /** A token, or what gives one for each call. */
  readonly token?: string | (() => string | Promise<string>);
  /** How long a call goes on with a platform that is busy or does not answer. Uploads go on without end. */
  readonly patienceMs?: number;
}

export interface Given {
  readonly signal?: AbortSignal | undefined;
}

export interface RunOptions extends JobWish, Given {
  /** Give the same key again and it is the same job, however often the connection breaks. */
  readonly key?: string | undefined;
}

export interface WaitOptions extends Given {
  readonly timeoutMs?: number | undefined;
}

export interface VerifyOptions extends Given {
  /** Public keys to trust: a JSON Web Key Set or one key in PEM. Without it, those of the platform. */
  readonly keys?: string | undefined;
}

export class Esteira {
  /** Every call of the contract: `api.GET("/api/v1/jobs", …)` answers `{ data, error, response }`. */
  readonly api: Api;
  protected readonly transport: Transport;
  protected readonly machine: Machine = BROWSER;

  constructor({ url, token = "", patienceMs = 60_000 }: Options) {
    this.transport = new Transport(url, token, patienceMs);
    this.api = apiOf(this.transport);
  }

  me({ signal }: Given = {}): Promise<Me> {
    return this.ask(this.api.GET("/api/v1/me", said(signal)));
  }

  /** A file, or anything that gives bytes. A file that was cut off goes on where it stopped when it is uploaded again. */
  async upload(source: AnySource, options: UploadOptions = {}): Promise<File> {
    const [outcome] = await this.uploadMany([{ source, ...options }], options);
    if (outcome?.file) return outcome.file;
    throw outcome?.fault ?? new RequestError("Nothing was given to send.");
  }

  /** Any number at once. Of each, in order, its file or what went wrong. */
  uploadMany(items: readonly ({ readonly source: AnySource } & UploadOptions)[], options: UploadOptions = {}): Promise<Outcome[]> {
    return new Fleet(this.api, this.transport, this.machine, options).send(items);
  }

  /** Starts a job over files that were uploaded. */
  async run(pipeline: string, inputs: readonly (string | File)[], { key, signal, ...wish }: RunOptions = {}): Promise<Job> {
    const ids = inputs.map((one) => (typeof one === "string" ? one : one.id));
    const call = this.api.POST("/api/v1/jobs", { body: { ...wish, pipeline, inputs: ids }, ...once(key), ...said(signal) });
    return this.ask(call) as Promise<Job>; // the other shape is for `validate_only`
  }

  /** A new job like that one; what is left out stays as it was. */
  resubmit(jobId: string, { key, signal, ...wish }: ResubmitWish & Given & { key?: string } = {}): Promise<Job> {
    return this.ask(this.api.POST("/api/v1/jobs/{job_id}/resubmit", { ...job(jobId), body: wish, ...once(key), ...said(signal) }));
  }

  job(jobId: string, { signal }: Given = {}): Promise<Job> {
    return this.ask(this.api.GET("/api/v1/jobs/{job_id}", { ...job(jobId), ...said(signal) }));
  }

  cancel(jobId: string, { signal }: Given = {}): Promise<Job> {
    return this.ask(this.api.POST("/api/v1/jobs/{job_id}/cancel", { ...job(jobId), ...repeatable(this.transport), ...said(signal) }));
  }

  /** The failed steps again, of a job that has ended; good outputs are kept. */
  retry(jobId: string, { signal }: Given = {}): Promise<Job> {
    return this.ask(this.api.POST("/api/v1/jobs/{job_id}/retry", { ...job(jobId), ...once(), ...said(signal) }));
  }

  /** The job now and after every change, until it has ended. */
  watch(jobId: string, { signal }: Given = {}): AsyncGenerator<Job, void, undefined> {
    return watch(this.transport, events(jobId), () => this.job(jobId, { signal }), signal);
  }

  /** How the job ended. Rejects with a TimeoutError when it has not by then; the job goes on. */
  async wait(jobId: string, { timeoutMs, signal }: WaitOptions = {}): Promise<Job> {
    const limit = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
    const signals = [signal, limit].filter((one) => one !== undefined);
    try {
      for await (const job of this.watch(jobId, { signal: AbortSignal.any(signals) })) if (hasEnded(job)) return job;
    } catch (fault) {
      if (limit?.aborted && !signal?.aborted) throw new DOMException(`Job ${jobId} has not ended after ${timeoutMs} ms. It goes on.`, "TimeoutError");
      throw fault;
    }
    throw reasonOf(signal);
  }

  /** Each event of a job once, live, until the job has ended. */
  async *events(jobId: string, options: Following = {}): AsyncGenerator<Event, void, undefined> {
    for await (const news of follow(this.transport, events(jobId), options)) if (news.kind === "event") yield news.event;
  }

  /** What happens in a workspace, from now on or from after an event, without end. `resync`: load what you show anew. */
  async *workspaceEvents(slug: string, options: Following = {}): AsyncGenerator<Exclude<News, { kind: "connected" }>, void, undefined> {
    const path = `/api/v1/workspaces/${segment(slug)}/events`;
    for await (const news of follow(this.transport, path, options)) if (news.kind !== "connected") yield news;
  }

  async results(jobId: string, { signal }: Given = {}): Promise<File[]> {
    const found: File[] = [];
    let cursor: string | null = null;
    do {
      const query: { limit: number; cursor?: string } = { limit: PAGE, ...(cursor !== null && { cursor }) };
      const params = { ...job(jobId).params, query };
      const page: { items: File[]; next_cursor?: string | null } = await this.ask(this.api.GET("/api/v1/jobs/{job_id}/results", { params, ...said(signal) }));
      found.push(...page.items);
      cursor = page.next_cursor ?? null;
    } while (cursor !== null);
    return found;
  }

  /** Its bytes, held in memory and checked against the digest that the platform keeps. */
  async content(file: string | File, { signal }: Given = {}): Promise<Blob> {
    const known = typeof file === "string" ? await this.ask(this.api.GET("/api/v1/files/{file_id}", { params: { path: { file_id: segment(file) } }, ...said(signal) })) : file;
    return contentBlob(this.transport, this.machine, known, signal);
  }

  /** The signed record of a finished job, a DSSE envelope: `opened` checks it. */
  manifest(jobId: string, { signal }: Given = {}): Promise<string> {
    return this.#text(`/api/v1/jobs/${segment(jobId)}/manifest`, signal);
  }

  /** A JSON Web Key Set with every key that has signed there: `readKeys` reads it. */
  signingKeys({ signal }: Given = {}): Promise<string> {
    return this.#text("/api/v1/signing-keys", signal);
  }

  /** Holds what the platform keeps of a job to its signed manifest. Every file is fetched and thrown away. */
  async verify(jobId: string, options: VerifyOptions = {}): Promise<Verified> {
    const { statement, key } = await this.signed(jobId, options);
    const verdict = newVerdict();
    const kept = new Set((await this.results(jobId, options)).map(({ id }) => id));
    for (const subject of subjectsOf(statement)) {
      if (kept.has(subject.file)) await judge(this.machine, verdict, subject, contentOnce(this.transport, subject.file, options.signal));
      else if (subject.file) verdict.missing.push(subject.name);
    }
    return verified(verdict, statement, key);
  }

  /** A job's manifest, after its signature was found good. `envelope`: one that is here already. */
  protected async signed(jobId: string, { keys, signal, envelope }: VerifyOptions & { envelope?: string | undefined }): Promise<Pick<Verified, "statement" | "key">> {
    if (envelope === undefined && !jobId) throw new NotCheckableError("There is no manifest here. Name the job that it is from.");
    const trusted = await readKeys(keys ?? (await this.signingKeys({ signal })));
    const found = await opened(envelope ?? (await this.manifest(jobId, { signal })), trusted);
    requireJob(found.statement, jobId);
    return found;
  }

  async #text(path: string, signal: AbortSignal | undefined): Promise<string> {
    const request = new Request(`${this.transport.url}${path}`, { redirect: "manual", signal: signal ?? null });
    return (await this.transport.required(request, { repeat: "always" })).text();
  }

  protected ask<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
    return answered(this.transport, call);
  }
}

function job(jobId: string): { params: { path: { job_id: string } } } {
  return { params: { path: { job_id: segment(jobId) } } };
}

function events(jobId: string): string {
  return `/api/v1/jobs/${segment(jobId)}/events`;
}

function said(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}

export type { Verdict, Verified };
