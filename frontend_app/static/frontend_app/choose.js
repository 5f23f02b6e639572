// Rows that are chosen: a click, with Shift a range; x and Shift+x for the row one is at, a for all, b to the bar, Escape for none.
// The list is drawn anew while it is open, so what is chosen is remembered here.

import { at, isTyping } from "./rows.js";

const bar = document.getElementById("bulk");
const said = bar?.querySelector("[data-chosen]");
const every = bar?.querySelector("[name=all]");
const chosen = new Set();
let anchor = ""; // where a range begins

const boxes = () => [...document.querySelectorAll("#jobs tbody .mark input")];
const head = () => document.querySelector("[data-choose-all]");

function show() {
  const all = boxes();
  const on = all.filter((box) => box.checked).length;
  const whole = head();
  if (whole) {
    whole.hidden = false;
    whole.checked = on > 0 && on === all.length;
    whole.indeterminate = on > 0 && on < all.length;
  }
  if (!said) return;
  if (every && !on) every.checked = false;
  said.textContent = every?.checked ? said.dataset.every : on === 1 ? said.dataset.one : said.dataset.many.replace("#", on);
}

function set(box, isOn) {
  box.checked = isOn;
  if (isOn) chosen.add(box.value);
  else chosen.delete(box.value);
}

function choose(box, isOn, isRange) {
  const all = boxes();
  const from = isRange ? all.findIndex((one) => one.value === anchor) : -1;
  const to = all.indexOf(box);
  if (from < 0) set(box, isOn);
  else for (const one of all.slice(Math.min(from, to), Math.max(from, to) + 1)) set(one, isOn);
  anchor = box.value;
  show();
}

function all(isOn) {
  for (const box of boxes()) set(box, isOn);
  show();
}

document.addEventListener("click", (event) => {
  if (event.target.matches?.("#jobs tbody .mark input")) choose(event.target, event.target.checked, event.shiftKey);
  else if (event.target.closest?.("[data-choose-none]")) all(false);
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-choose-all]")) all(event.target.checked);
  else if (event.target === every) show();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || event.defaultPrevented) return;
  const here = at()?.querySelector(".mark input");
  switch (event.key) {
    case "x": if (here) choose(here, !here.checked, false); break;
    case "X": if (here) choose(here, true, true); break;
    case "a": all(boxes().some((box) => !box.checked)); break;
    case "b": if (boxes().some((box) => box.checked)) bar?.querySelector("button")?.focus(); break;
    case "Escape": if (!document.querySelector(":popover-open")) all(false); break;
    default: return;
  }
});
document.addEventListener("esteira:swapped", () => {
  const there = boxes();
  for (const box of there) box.checked = chosen.has(box.value);
  const shown = new Set(there.map((box) => box.value));
  for (const one of chosen) if (!shown.has(one)) chosen.delete(one);
  show();
});
// Back from the next page, the browser has the boxes as they were.
window.addEventListener("pageshow", () => {
  for (const box of boxes()) if (box.checked) chosen.add(box.value);
  show();
});
show();
