// All files of a page: a few lanes send their parts, small files before large ones but for one lane.

import { Problem } from "./api.js";
import { Item } from "./item.js";
import { LargeFile } from "./large.js";
import { Meter } from "./pace.js";
import { SmallFiles } from "./small.js";
import * as words from "./words.js";

const HTTP1_LANES = { app: 4, direct: 6 }; // six connections a host; ours also answers the page meanwhile
const MOST_PATH = 1024;
const MOST_FOLLOWS = 5;
const COMPLETING_S = 2;

export class Queue {
  items = [];
  isPaused = false;
  meter = new Meter();
  #prints = new Map();
  #small = new SmallFiles(this);
  #large = [];
  #wakers = [];
  #config = null;

  // `changed(item)`: how it looks has changed. `begun(item)`: the server knows it now.
  constructor({ api, patience, hasher, changed, begun }) {
    Object.assign(this, { api, patience, hasher, changed, begun });
  }

  // Bytes of a body with many small files; 0: the server takes none.
  get bundleMax() {
    return this.#config?.bundle_max ?? 0;
  }

  // The checksum that the storage wants of each part beside ours, "" where it wants none.
  get also() {
    return this.#config?.checksums?.[1] ?? "";
  }

  // The item, or null for a file that is in the list already.
  add(found) {
    const item = new Item(found);
    if (this.#prints.has(item.fingerprint) && !found.error) return null;
    this.items.push(item);
    if (found.error) this.fail(item, Object.assign(new Error(words.unreadable(found.error)), { isChanged: true }));
    else if (item.path.length > MOST_PATH) this.fail(item, new Error(words.TOO_DEEP));
    else this.#enqueue(item);
    return item;
  }

  async start() {
    if (this.#config) return;
    this.#config = {};
    try {
      this.#config = await this.api.call("GET", "/config");
    } catch (problem) {
      this.#config = null;
      for (const item of this.items) if (item.state === "waiting") this.fail(item, problem);
      return;
    }
    const { max_parallel: most, transport } = this.#config;
    const [page] = performance.getEntriesByType("navigation");
    const isHttp1 = transport === "direct" || /^http\/1/.test(page?.nextHopProtocol ?? "http/1");
    const lanes = isHttp1 ? Math.min(most, HTTP1_LANES[transport]) : most;
    for (const item of this.items) if (item.state === "waiting") this.#enqueue(item);
    for (let lane = 0; lane < lanes; lane += 1) this.#lane(lane);
  }

  #enqueue(item) {
    this.#prints.set(item.fingerprint, item);
    item.state = "waiting";
    item.error = "";
    const { max_size: most, inline_max: small } = this.#config ?? {};
    if (!most) return; // as soon as it is known what the server takes
    if (item.size > most) this.fail(item, new Error(words.tooLarge(most)));
    else if (item.size <= small && !item.resumes) this.#small.add(item);
    else this.enqueueLarge(item);
    this.changed(item);
    this.wake();
  }

  // What was begun goes on before anything else begins.
  enqueueLarge(item) {
    this.#large[item.upload ? "unshift" : "push"](new LargeFile(this, item));
  }

  async #lane(number) {
    for (;;) {
      const job = this.isPaused ? null : this.#next(number);
      if (job) await job();
      else await new Promise((resolve) => { this.#wakers.push(resolve); });
      if (job) this.wake();
    }
  }

  #next(number) {
    if (number) return this.#small.next() ?? this.#nextLarge();
    return this.#nextLarge() ?? this.#small.next();
  }

  #nextLarge() {
    this.#large = this.#large.filter(({ item, signal }) => !signal.aborted && item.isOpen);
    for (const file of this.#large) {
      const job = file.next();
      if (job) return job;
    }
    return null;
  }

