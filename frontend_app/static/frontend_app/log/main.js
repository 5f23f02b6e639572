// The log of an attempt: its end, followed while the attempt runs, or a place in it that somebody has linked to (#L120).

import { Find } from "./find.js";
import { Lines } from "./lines.js";

const panel = document.querySelector("[data-log]");
if (panel?.querySelector("pre")) start();

function start() {
  const [FAST_MS, SLOW_MS] = [700, 3000];
  const BEFORE = 40; // lines shown above the one that is linked to
  const EARLIER = 2000;
  const WRAP = "esteira.log.wrap";
  const part = (name) => panel.querySelector(`[data-log-${name}]`);
  const pre = panel.querySelector("pre");
  const lines = new Lines(pre);
  const follow = part("follow");
  const find = new Find(part("find"), part("found"), pre, () => { follow.checked = false; });
  let url = "";
  let end = "";
  let isComplete = true;
  let isPinned = false; // somebody chose this log: stay with it
  let isAnchored = false; // at a place in the middle: what comes after is fetched only as far as it fits
  let wanted = null; // the number of the line to be brought in sight when it has come
  let isLinked = false; // and marked, for somebody has linked to it
  let timer = null;
  let turn = 0;

  function add(text) {
    lines.add(text);
    if (!isAnchored && lines.trim()) part("cut").hidden = false;
    part("earlier").hidden = !lines.first || lines.first === 1;
    if (text && find.input.value) find.look();
    if (follow.checked && !isAnchored) pre.scrollTop = pre.scrollHeight;
  }

  function take(answer, text) {
    if (!end) {
      lines.clear(Number(answer.headers.get("Esteira-Log-Line")) || null);
      part("cut").hidden = answer.headers.get("Esteira-Log-Start") === "0";
    }
    add(text);
    end = answer.headers.get("Esteira-Log-End");
    isComplete = answer.headers.get("Esteira-Log-Complete") === "true";
    pre.toggleAttribute("data-complete", isComplete);
    if (wanted === null) return;
    const line = isLinked ? lines.mark(wanted) : lines.find(wanted);
    line?.scrollIntoView({ block: "center" });
    wanted = null;
  }

  async function read(mine, from) {
    let wait = SLOW_MS;
    if (!document.hidden || from) {
      try {
        const answer = await fetch(from ?? (end ? `${url}?offset=${end}` : url), { credentials: "same-origin" });
        if (answer.ok && !answer.redirected) {
          const text = await answer.text();
          if (mine !== turn) return; // another log was opened meanwhile
          take(answer, text);
          if (text) wait = FAST_MS;
        }
        from = undefined;
      } catch {
        // Away for a moment: try again, from where it stopped.
      }
    }
    if (mine !== turn) return;
    const isEnough = isAnchored && lines.isFull;
    part("more").hidden = !isEnough || isComplete;
    if (isComplete) next();
    else if (!isEnough) timer = setTimeout(read, wait, mine, from);
  }

  // From the end, or around a line, with so many before it.
  function load(line, before = BEFORE) {
    clearTimeout(timer);
    turn += 1;
    [end, isComplete, isAnchored, wanted, isLinked] = ["", false, line !== undefined, line ?? null, before === BEFORE];
    part("cut").hidden = true;
    pre.removeAttribute("data-complete");
    if (isAnchored) follow.checked = false;
    read(turn, isAnchored ? `${url}?line=${Math.max(1, line - before)}` : undefined);
  }

  function open(source, page) {
    url = source.dataset.logOpen;
    lines.page = page;
    lines.clear(null);
    panel.hidden = false;
    follow.checked = true;
    part("title").textContent = source.dataset.logName;
    part("page").href = page;
    part("download").href = `${url}download/`;
    load();
  }

  // When the log on show is at its end and nobody asked for it, go on to the attempt that runs now.
  function next() {
    const current = document.getElementById("log-current");
    if (!current || isPinned || !isComplete || current.dataset.logOpen === url) return;
    open(current, current.dataset.logPage);
  }

  function linked() {
    const found = /^#L(\d{1,9})$/.exec(location.hash);
    return found && panel.dataset.logStart ? Number(found[1]) : null;
  }

  function jump() {
    const line = linked();
    if (line === null) return;
    follow.checked = false;
    const here = lines.mark(line);
    if (here) here.scrollIntoView({ block: "center" });
    else load(line);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-log-open]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    isPinned = true;
    open(link, link.getAttribute("href")); // a link within SVG has no text for `href`
    panel.scrollIntoView({ block: "nearest" });
  });
  follow.addEventListener("change", () => {
    if (!follow.checked) return;
    if (isAnchored) load();
    else pre.scrollTop = pre.scrollHeight;
  });
  pre.addEventListener("scroll", () => {
    const isAtEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24;
    if (!isAnchored && follow.checked !== isAtEnd) follow.checked = isAtEnd;
  });
  part("earlier").addEventListener("click", () => load(lines.first, EARLIER));
  part("last").addEventListener("click", () => { follow.checked = true; load(); });
  part("later").addEventListener("click", () => {
    // What is shown gives way to what comes after it.
    const line = Number(pre.lastElementChild?.querySelector("a")?.dataset.n) || null;
    if (line) load(line, 0);
  });
  const wrap = part("wrap");
  wrap.checked = localStorage.getItem(WRAP) !== "no";
  pre.classList.toggle("long", !wrap.checked);
  wrap.addEventListener("change", () => {
    localStorage.setItem(WRAP, wrap.checked ? "yes" : "no");
    pre.classList.toggle("long", !wrap.checked);
  });
  window.addEventListener("hashchange", jump);
  document.addEventListener("esteira:swapped", next);

  const given = panel.dataset;
  if (!given.logStart) {
    next();
    return;
  }
  url = given.logStart;
  const text = pre.textContent;
  lines.clear(Number(given.logLine) || null);
  [end, isComplete] = [given.logEnd, given.logComplete === "true"];
  add(text);
  if (!isComplete) timer = setTimeout(read, FAST_MS, turn);
  jump();
}
