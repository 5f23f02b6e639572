// Sends files, four at a time, each with its own bar. Says "esteira:files" whenever the list of files changes.
"use strict";

(() => {
  const form = document.getElementById("new-job");
  if (!form) return;
  const AT_ONCE = 4;
  const list = document.getElementById("picks");
  const drop = document.getElementById("drop");
  const template = document.getElementById("pick-template");
  const total = document.getElementById("total");
  const said = document.getElementById("said");
  const queue = []; // what waits for its turn
  const uploads = new Set(); // everything begun on this page and not removed
  let running = 0;

  function size(bytes) {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let n = 0;
    while (bytes >= 1024 && n < units.length - 1) { bytes /= 1024; n += 1; }
    return n ? `${bytes.toFixed(1)} ${units[n]}` : `${bytes} B`;
  }

  function add(file) {
    const row = template.content.firstElementChild.cloneNode(true);
    const upload = { file, row, sent: 0, state: "waiting", request: null };
    row.querySelector("bdi").textContent = file.name;
    row.querySelector("[data-note]").textContent = size(file.size);
    row.querySelector("progress").setAttribute("aria-label", `Upload of ${file.name}`);
    row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${file.name}`);
    row.querySelector("[data-retry]").setAttribute("aria-label", `Send ${file.name} again`);
    row.querySelector("[data-retry]").addEventListener("click", () => again(upload));
    row.upload = upload;
    list.append(row);
    list.hidden = false;
    uploads.add(upload);
    queue.push(upload);
  }

  function addAll(files) {
    for (const file of files) add(file);
    if (files.length) said.textContent = `${files.length} files added.`;
    pump();
  }

  function pump() {
    while (running < AT_ONCE && queue.length) send(queue.shift());
    show();
  }

  function send(upload) {
    running += 1;
    upload.state = "sending";
    const { file, row } = upload;
    const request = new XMLHttpRequest();
    upload.request = request;
    const query = new URLSearchParams({ name: file.name, workspace: form.dataset.workspace });
    request.open("POST", `${form.dataset.upload}?${query}`);
    request.setRequestHeader("Authorization", `Ticket ${form.dataset.ticket}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      upload.sent = event.loaded;
      row.querySelector("progress").value = file.size ? event.loaded / file.size : 1;
      show();
    });
    request.addEventListener("loadend", () => {
      running -= 1;
      if (upload.state === "sending") finish(upload, request);
      pump();
    });
    request.send(file);
  }

  function finish(upload, request) {
    const { row } = upload;
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch { /* no JSON: the status alone has to do */ }
    if (request.status === 201 && answer.file) {
      upload.state = "done";
      upload.sent = upload.file.size;
      Object.assign(row.dataset, { id: answer.file.id, type: answer.file.media_type, size: answer.file.size, name: answer.file.name });
      row.querySelector("progress").remove();
      document.dispatchEvent(new Event("esteira:files"));
      return;
    }
    upload.state = "failed";
    upload.sent = 0;
    const away = "The connection broke off. Your file is still here: send it again.";
    const error = row.querySelector(".error");
    error.textContent = request.status ? answer.detail || `The server answered ${request.status}. Send it again.` : away;
    error.hidden = false;
    row.querySelector("progress").value = 0;
    row.querySelector("[data-retry]").hidden = false;
    said.textContent = `${upload.file.name} was not sent. ${error.textContent}`;
  }

  function again(upload) {
    if (upload.state !== "failed") return;
    upload.state = "waiting";
    upload.row.querySelector(".error").hidden = true;
    upload.row.querySelector("[data-retry]").hidden = true;
    queue.push(upload);
    pump();
  }

  function remove(row) {
    const after = row.nextElementSibling || row.previousElementSibling;
    const upload = row.upload;
    if (upload) {
      uploads.delete(upload);
      if (queue.includes(upload)) queue.splice(queue.indexOf(upload), 1);
      const wasSending = upload.state === "sending";
      upload.state = "removed";
      if (wasSending) upload.request.abort();
    }
    row.remove();
    list.hidden = !list.children.length;
    (after?.querySelector("[data-remove]") || document.getElementById("pick-files")).focus();
    document.dispatchEvent(new Event("esteira:files"));
    show();
  }

  function show() {
    const all = [...uploads];
    const failed = all.filter((u) => u.state === "failed").length;
    const done = all.filter((u) => u.state === "done").length;
    const bytes = all.reduce((sum, u) => sum + u.file.size, 0);
    const sent = all.reduce((sum, u) => sum + Math.min(u.sent, u.file.size), 0);
    total.hidden = all.length === 0 || done === all.length;
    total.querySelector("progress").value = bytes ? sent / bytes : done / (all.length || 1);
    const line = `${done} of ${all.length} files sent, ${size(sent)} of ${size(bytes)}${failed ? `, ${failed} failed` : ""}`;
    document.getElementById("total-text").textContent = line;
    document.getElementById("bulk").hidden = failed < 2;
    const open = all.length - done - failed;
    if (form.dataset.open && open === 0 && !failed) said.textContent = "All files are sent.";
    form.dataset.open = open || "";
    form.dataset.failed = failed || "";
    document.dispatchEvent(new Event("esteira:uploads"));
  }

  // Folders that are dropped come as entries, a hundred at a time.
  async function filesIn(entry) {
    if (entry.isFile) return [await new Promise((ok, no) => { entry.file(ok, no); })];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const part = await new Promise((ok, no) => { reader.readEntries(ok, no); });
      if (!part.length) return found;
      for (const child of part) found.push(...await filesIn(child));
    }
  }

  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.dataset.over = ""; });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => delete drop.dataset.over);
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = Array.from(event.dataTransfer.items, (item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = Array.from(event.dataTransfer.files);
    const found = [];
    try {
      for (const entry of entries) found.push(...await filesIn(entry));
      addAll(entries.length ? found : plain);
    } catch {
      said.textContent = "That folder could not be read. Choose it with the button instead.";
    }
  });
  // A file dropped beside the zone must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  for (const kind of ["file", "folder"]) {
    const input = document.getElementById(`${kind}-input`);
    document.getElementById(`pick-${kind === "file" ? "files" : "folder"}`).addEventListener("click", () => input.click());
    input.addEventListener("change", () => { addAll([...input.files]); input.value = ""; });
  }
  list.addEventListener("click", (event) => {
    if (event.target.closest("[data-remove]")) remove(event.target.closest(".pick"));
  });
  document.getElementById("retry-all").addEventListener("click", () => { for (const u of uploads) again(u); });
  window.addEventListener("beforeunload", (event) => { if (form.dataset.open) event.preventDefault(); });
})();
