// One file that goes in parts. `next` says what can be done now; several lanes ask at once.

import { checksum, deliver } from "./deliver.js";
import { numbers, span } from "./plan.js";

export class LargeFile {
  #begun = false;
  #missing = [];
  #unread = []; // parts that arrived earlier: read again, so that the whole is known to be one file
  #busy = 0;
  #isReading = false;

  constructor(queue, item) {
    Object.assign(this, { queue, item, signal: item.controller.signal });
  }

  // A job to run, or null while there is none.
  next() {
    if (this.signal.aborted) return null;
    if (!this.#begun) return this.#busy ? null : this.#job(() => this.#begin());
    if (this.#missing.length) {
      const number = this.#missing.shift();
      return this.#job(() => this.#send(number), () => this.#missing.unshift(number));
    }
    if (this.#unread.length && !this.#isReading) return this.#job(() => this.#read());
    if (!this.#busy && !this.#unread.length) this.#job(() => this.#complete())(); // waits on the server alone, so it takes no lane
    return null;
  }

  #job(work) {
    this.#busy += 1;
    return async () => {
      await this.queue.guarded(this.item, this.signal, work);
      this.#busy -= 1;
    };
  }

  async #begin() {
    const { api } = this.queue;
    const { item, signal } = this;
    const known = item.upload?.id ?? item.resumes;
    const wish = { ...item.wish(), workspace: api.workspace };
    await this.#take(await (known ? api.call("GET", `/${known}`, null, { signal }) : api.call("POST", "", wish, { signal })));
  }

  // Goes on from what the server has.
  async #take(upload) {
    const { item, queue } = this;
    item.upload = upload;
    if (upload.state !== "open") {
      await queue.follow(item, upload);
      return;
    }
    queue.begun(item);
    const there = numbers(upload.received);
    const all = Array.from({ length: upload.part_count }, (_, at) => at + 1);
    this.#missing = all.filter((number) => !there.has(number));
    this.#unread = all.filter((number) => there.has(number) && !item.crcs.has(number));
    item.arrived = [...there].reduce((bytes, number) => bytes + this.#length(number), 0);
    item.state = "sending";
    this.#begun = true;
    queue.changed(item);
  }

  #length(number) {
    const [from, to] = span(number, this.item.upload.part_size, this.item.size);
    return to - from;
  }

  #blob(number) {
    return this.item.file.slice(...span(number, this.item.upload.part_size, this.item.size));
  }

  async #send(number) {
    const { item, queue } = this;
    const crc = await deliver(queue, item, { number, blob: this.#blob(number) });
    queue.moved(item, number, this.#length(number)); // the last progress event may not have come
    item.crcs.set(number, crc);
    item.flying.delete(number);
    item.arrived += this.#length(number);
    queue.changed(item);
  }

  async #read() {
    const number = this.#unread.shift();
    this.#isReading = true;
    try {
      if (!this.#missing.length && !this.item.flying.size) this.item.state = "checking";
      this.item.crcs.set(number, await checksum(this.queue, this.#blob(number), this.signal));
    } finally {
      this.#isReading = false;
    }
  }

  async #complete() {
    const { item, queue, signal } = this;
    item.state = "storing";
    queue.changed(item);
    const parts = Array.from({ length: item.upload.part_count }, (_, at) => [item.crcs.get(at + 1), this.#length(at + 1)]);
    const crc64nvme = await queue.hasher.combined(parts);
    const upload = await queue.api.call("POST", `/${item.upload.id}/complete`, { crc64nvme }, { signal });
    await queue.follow(item, upload);
  }
}
