// Files out of what was dropped or chosen, folders and all, one by one. Yields {file, path, again} or {name, path, error}.

const folder = (path) => path.split("/").filter(Boolean).slice(0, -1).join("/");

function once(call) {
  return new Promise((resolve, reject) => { call(resolve, reject); });
}

// `again` gives the file as it is now, where the browser can.
async function opened(entry) {
  const path = folder(entry.fullPath);
  const again = () => once((ok, no) => entry.file(ok, no));
  try {
    return { file: await again(), path, again };
  } catch (error) {
    return { name: entry.name, path, error: error.name };
  }
}

async function* inEntry(entry) {
  if (entry.isFile) {
    yield await opened(entry);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    let some; // a hundred at a time, in Chromium
    try {
      some = await once((ok, no) => reader.readEntries(ok, no));
    } catch (error) {
      yield { name: entry.name, path: folder(entry.fullPath), error: error.name };
      return;
    }
    if (!some.length) return;
    yield* await Promise.all(some.filter((child) => child.isFile).map(opened));
    for (const child of some) if (!child.isFile) yield* inEntry(child);
  }
}

// What a drop holds has to be taken out before the event is over.
export function dropped(transfer) {
  const items = Array.from(transfer.items).filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  // Without a handle the file has to be chosen again after a reload, nothing more.
  const handles = items.map((item, at) => (entries[at]?.isFile ? item.getAsFileSystemHandle?.().catch(() => undefined) : undefined));
  const files = Array.from(transfer.files);
  return entries.some(Boolean) ? walked(entries, handles) : chosen(files);
}

async function* walked(entries, handles) {
  for (const [at, entry] of entries.entries()) {
    if (!entry) continue;
    const handle = await handles[at];
    for await (const found of inEntry(entry)) yield { ...found, handle };
  }
}

export async function* chosen(files) {
  for (const file of files) yield { file, path: folder(file.webkitRelativePath || "") };
}

// Of a picker that gives handles.
export async function* picked(handles) {
  for (const handle of handles) yield { file: await handle.getFile(), path: "", handle, again: () => handle.getFile() };
}
