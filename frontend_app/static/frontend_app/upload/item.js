// One file on its way. `state`: waiting, sending, checking, storing, paused, done, failed or removed.

import { fingerprint } from "./plan.js";
import { Meter } from "./pace.js";

let last = 0;

export class Item {
  id = ++last;
  state = "waiting";
  error = ""; // the sentence, when it failed
  isChanged = false; // the file as it was chosen can no longer be read
  upload = null; // as the server last told
  result = null; // the File, when it is done
  arrived = 0; // bytes of parts that are known to be there
  flying = new Map(); // part → bytes of it that have left
  crcs = new Map(); // part → checksum, of the file as it is now
  meter = new Meter();
  follows = 0;
  controller = new AbortController();

  constructor({ file, name, path, again, handle, resumes = null }) {
    Object.assign(this, { path, again, handle, resumes });
    this.take(file, name);
  }

  // An earlier upload may have been given up because the file changed: this is the file as it is now.
  take(file, name = file.name) {
    this.file = file;
    this.name = name;
    this.size = file?.size ?? 0;
    this.modified = file?.lastModified ?? 0;
    this.fingerprint = fingerprint(this);
    this.isChanged = false;
    this.crcs.clear();
  }

  get sent() {
    if (this.state === "done" || this.state === "storing" || this.state === "checking") return this.size;
    let bytes = this.arrived;
    for (const part of this.flying.values()) bytes += part;
    return Math.min(bytes, this.size);
  }

  get isOpen() {
    return this.state !== "done" && this.state !== "failed" && this.state !== "removed";
  }

  // Whatever is under way for it ends. What comes next has a signal of its own.
  interrupt() {
    this.controller.abort();
    this.controller = new AbortController();
    this.flying.clear();
    this.meter.clear();
  }

  // For POST /uploads.
  wish(crc64nvme = "") {
    const year = new Date(this.modified).getUTCFullYear();
    return {
      name: this.name, path: this.path, size: this.size, content_type: this.file.type,
      modified: year >= 1 && year <= 9999 ? new Date(this.modified).toISOString() : null,
      fingerprint: this.fingerprint, resume: true, crc64nvme,
    };
  }
}
