// Which pipelines fit the files, the form of the chosen one, and when the job can be submitted: now, or when all is sent.

import { panel } from "./upload/main.js";
import * as words from "./upload/words.js";

const form = document.getElementById("new-job");
const submit = document.getElementById("submit");
const blocked = document.getElementById("blocked");
const card = document.getElementById("params-card");
const params = document.getElementById("params");
const armedBox = document.getElementById("armed");
const armedText = document.getElementById("armed-text");
let turn = 0;
let isArmed = false; // the job starts when its files are there
let present = []; // the Files that are there

const chosen = () => form.querySelector('input[name="pipeline"]:checked');

function takes(types, type) {
  const bare = type.split(";")[0].trim().toLowerCase();
  return types.includes("*/*") || types.includes(bare) || types.includes(`${bare.split("/")[0]}/*`);
}

// One file of each type, the largest, and how many: what the answer depends on.
function kinds(all) {
  const byType = new Map();
  for (const file of all) if (!byType.has(file.media_type)) byType.set(file.media_type, file);
  return { byType, largest: all.reduce((most, file) => (file.size > (most?.size ?? -1) ? file : most), null), length: all.length };
}

// Why this pipeline cannot take these files; "" when it can. The server checks the same again.
function reason({ types, maxSize, maxFiles }, { byType, largest, length }) {
  const wrong = [...byType].find(([type]) => !takes(types.split(" "), type));
  if (wrong) return worded("Not for %(name)s, which is %(type)s.", { name: wrong[1].name, type: wrong[0] });
  if (maxSize && largest && largest.size > Number(maxSize)) return worded("Not for %(name)s: it is too large.", { name: largest.name });
  return length > Number(maxFiles) ? counted("Takes at most %(number)s file.", "Takes at most %(number)s files.", Number(maxFiles)) : "";
}

function judge() {
  present = panel.files();
  document.getElementById("files").value = present.map((file) => file.id).join(",");
  const all = kinds(present);
  for (const choice of form.querySelectorAll(".choice")) {
    const why = reason(choice.dataset, all);
    const radio = choice.querySelector("input");
    const text = choice.querySelector("[data-why]");
    if (why && radio.checked && isArmed) disarm(words.notStarted(why));
    radio.disabled = Boolean(why);
    if (why) radio.checked = false;
    text.textContent = why;
    text.hidden = !why;
  }
  show();
}

// What no waiting mends.
function obstacle() {
  const { busy: open } = panel.counts;
  if (!present.length && !open) return panel.counts.failed ? gettext("Some files were not sent. Send them again or remove them.") : gettext("Add at least one file.");
  if (!chosen()) return gettext("Choose a pipeline.");
  if (params.hasAttribute("aria-busy")) return gettext("The parameters are being loaded.");
  const least = Number(chosen().closest(".choice").dataset.minFiles);
  if (present.length + open < least) return counted("This pipeline takes at least %(number)s file.", "This pipeline takes at least %(number)s files.", least);
  return !open && panel.counts.failed ? gettext("Some files were not sent. Send them again or remove them.") : "";
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show() {
  const why = obstacle();
  const { busy: open } = panel.counts;
  submit.disabled = Boolean(why);
  say(submit, open ? gettext("Start when uploaded") : gettext("Submit job"));
  if (!isArmed) say(blocked, why);
  card.hidden = !chosen();
  armedBox.hidden = !isArmed;
  document.getElementById("go").hidden = isArmed;
  if (isArmed) waitOn();
}

function waitOn() {
  const failed = panel.failed();
  const { busy: open } = panel.counts;
  armedBox.classList.toggle("wait", Boolean(failed.length) || panel.queue.isPaused);
  if (failed.length) say(armedText, words.waitsFor(failed[0].name, failed.length - 1));
  else if (open && panel.queue.isPaused) say(armedText, words.WAITS_PAUSED);
  else if (open) say(armedText, words.STARTS_WHEN_SENT);
  else if (obstacle()) disarm(words.notStarted(obstacle()));
  else start();
}

function start() {
  isArmed = false;
  say(armedText, words.STARTS_NOW);
  // What was changed since may not fit any more; then the browser says so, and nothing is sent.
  if (form.reportValidity()) form.requestSubmit();
  else disarm(words.notStarted(gettext("Something in the form does not fit yet.")));
}

function disarm(why = "") {
  isArmed = false;
  show();
  if (why) say(blocked, why);
}

async function choose() {
  const mine = ++turn;
  params.setAttribute("aria-busy", "true");
  show();
  try {
    const answer = await fetch(`${form.dataset.params}?${new URLSearchParams({ pipeline: chosen().value })}`);
    const html = await answer.text();
    if (mine !== turn) return;
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    params.innerHTML = html;
  } catch {
    if (mine !== turn) return;
    params.textContent = gettext("The parameters could not be loaded. Choose the pipeline once more.");
    if (chosen()) chosen().checked = false;
  }
  params.removeAttribute("aria-busy");
  show();
}

form.addEventListener("change", (event) => { if (event.target.name === "pipeline") choose(); });
form.addEventListener("submit", (event) => {
  panel.showNow();
  if (!obstacle() && !panel.counts.busy) {
    setTimeout(() => { submit.disabled = true; });
    return;
  }
  event.preventDefault();
  if (panel.counts.busy) {
    isArmed = true;
    show();
    document.getElementById("disarm").focus();
  }
});
document.getElementById("disarm").addEventListener("click", () => { disarm(); submit.focus(); });
window.addEventListener("pageshow", judge); // also when the browser goes back to a kept page
document.addEventListener("esteira:files", judge);
document.addEventListener("esteira:uploads", show);
judge();
