// Handles of files that are being sent, so that after a reload they need not be chosen again. Chromium on https or this machine only.

const STORE = "files";
const MOST = 200; // kept at a time; beyond, the oldest is forgotten

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let opening = null;
function opened() {
  opening ??= new Promise((resolve) => {
    const request = window.indexedDB?.open("esteira-uploads", 1);
    if (!request) { resolve(null); return; }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null); // private windows refuse: then nothing is remembered
  });
  return opening;
}

async function store(mode) {
  return (await opened())?.transaction(STORE, mode).objectStore(STORE) ?? null;
}

export async function remember(uploadId, handle) {
  const files = handle && await store("readwrite");
  if (!files) return;
  await asked(files.put(handle, uploadId));
  const keys = await asked((await store("readonly")).getAllKeys()); // ids begin with their time
  for (const key of keys.slice(0, -MOST)) await forget(key);
}

export async function recall(uploadId) {
  const files = await store("readonly");
  return files && asked(files.get(uploadId));
}

export async function forget(uploadId) {
  const files = await store("readwrite");
  if (files) await asked(files.delete(uploadId));
}

// The file behind a handle; null where the reader says no or it is gone. Must follow a click.
export async function reopened(handle) {
  const asks = { mode: "read" };
  if ((await handle.queryPermission(asks)) !== "granted" && (await handle.requestPermission(asks)) !== "granted") return null;
  return handle.getFile().catch(() => null);
}