  wake() {
    for (const resolve of this.#wakers.splice(0)) resolve();
  }

  // Does something for a file. What goes wrong is the file's alone.
  async guarded(item, signal, work) {
    try {
      await work();
    } catch (error) {
      if (signal.aborted || error.name === "AbortError") return;
      const isOver = error instanceof Problem && [404, 409, 410].includes(error.status) && item.upload;
      if (isOver) await this.guarded(item, signal, () => this.#ask(item, signal, error));
      else this.fail(item, error);
    }
  }

  async #ask(item, signal, why) {
    item.follows += 1;
    if (item.follows > MOST_FOLLOWS) throw new Error(why.message);
    let upload;
    try {
      upload = await this.api.call("GET", `/${item.upload.id}`, null, { signal });
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      upload = { state: "expired" };
    }
    await this.follow(item, upload);
  }

  // Takes a file on from the state in which its upload is.
  async follow(item, upload) {
    const { signal } = item.controller;
    for (let tries = 0; upload.state === "completing"; tries += 1) {
      await this.patience.wait(item, Math.min(tries, 3), { why: "", least: COMPLETING_S, signal });
      upload = await this.api.call("GET", `/${upload.id}`, null, { signal });
      this.patience.over(item);
    }
    if (upload.state === "complete" && upload.file) {
      this.#done(item, upload);
      return;
    }
    if (upload.state !== "open") Object.assign(item, { upload: null, resumes: null, arrived: 0 });
    if (upload.state === "complete") throw new Error(words.DELETED_SINCE);
    if (upload.state === "aborted") throw new Error(words.GIVEN_UP);
    if (upload.state === "failed") throw new Error(upload.failure.detail);
    this.again(item); // open: only what is missing; expired: from the beginning
  }

  #done(item, upload) {
    Object.assign(item, { state: "done", upload, result: upload.file, arrived: item.size });
    item.flying.clear();
    this.#prints.delete(item.fingerprint);
    this.changed(item);
    this.wake();
  }

  fail(item, error) {
    item.interrupt();
    if (error instanceof Problem && error.code === "checksum_mismatch") { // the server has thrown it away
      Object.assign(item, { upload: null, resumes: null, arrived: 0 });
      item.crcs.clear();
      error = new Error(words.OTHER_CONTENT);
    }
    const next = item.again ? words.SEND_AGAIN : words.CHOOSE_AGAIN;
    Object.assign(item, { state: "failed", isChanged: Boolean(error.isChanged) });
    item.error = item.isChanged ? `${error.message} ${next}` : error.message;
    this.#prints.delete(item.fingerprint);
    this.changed(item);
    this.wake();
    if (!(error instanceof Problem) && error.constructor !== Error && !error.isChanged) reportError(error); // a fault of ours
  }

  moved(item, number, bytes) {
    const more = bytes - (item.flying.get(number) ?? 0);
    item.flying.set(number, bytes);
    this.meter.add(more);
    item.meter.add(more);
    this.changed(item);
  }

  pause() {
    this.isPaused = true;
    for (const item of this.items) if (item.state === "sending" || item.state === "checking") this.again(item);
    this.meter.clear();
  }

  resume() {
    this.isPaused = false;
    this.patience.wake();
    this.wake();
  }

  pauseOne(item) {
    item.interrupt();
    item.state = "paused";
    this.changed(item);
    this.wake();
  }

  again(item) {
    item.interrupt();
    this.#enqueue(item);
  }

  // A file that failed, as it is now. `file` when somebody has chosen it again.
  async retry(item, file = null) {
    item.follows = 0;
    if (item.isChanged || file) {
      const given = file ?? await item.again().catch(() => null);
      if (!given) return;
      await this.discard(item);
      item.take(given);
      item.arrived = 0;
    }
    this.again(item);
  }

  remove(item) {
    item.interrupt();
    if (item.state !== "done") this.discard(item);
    item.state = "removed";
    this.#prints.delete(item.fingerprint);
    this.items.splice(this.items.indexOf(item), 1);
    this.wake();
  }

  clear() {
    for (const item of [...this.items]) this.remove(item);
  }

  // What has arrived of it is not wanted.
  async discard(item) {
    const { upload } = item;
    item.upload = null;
    if (!upload) return;
    try {
      await this.api.call("DELETE", `/${upload.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // it ended otherwise: nothing is left to delete
    }
  }
}
