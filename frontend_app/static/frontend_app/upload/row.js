// How one file looks in the list.

import * as words from "./words.js";

const template = document.getElementById("pick-template");

export function make() {
  return template.content.firstElementChild.cloneNode(true);
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// `isStuck`: nothing moves just now, so there is no speed to tell.
export function fill(row, item, { isPaused, isStuck }) {
  const state = isPaused && ["waiting", "sending"].includes(item.state) ? "paused" : item.state;
  const part = (name) => row.querySelector(`[data-${name}]`);
  row.dataset.state = state;
  say(part("name"), item.name);
  part("name").title = item.name;
  say(part("path"), item.path ? `${item.path}/` : "");
  say(part("note"), item.error ? "" : words.row({ state, sent: item.sent, size: item.size, rate: isStuck ? 0 : (item.meter?.rate() ?? 0), note: item.note }));
  say(part("error"), item.error ? `${gettext("Not sent.")} ${item.error}` : "");
  const bar = row.querySelector("progress");
  bar.hidden = state === "done" || state === "failed";
  bar.className = state === "paused" ? "calm" : "";
  bar.value = item.size ? item.sent / item.size : 0;
  bar.setAttribute("aria-label", worded("Upload of %(name)s", { name: item.name }));
  const needsFile = item.isChanged && !item.again;
  const shown = {
    pause: ["waiting", "sending"].includes(state),
    resume: item.state === "paused",
    retry: state === "failed" && !needsFile,
    choose: state === "failed" && needsFile,
    remove: true,
  };
  for (const [what, isShown] of Object.entries(shown)) {
    const button = part(what);
    button.hidden = !isShown;
    const label = `${button.textContent} ${item.name}`;
    if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
  }
}
