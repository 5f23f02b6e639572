// Lists of rows with the keyboard: j and k go down and up, Enter opens, / goes to the filter, Escape back.

const typing = "input:not([type=checkbox]), textarea, select, [contenteditable], dialog, [popover]";

const links = () => [...document.querySelectorAll(".rows .whole")];

let last = ""; // the row that was left for the filter

export const isTyping = (event) => Boolean(event.target.closest(typing));

/** The row that one is at. */
export const at = () => links().find((link) => link.closest("tr").contains(document.activeElement))?.closest("tr");

function go(by) {
  const all = links();
  if (!all.length) return;
  const here = all.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const from = here < 0 ? all.findIndex((link) => link.id === last) : here;
  const next = from < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, from + by));
  all[next].focus();
  last = all[next].id;
  all[next].closest("tr").scrollIntoView({ block: "nearest" });
}

const keys = {
  j: () => go(1),
  k: () => go(-1),
  "/": () => { const box = document.getElementById("filter"); box?.focus(); box?.select(); },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event)) {
    if (event.key === "Escape" && event.target.id === "filter") event.target.blur();
    return;
  }
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
