// Keeps what says data-refresh as it is on the server, every so many seconds; not while somebody has ticked rows of it, and not out of sight.
"use strict";
for (const part of document.querySelectorAll("[data-refresh]")) {
  const id = part.id;
  setInterval(async () => {
    const old = document.getElementById(id);
    if (!old || document.hidden || old.querySelector("input:checked") || old.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { "X-Requested-With": "refresh" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (fresh && !old.querySelector("input:checked")) old.replaceWith(fresh);
    } catch { /* the network is away; the next round asks again */ }
  }, 1000 * Number(part.dataset.refresh));
}
