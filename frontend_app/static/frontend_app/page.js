// On every page: times in the reader's own zone, running clocks, questions before what cannot be taken back.
"use strict";

(() => {
  const timeZone = readerZone;
  const full = once(() => new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "medium", timeZone }));
  const day = once(() => new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "short", timeZone }));
  const ago = once(() => new Intl.RelativeTimeFormat(tongue, { numeric: "auto" }));

  function spoken(at) {
    const seconds = (at - Date.now()) / 1000; // less than nothing: it is past
    if (Math.abs(seconds) < 45) return gettext("just now");
    if (Math.abs(seconds) < 3600) return ago().format(Math.round(seconds / 60) || Math.sign(seconds), "minute");
    if (Math.abs(seconds) < 22 * 3600) return ago().format(Math.round(seconds / 3600), "hour");
    return day().format(at);
  }

  function elapsed(from) {
    const s = Math.max(0, Math.floor((Date.now() - from) / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  function say(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function tellTimes() {
    for (const node of document.querySelectorAll("time[datetime]")) {
      say(node, spoken(new Date(node.dateTime)));
    }
  }

  function tickClocks() {
    for (const node of document.querySelectorAll("[data-since]")) say(node, elapsed(new Date(node.dataset.since)));
  }

  function tell() {
    tellTimes();
    tickClocks();
  }
  tell();
  setInterval(tickClocks, 1000);
  setInterval(tellTimes, 30000);
  document.addEventListener("esteira:swapped", tell);
  // On paper "5 minutes ago" means nothing.
  window.addEventListener("beforeprint", () => {
    for (const node of document.querySelectorAll("time[datetime]")) say(node, full().format(new Date(node.dateTime)));
  });
  window.addEventListener("afterprint", tellTimes);
  document.addEventListener("pointerover", (event) => {
    const node = event.target.closest?.("time[datetime]");
    if (node && !node.title) node.title = full().format(new Date(node.dateTime));
  });

  // On a phone the bar is wider than the screen: where one is, is in sight.
  if (matchMedia("(max-width: 44rem)").matches) document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // A button with data-confirm asks first; without this script it simply does what it says.
  const dialog = document.getElementById("confirm");
  let asked = null;
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!dialog || !button || !button.dataset.confirm || button === asked) return;
    event.preventDefault();
    document.getElementById("confirm-title").textContent = button.dataset.confirm;
    document.getElementById("confirm-text").textContent = button.dataset.text || "";
    document.getElementById("confirm-yes").textContent = button.dataset.yes || gettext("Yes");
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      asked = button;
      // The button may have been swapped away while the question stood; its form and address still hold.
      const form = button.isConnected ? button.form : document.getElementById("act");
      const copy = button.isConnected ? button : form.appendChild(button);
      form.requestSubmit(copy);
    }, { once: true });
    dialog.showModal();
  });

  for (const form of document.querySelectorAll("form[data-autosubmit]")) {
    const button = form.querySelector("button");
    if (button) button.hidden = true;
    form.addEventListener("change", () => form.requestSubmit());
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = gettext("Copied");
    });
  }

  const guessed = document.querySelector("[data-browser-zone]");
  if (guessed) guessed.textContent += ` (${Intl.DateTimeFormat().resolvedOptions().timeZone})`;

  // Buttons that do something to the chosen rows need some; one box chooses all of them.
  const needy = document.querySelectorAll("[data-needs-choice]");
  const boxes = document.querySelectorAll('input[name="file"][type="checkbox"]');
  const all = document.querySelector("[data-choose-all]");
  if (needy.length && boxes.length) {
    const show = () => {
      const chosen = [...boxes].filter((box) => box.checked).length;
      for (const button of needy) button.disabled = chosen === 0;
      if (!all) return;
      all.checked = chosen === boxes.length;
      all.indeterminate = chosen > 0 && !all.checked;
    };
    if (all) {
      all.hidden = false;
      all.addEventListener("change", () => { for (const box of boxes) box.checked = all.checked; });
    }
    document.addEventListener("change", show);
    window.addEventListener("pageshow", show);
    show();
  }
})();
