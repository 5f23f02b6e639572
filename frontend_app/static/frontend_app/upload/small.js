// Files that fit into one part: begun and completed by the hundred, sent together where the server takes that.

import { Problem } from "./api.js";
import { together, fits } from "./bundle.js";
import { deliver, Unreadable } from "./deliver.js";

const MOST_FILES = 500;
const MOST_BYTES = 64 << 20;
const FEW_READY = 250; // then the next batch is begun
const TOGETHER = 100; // worth completing at once
const GATHER_MS = 200;

export class SmallFiles {
  // Of {item, signal}; who was interrupted meanwhile has another signal and stands in line again.
  #waiting = [];
  #ready = []; // with {signed, crc}
  #sent = [];
  #isPreparing = false;
  #isCompleting = false;

  constructor(queue) {
    this.queue = queue;
  }

  add(item) {
    this.#waiting.push({ item, signal: item.controller.signal });
  }

  // A job to run, or null while there is none.
  next() {
    if (this.#ready.length < FEW_READY) this.#prepare();
    this.#ready = this.#ready.filter(({ signal }) => !signal.aborted);
    const some = this.#ready.splice(0, fits(this.#ready, this.queue.bundleMax));
    if (some.length > 1) return () => this.#sendTogether(some);
    return some.length ? () => this.#send(some[0]) : null;
  }

  // What does not arrive in one request goes alone.
  async #sendTogether(ones) {
    for (const { item } of ones) item.state = "sending";
    const arrived = await together(this.queue, ones);
    ones.forEach((one, at) => {
      if (arrived[at]) this.#arrived(one);
      else this.#ready.push({ ...one, isAlone: true });
    });
  }

  async #prepare() {
    if (this.#isPreparing || !this.#waiting.length) return;
    this.#isPreparing = true;
    const batch = this.#batch();
    try {
      await this.#begin(batch);
    } catch (error) {
      for (const { item, signal } of batch) if (!signal.aborted) this.queue.fail(item, error);
    }
    this.#isPreparing = false;
    this.queue.wake();
  }

  #batch() {
    let bytes = 0, files = 0;
    while (files < Math.min(MOST_FILES, this.#waiting.length) && (bytes += this.#waiting[files].item.size) <= MOST_BYTES) files += 1;
    return this.#waiting.splice(0, Math.max(1, files)).filter(({ signal }) => !signal.aborted);
  }

  async #begin(ones) {
    const found = await this.queue.hasher.checksums(ones.map(({ item }) => item.file));
    ones.forEach((one, at) => {
      one.crc = found[at].crc;
      if (found[at].error && !one.signal.aborted) this.queue.fail(one.item, new Unreadable(found[at].error));
    });
    await this.#create(ones.filter((one) => one.crc && !one.signal.aborted));
  }

  async #create(ones) {
    if (!ones.length) return;
    const { queue } = this;
    const { api } = queue;
    const uploads = ones.map(({ item, crc }) => item.wish(crc));
    try {
      const { results } = await api.call("POST", ":batch", { workspace: api.workspace, uploads });
      const others = results.map(({ upload, problem }, at) => this.#take(ones[at], upload, problem)).filter(Boolean);
      for (const one of others) await queue.discard(one.item);
      await this.#create(others);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const wrong = new Map((problem.more.errors ?? []).map(({ loc, msg }) => [loc[2], msg])); // body, uploads, index, field
      const some = ones.filter((_, at) => wrong.size && !wrong.has(at));
      ones.forEach(({ item }, at) => { if (!wrong.size || wrong.has(at)) queue.fail(item, new Problem(problem.status, { detail: wrong.get(at) ?? problem.message })); });
      await this.#create(some);
    }
  }

  // Gives it back when the upload that was found is of other bytes than the file has now.
  #take(one, upload, problem) {
    const { item, signal, crc } = one;
    const { queue } = this;
    if (problem) {
      queue.fail(item, new Problem(problem.status, problem));
      return null;
    }
    item.upload = upload;
    if (signal.aborted) {
      if (item.state === "removed") queue.discard(item);
      return null;
    }
    if (upload.state !== "open") queue.guarded(item, signal, () => queue.follow(item, upload));
    else if (!upload.put && upload.mode !== "single") queue.enqueueLarge(item);
    // Begun without a checksum, and sent: nobody can tell of which bytes.
    else if (upload.put ? upload.put.headers["x-amz-checksum-crc64nvme"] !== crc : upload.received === "1") return one;
    else if (upload.received === "1") this.#arrived(one);
    else this.#ready.push({ ...one, signed: upload.put });
    queue.begun(item);
    return null;
  }

  async #send({ item, signal, signed, crc }) {
    item.state = "sending";
    await this.queue.guarded(item, signal, async () => {
      await deliver(this.queue, item, { number: 1, blob: item.file, signed, crc });
      this.queue.moved(item, 1, item.size);
      this.#arrived({ item, signal });
    });
  }

  #arrived({ item, signal }) {
    if (signal.aborted) return; // paused or removed meanwhile: what arrived is found again, or deleted
    item.state = "storing";
    item.arrived = item.size;
    item.flying.clear();
    this.queue.changed(item);
    this.#sent.push({ item, signal });
    this.#complete();
  }

  // Before anything else is begun: what has arrived counts only when it is completed.
  async #complete() {
    if (this.#isCompleting) return;
    this.#isCompleting = true;
    while (this.#sent.length) {
      if (this.#sent.length < TOGETHER) await new Promise((resolve) => { setTimeout(resolve, GATHER_MS); });
      await this.#settle(this.#sent.splice(0, MOST_FILES).filter(({ signal }) => !signal.aborted));
    }
    this.#isCompleting = false;
  }

  async #settle(ones) {
    if (!ones.length) return;
    const { queue } = this;
    try {
      const { results } = await queue.api.call("POST", ":complete", { ids: ones.map(({ item }) => item.upload.id) });
      results.forEach(({ upload, problem }, at) => {
        const { item, signal } = ones[at];
        queue.guarded(item, signal, async () => {
          if (problem) throw new Problem(problem.status, problem);
          await queue.follow(item, upload);
        });
      });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      for (const { item } of ones) queue.fail(item, problem);
    }
  }
}
