// The ways in: dropped, chosen as files, chosen as a folder.

import { chosen, dropped, picked } from "./walk.js";

const collator = once(() => new Intl.Collator(tongue, { numeric: true }));
const byPath = (one, other) => collator().compare(one.webkitRelativePath, other.webkitRelativePath); // the disk gives them in no order
const get = (id) => document.getElementById(id);

export function bindPickers(root, add) {
  const drop = get("drop");
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.dataset.over = ""; });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => delete drop.dataset.over);
  drop.addEventListener("drop", (event) => { event.preventDefault(); add(dropped(event.dataTransfer)); });
  // A file dropped beside the zone must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

  for (const input of [get("file-input"), get("folder-input")]) {
    input.addEventListener("change", () => { add(chosen([...input.files].sort(byPath))); input.value = ""; });
  }
  get("pick-folder").addEventListener("click", () => get("folder-input").click());
  get("pick-files").addEventListener("click", async () => {
    const handles = await pickedHandles();
    if (handles) add(picked(handles));
    else get("file-input").click();
  });
}

// Handles let an upload go on after a reload without choosing the file again. Null where the browser has none to give.
async function pickedHandles() {
  if (!window.showOpenFilePicker) return null;
  try {
    return await window.showOpenFilePicker({ multiple: true });
  } catch (error) {
    if (error.name === "AbortError") return []; // the reader closed the dialog
    return null;
  }
}
