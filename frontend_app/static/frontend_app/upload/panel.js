// The upload part of a page: what comes in, how far it is, and what can be done about it.
// Says "esteira:files" when the list of files that are there changes, "esteira:uploads" when what is under way does.

import { Api } from "./api.js";
import { confirmed } from "./ask.js";
import { Hasher } from "./hasher.js";
import { VirtualList } from "./list.js";
import { Bites } from "./pace.js";
import { Patience } from "./patience.js";
import { Queue } from "./queue.js";
import { forget, remember } from "./remember.js";
import { fill, make } from "./row.js";
import { Unfinished } from "./unfinished.js";
import * as words from "./words.js";
import { bindPickers } from "./pickers.js";

const SHOW_MS = 200;
const TOLD = [25, 50, 75];
const get = (id) => document.getElementById(id);

export class Panel {
  #due = null;
  #told = 0; // percent that was said
  #wasOpen = 0;
  #failedOnly = false;
  #isStuck = false;
  #filesChanged = false;
  #adding = 0;
  counts = { files: 0, open: 0, failed: 0, done: 0, sent: 0, bytes: 0, busy: 0 };

  constructor(root) {
    const { upload: base, ticket, ticketUrl, workspace, user } = root.dataset;
    this.root = root;
    this.given = JSON.parse(get("picked")?.textContent ?? "[]").map((file) => this.#given(file));
    const patience = new Patience((why) => this.#trouble(why));
    const api = new Api({ base, ticket, ticketUrl, workspace, user }, patience);
    const changed = (item) => { if (item.state === "done" || item.state === "failed") this.#ended(item); this.show(); };
    this.queue = new Queue({ api, patience, hasher: new Hasher(), changed, begun: (item) => this.#begun(item) });
    this.list = new VirtualList(get("picks"), { make, fill: (row, item) => fill(row, item, { isPaused: this.queue.isPaused, isStuck: this.#isStuck }) });
    this.unfinished = new Unfinished(api, (found) => this.add(one(found)), () => this.queue.items);
    bindPickers(root, (found) => this.add(found));
    this.#bind();
    this.unfinished.load();
    this.show();
  }

  // What was chosen before this page, as in a job that is resubmitted.
  #given({ id, name, path, size, type, note }) {
    return { id, name, path, size, sent: size, state: "done", error: "", note, result: { id, name, size, media_type: type } };
  }

  // The Files that are there, in order.
  files() {
    return [...this.given, ...this.queue.items].filter((item) => item.state === "done").map((item) => item.result);
  }

  failed() {
    return this.queue.items.filter((item) => item.state === "failed");
  }

  async add(found) {
    const bites = new Bites();
    let added = 0, doubled = 0;
    this.#adding += 1;
    this.#told = 0;
    this.queue.start();
    for await (const one of found) {
      if (this.queue.add(one)) added += 1;
      else doubled += 1;
      this.show();
      await bites.breathe();
    }
    this.#adding -= 1;
    if (added || doubled) this.say(words.added(added, doubled));
    this.show();
  }

  #begun(item) {
    this.unfinished.taken(item.upload.id);
    if (item.handle) remember(item.upload.id, item.handle);
  }

  #ended(item) {
    if (item.handle && item.state === "done") forget(item.upload.id);
    if (item.state === "failed") this.say(`${worded("%(name)s was not sent.", { name: item.name })} ${item.error}`);
    this.#filesChanged ||= item.state === "done";
  }

  say(text) {
    get("said").textContent = text;
  }

  #trouble(why) {
    const text = this.counts.open || this.queue?.items.length ? why : "";
    if (get("trouble-text").textContent !== text) get("trouble-text").textContent = text;
    get("trouble").hidden = !text;
    this.#isStuck = Boolean(text);
    get("trouble-sign-in").hidden = text !== words.SIGNED_OUT;
  }

  show() {
    this.#due ??= setTimeout(() => { this.#due = null; this.#draw(); }, SHOW_MS);
  }

  // At once what would be shown in a moment: somebody acts on it.
  showNow() {
    clearTimeout(this.#due);
    this.#due = null;
    this.#draw();
  }

  count() {
    const counts = { files: 0, open: 0, failed: 0, done: 0, sent: 0, bytes: 0, busy: 0 };
    for (const item of this.queue.items) {
      counts.files += 1;
      counts.bytes += item.size;
      counts.sent += item.sent;
      counts[item.isOpen ? "open" : item.state] += 1;
    }
    counts.busy = counts.open + this.#adding; // a folder that is still being read will bring more
    return counts;
  }

  #draw() {
    const counts = this.counts = this.count();
    const { isPaused, meter } = this.queue;
    const all = [...this.given, ...this.queue.items];
    if (!counts.failed) this.#failedOnly = false;
    get("picks").hidden = !all.length;
    this.list.show(this.#failedOnly ? this.failed() : all);
    get("total").hidden = !counts.files;
    get("total-text").textContent = words.total({ ...counts, rate: this.#isStuck ? 0 : meter.rate(), isPaused });
    const bar = get("total-bar");
    bar.value = counts.bytes ? counts.sent / counts.bytes : counts.done / (counts.files || 1);
    bar.className = counts.open ? (isPaused ? "calm" : "") : counts.failed ? "bad" : "good";
    get("failed-only").setAttribute("aria-pressed", this.#failedOnly);
    this.#offer({
      "pause-all": !isPaused && counts.open,
      "resume-all": isPaused,
      "retry-all": counts.failed,
      "failed-only": counts.failed && all.length !== counts.failed,
      "remove-all": all.length > 1,
      "all-sent": counts.files && counts.done === counts.files,
    });
    this.#announce(counts);
    if (this.#filesChanged) {
      this.#filesChanged = false;
      document.dispatchEvent(new Event("esteira:files"));
    }
    document.dispatchEvent(new Event("esteira:uploads"));
    if (counts.open && !isPaused) this.show(); // speed and time left move even when nothing arrives
  }

  // Which buttons there are now. Who stands on one that goes is not thrown to the top of the page.
  #offer(buttons) {
    const focused = document.activeElement;
    for (const [id, isThere] of Object.entries(buttons)) {
      const button = get(id); // the new-job page has no list to show
      if (button) button.hidden = !isThere;
    }
    if (focused.id in buttons && focused.hidden) (get("all-sent")?.hidden === false ? get("all-sent") : get("pick-files")).focus();
  }

  // To a screen reader: quarters, and the end.
  #announce({ open, failed, files, sent, bytes }) {
    const percent = bytes ? (100 * sent) / bytes : 0;
    const quarter = TOLD.findLast((mark) => percent >= mark) ?? 0;
    if (open && quarter > this.#told) {
      this.#told = quarter;
      this.say(words.reached(quarter));
    }
    if (this.#wasOpen && !open && !failed && files) this.say(words.ALL_SENT);
    this.#wasOpen = open;
  }

  #bind() {
    const { queue } = this;
    const acts = {
      pause: (item) => queue.pauseOne(item),
      resume: (item) => queue.again(item),
      retry: (item) => queue.retry(item),
      choose: (item) => this.#chooseAgain(item),
      remove: (item) => this.#remove(item),
    };
    get("picks").addEventListener("click", (event) => {
      const button = event.target.closest("button[data-act]");
      if (!button) return;
      const { item } = button.closest("li");
      acts[button.dataset.act](item);
      this.list.focus(item); // the button may be gone now
      this.show();
    });
    const all = {
      "pause-all": () => { queue.pause(); this.say(words.PAUSED); swap("pause-all", "resume-all"); },
      "resume-all": () => { queue.resume(); this.say(words.GOES_ON); swap("resume-all", "pause-all"); },
      "retry-all": () => this.failed().forEach((item) => queue.retry(item)),
      "failed-only": () => { this.#failedOnly = !this.#failedOnly; },
      "remove-all": () => this.#removeAll(),
    };
    for (const [id, act] of Object.entries(all)) get(id).addEventListener("click", () => { act(); this.show(); });
    window.addEventListener("beforeunload", (event) => { if (this.count().open) event.preventDefault(); });
  }

  #chooseAgain(item) {
    const input = get("again-input");
    input.onchange = () => { if (input.files[0]) this.queue.retry(item, input.files[0]); input.value = ""; };
    input.click();
  }

  async #remove(item) {
    if (item.upload && item.isOpen && item.sent && !(await confirmed(words.removeSent(item.name)))) return;
    const shown = this.#failedOnly ? this.failed() : [...this.given, ...this.queue.items];
    const at = shown.indexOf(item);
    if (this.given.includes(item)) this.given.splice(this.given.indexOf(item), 1);
    else this.queue.remove(item);
    this.#filesChanged = true;
    this.#draw();
    const next = shown[at + 1] ?? shown[at - 1];
    if (next) this.list.focus(next);
    else get("pick-files").focus();
  }

  async #removeAll() {
    if (!(await confirmed(words.removeAll(this.given.length + this.queue.items.length)))) return;
    this.given = [];
    this.queue.clear();
    this.#filesChanged = true;
    this.#draw();
    get("pick-files").focus();
  }
}

// At once, so that the Tab key does not find a button that is about to go.
function swap(from, to) {
  get(to).hidden = false;
  get(to).focus();
  get(from).hidden = true;
}

async function* one(found) {
  yield found;
}
