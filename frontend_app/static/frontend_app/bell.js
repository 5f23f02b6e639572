// Keeps the count at the bell right. A page that has a socket of its own (live.js) hears by that; the others open one.
"use strict";

(() => {
  const PATIENCE_MS = 60000;
  let failures = 0;
  let isStale = false;

  async function refresh() {
    const bell = document.getElementById("bell");
    if (!bell) return;
    isStale = document.hidden;
    if (isStale) return;
    try {
      const answer = await fetch(bell.dataset.url, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("bell");
      if (!fresh || fresh.textContent === bell.textContent) return;
      const focused = document.activeElement === bell;
      bell.replaceWith(document.importNode(fresh, true));
      if (focused) document.getElementById("bell").focus({ preventScroll: true });
    } catch {
      // the next word or the next page brings it
    }
  }

  function connect() {
    const address = new URL("/ws/me", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      if (failures) refresh(); // whatever happened while nobody listened
      failures = 0;
    });
    socket.addEventListener("message", (event) => { if (JSON.parse(event.data).told) refresh(); });
    socket.addEventListener("close", (event) => {
      if (event.code === 1008) return; // signed out: the next page says so
      failures += 1;
      setTimeout(connect, Math.min(PATIENCE_MS, 1000 * 2 ** Math.min(failures, 6)) * (0.5 + Math.random() / 2));
    });
  }

  document.addEventListener("esteira:told", refresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && isStale) refresh(); });
  if (!document.querySelector("[data-live-socket]")) connect();
})();
