// On the page about the API: finds calls and schemas while one types, and opens what the address names.

const form = document.getElementById("find");
const text = document.getElementById("find-text");
const said = document.getElementById("find-said");
const calls = [...document.querySelectorAll("details[data-find]")].map((node) => ({ node, words: node.dataset.find.toLowerCase() }));

function find() {
  const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { node, words } of calls) {
    node.hidden = !wanted.every((word) => words.includes(word));
    if (!node.hidden) found += 1;
  }
  for (const part of document.querySelectorAll("[data-part]")) {
    part.hidden = !part.querySelector("details:not([hidden])");
  }
  said.textContent = wanted.length ? worded("%(some)s of %(all)s", { some: found, all: calls.length }) : "";
}

// Browsers that do not open what is closed around a named place are helped.
function open() {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const around = named && named.closest("details");
  if (!around) return;
  if (around.hidden) {
    text.value = "";
    find();
  }
  around.open = true;
  around.scrollIntoView();
}

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
text.addEventListener("input", find);
window.addEventListener("hashchange", open);
find();
open();
