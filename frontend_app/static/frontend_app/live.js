// Keeps the parts of a page that carry data-live as the server would draw them now. What is the same for all who watch it
// (data-live-seen: drawn with all events up to this one) is sent over the socket. Of other pages the socket says only
// "changed", and what is shown comes from the page's own address; so does all of it while there is no socket.
"use strict";

(() => {
  const main = document.querySelector("[data-live-url]");
  if (!main) return;
  const POLL_MS = Number(main.dataset.liveEvery) || 3000;
  const GROW_MS = 5000;
  const PATIENCE_MS = 4000;
  const banner = document.getElementById("live-away");
  const light = document.querySelector("[data-live-status]");
  const drawn = new Map(); // what the server last said, by id: scripts change the page afterwards
  for (const part of main.querySelectorAll("[data-live]")) drawn.set(part.id, unclocked(part));

  // A part that is swapped cannot speak for itself, and what ticks in it would never be silent: one line says what is new.
  const said = main.querySelector("[data-live-said]");
  let last = main.querySelector("[data-say]")?.dataset.say;

  const isSent = "liveSeen" in main.dataset;
  let sent = 0;
  let isBusy = false;
  let isStale = false;
  let failures = 0;
  let poll = null;
  let away = null; // since when nothing was heard; then what is shown may be old, and the page says so

  // Page and socket may draw one moment at two clocks; the page's script says each at the reader's own.
  function unclocked(part) {
    const copy = part.cloneNode(true);
    for (const node of copy.querySelectorAll("time[datetime], [data-since]")) {
      node.textContent = "";
      node.removeAttribute("title");
    }
    return copy.outerHTML;
  }

  function isOpen(part) {
    return Array.from(part.querySelectorAll("details[open]"), (node) => node.id).filter(Boolean);
  }

  function swap(old, fresh) {
    const open = isOpen(old);
    const scrolled = Array.from(old.querySelectorAll("[data-keep-scroll]"), (node) => [node.id, node.scrollTop]);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, top] of scrolled) document.getElementById(id)?.scrollTo(0, top);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  function draw(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    let hasChanged = false;
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      const now = unclocked(part);
      if (!old || drawn.get(part.id) === now) continue;
      drawn.set(part.id, now);
      swap(old, document.importNode(part, true));
      speak(part.dataset.say);
      hasChanged = true;
    }
    if (fresh.querySelector("[data-live-ended]")) clearInterval(poll); // nothing changes any more
    if (hasChanged) document.dispatchEvent(new Event("esteira:swapped"));
  }

  function speak(words) {
    if (!said || !words || words === last) return;
    said.textContent = last = words;
  }

  async function refresh() {
    if (document.hidden || isBusy) {
      isStale = true; // one more look when this one is done, however many changes came meanwhile
      return;
    }
    isBusy = true;
    isStale = false;
    try {
      const url = new URL(main.dataset.liveUrl + location.search, location.href);
      // In another tab another workspace may have been chosen since.
      if (main.dataset.workspace) url.searchParams.set("workspace", main.dataset.workspace);
      const before = sent;
      const answer = await fetch(url, { credentials: "same-origin" });
      const html = await answer.text();
      if (answer.redirected || answer.status === 403 || answer.status === 404) location.reload();
      else if (answer.ok) {
        if (sent === before) draw(html); // else it is older than what came over the socket meanwhile
        heard();
      } else lost();
    } catch {
      lost(); // the poll or the next socket tries again
    }
    isBusy = false;
    if (isStale) refresh();
  }

  function heard() {
    away = null;
    if (banner) banner.hidden = true;
  }

  // A restart of a second is nobody's business; what lasts is said, until the page shows the truth again.
  function lost() {
    away ??= Date.now();
    setTimeout(() => { if (banner && away !== null && Date.now() - away >= PATIENCE_MS) banner.hidden = false; }, PATIENCE_MS + 50);
  }

  function show(isLive) {
    if (light) {
      light.textContent = isLive ? gettext("Live") : gettext("Reconnecting");
      light.toggleAttribute("data-on", isLive);
    }
    clearInterval(poll);
    poll = isLive ? null : setInterval(refresh, POLL_MS);
    if (!isLive) lost();
  }

  function connect() {
    const address = new URL(main.dataset.liveSocket, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (isSent) {
      for (const [name, value] of new URLSearchParams(location.search)) address.searchParams.append(name, value);
      // Who comes back has missed something, and is sent all of it.
      if (!failures) address.searchParams.set("seen", main.dataset.liveSeen);
    }
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      if (failures) document.dispatchEvent(new Event("esteira:told"));
      failures = 0;
      show(true);
      if (!isSent) refresh(); // whatever happened while nobody listened
    });
    socket.addEventListener("message", (event) => {
      const { told, html } = JSON.parse(event.data);
      if (told) document.dispatchEvent(new Event("esteira:told")); // the bell's business
      else if (html === undefined) refresh();
      else {
        sent += 1;
        draw(html);
        heard();
      }
    });
    socket.addEventListener("close", (event) => {
      if (event.code === 1008) {
        location.reload(); // no longer allowed to look: let the server say so
        return;
      }
      show(false);
      failures += 1;
      const wait = Math.min(30000, 500 * 2 ** Math.min(failures, 6));
      setTimeout(connect, wait * (0.5 + Math.random() / 2)); // not all at once after a restart
    });
  }

  // What grows with time alone, such as the bar of an attempt that says nothing, is drawn anew now and then.
  if (!isSent) setInterval(() => { if (main.querySelector("[data-growing]")) refresh(); }, GROW_MS);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isStale) refresh(); });
  if (main.dataset.liveSocket) connect();
  else show(false);
})();
