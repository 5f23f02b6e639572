// Uploads that were begun on some page, browser or machine and are not finished: go on with them, or give them up.

import { Problem } from "./api.js";
import { confirmed } from "./ask.js";
import { fingerprint } from "./plan.js";
import { forget, recall, reopened } from "./remember.js";
import * as words from "./words.js";

const PAGE = 50;
const get = (id) => document.getElementById(id);

export class Unfinished {
  #rows = new Map(); // upload id → row
  #next = null;

  // `add(found)` sends a file; `items()` is what this page itself sends.
  constructor(api, add, items) {
    Object.assign(this, { api, add, items, template: get("unfinished-template") });
    get("unfinished-more").addEventListener("click", () => this.load(this.#next));
    get("give-up-all").addEventListener("click", () => this.#giveUpAll());
  }

  async #page(cursor, limit = PAGE) {
    const query = new URLSearchParams({ state: "open", workspace: this.api.workspace, limit, ...(cursor ? { cursor } : {}) });
    const { items, next_cursor: next } = await this.api.call("GET", `?${query}`);
    return { uploads: items.filter(({ door, fingerprint: mark }) => door === "api" && mark), next };
  }

  async load(cursor = null) {
    try {
      const { uploads, next } = await this.#page(cursor);
      this.#next = next;
      const mine = new Set(this.items().map((item) => item.upload?.id));
      for (const upload of uploads) if (!mine.has(upload.id) && !this.#rows.has(upload.id)) await this.#show(upload);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem; // who may not send has nothing to go on with
    }
    this.#tell();
  }

  #tell() {
    get("unfinished").hidden = !this.#rows.size;
    get("unfinished-more").hidden = !this.#next;
    get("give-up-all").hidden = this.#rows.size < 2;
  }

  // This page sends it now.
  taken(id) {
    this.#rows.get(id)?.remove();
    if (this.#rows.delete(id)) this.#tell();
  }

  async #show(upload) {
    const row = this.template.content.firstElementChild.cloneNode(true);
    const part = (name) => row.querySelector(`[data-${name}]`);
    this.#rows.set(upload.id, row);
    part("name").textContent = upload.name;
    part("path").textContent = upload.path ? `${upload.path}/` : "";
    part("note").textContent = words.unfinished(upload);
    part("begun").dateTime = upload.created_at;
    part("begun").textContent = upload.created_at;
    const bar = row.querySelector("progress");
    bar.value = (upload.received_bytes ?? 0) / upload.size;
    bar.setAttribute("aria-label", worded("Arrived of %(name)s", { name: upload.name }));
    for (const button of row.querySelectorAll("button")) button.setAttribute("aria-label", `${button.textContent}: ${upload.name}`);
    const input = row.querySelector("input");
    part("choose").addEventListener("click", () => input.click());
    input.addEventListener("change", () => { if (input.files[0]) this.#goOn(upload, input.files[0]); input.value = ""; });
    part("give-up").addEventListener("click", () => this.#giveUp(upload));
    get("unfinished-list").append(row);
    document.dispatchEvent(new Event("esteira:swapped")); // times are told
    const handle = await recall(upload.id);
    if (!handle) return;
    part("continue").hidden = false;
    part("choose").hidden = true;
    part("continue").addEventListener("click", () => this.#reopen(upload, handle));
  }

  async #reopen(upload, handle) {
    const file = await reopened(handle);
    const row = this.#rows.get(upload.id);
    if (file) {
      this.#goOn(upload, file, { handle, again: () => handle.getFile() });
      return;
    }
    row.querySelector("[data-continue]").hidden = true;
    row.querySelector("[data-choose]").hidden = false;
    row.querySelector("[data-choose]").focus();
  }

  #goOn(upload, file, more = {}) {
    const found = { file, path: upload.path, resumes: upload.id, ...more };
    const is = { name: file.name, size: file.size, modified: file.lastModified, path: upload.path };
    if (fingerprint(is) === upload.fingerprint) {
      this.#hand(found);
      return;
    }
    const row = this.#rows.get(upload.id);
    const isLikely = file.name === upload.name && file.size === upload.size;
    row.querySelector("[data-error]").textContent = isLikely ? words.otherDate(file.name) : words.notTheOne(file.name);
    const anyway = row.querySelector("[data-anyway]");
    anyway.hidden = !isLikely;
    anyway.onclick = () => this.#hand(found);
  }

  #hand(found) {
    this.taken(found.resumes);
    get("picks").focus();
    this.add(found);
  }

  async #giveUp(upload) {
    if (!(await confirmed(words.GIVE_UP))) return;
    await this.#delete(upload);
    get("pick-files").focus();
  }

  async #delete({ id }) {
    await forget(id);
    try {
      await this.api.call("DELETE", `/${id}`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem; // it ended otherwise
    }
    this.taken(id);
  }

  async #giveUpAll() {
    const mine = new Set(this.items().map((item) => item.upload?.id));
    const all = [];
    for (let cursor = null; ;) {
      const { uploads, next } = await this.#page(cursor, 200);
      all.push(...uploads.filter(({ id }) => !mine.has(id)));
      if (!(cursor = next)) break;
    }
    if (!(await confirmed(words.giveUpAll(all.length)))) return;
    for (const upload of all) await this.#delete(upload);
    this.#next = null;
    this.#tell();
    get("pick-files").focus();
  }
}
