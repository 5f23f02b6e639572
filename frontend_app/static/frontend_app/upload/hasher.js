// The page's side of the worker that computes checksums.

export class Hasher {
  #worker = null;
  #asked = new Map();
  #last = 0;

  #start() {
    const worker = new Worker(new URL("./hash_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { id, answer } }) => {
      this.#asked.get(id)?.resolve(answer);
      this.#asked.delete(id);
    });
    worker.addEventListener("error", (event) => {
      // The next question gets another: one that did not start answers nobody.
      worker.terminate();
      this.#worker = null;
      for (const { reject } of this.#asked.values()) reject(new Error(event.message || "The checksum worker did not start."));
      this.#asked.clear();
    });
    return worker;
  }

  // For each blob {crc, digest} or {error}, the name of what went wrong when it was read. `also` names the digest's kind.
  checksums(blobs, also = "") {
    return this.#ask({ blobs, also });
  }

  // The checksum of a file from [crc, length] of its parts.
  combined(parts) {
    return this.#ask({ parts });
  }

  #ask(question) {
    const id = ++this.#last;
    this.#worker ??= this.#start();
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...question });
    });
  }
}
