// The end of an attempt's log, followed while the attempt runs. Text goes in as text, never as markup, and only
// so much of it stays in the page.
"use strict";

(() => {
  const panel = document.querySelector("[data-log]");
  if (!panel) return;
  const MOST_CHARACTERS = 512 * 1024;
  const [FAST_MS, SLOW_MS] = [700, 3000];
  const pre = panel.querySelector("pre");
  const follow = panel.querySelector("[data-log-follow]");
  const title = panel.querySelector("[data-log-title]");
  const cut = panel.querySelector("[data-log-cut]");
  const alone = panel.querySelector("a[data-log-page]");
  let url = "";
  let end = "";
  let isComplete = true;
  let isPinned = false; // somebody chose this log: stay with it
  let timer = null;
  let turn = 0;

  function add(text) {
    if (!text) return;
    const piece = document.createElement("span");
    piece.textContent = text;
    pre.append(piece);
    let total = pre.textContent.length;
    while (total > MOST_CHARACTERS && pre.childNodes.length > 1) {
      total -= pre.firstChild.textContent.length;
      pre.firstChild.remove();
      cut.hidden = false;
    }
    if (follow.checked) pre.scrollTop = pre.scrollHeight;
  }

  async function read(mine) {
    let wait = SLOW_MS;
    if (!document.hidden) {
      try {
        const answer = await fetch(end ? `${url}?offset=${end}` : url, { credentials: "same-origin" });
        if (mine !== turn) return; // another log was opened meanwhile
        if (answer.ok && !answer.redirected) {
          const text = await answer.text();
          if (mine !== turn) return;
          add(text);
          end = answer.headers.get("Esteira-Log-End");
          isComplete = answer.headers.get("Esteira-Log-Complete") === "true";
          pre.toggleAttribute("data-complete", isComplete);
          if (text) wait = FAST_MS;
        }
      } catch {
        // Away for a moment: try again.
      }
    }
    if (isComplete) next();
    else timer = setTimeout(read, wait, mine);
  }

  function open(source, page) {
    clearTimeout(timer);
    turn += 1;
    [url, end, isComplete] = [source.dataset.logOpen, "", false];
    pre.replaceChildren();
    pre.removeAttribute("data-complete");
    cut.hidden = true;
    panel.hidden = false;
    title.textContent = source.dataset.logName;
    alone.href = page;
    read(turn);
  }

  // When the log on show is at its end and nobody asked for it, go on to the attempt that runs now.
  function next() {
    const current = document.getElementById("log-current");
    if (!current || isPinned || !isComplete || current.dataset.logOpen === url) return;
    open(current, current.dataset.logPage);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-log-open]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    isPinned = true;
    open(link, link.getAttribute("href")); // a link within SVG has no text for `href`
    panel.scrollIntoView({ block: "nearest" });
  });
  follow.addEventListener("change", () => { if (follow.checked) pre.scrollTop = pre.scrollHeight; });
  pre.addEventListener("scroll", () => {
    const isAtEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24;
    if (follow.checked !== isAtEnd) follow.checked = isAtEnd;
  });
  document.addEventListener("esteira:swapped", next);

  if (panel.dataset.logStart) {
    [url, end] = [panel.dataset.logStart, panel.dataset.logEnd];
    isComplete = panel.dataset.logComplete === "true";
    pre.scrollTop = pre.scrollHeight;
    if (!isComplete) timer = setTimeout(read, FAST_MS, turn);
  } else {
    next();
  }
})();
