// Which pipelines fit the files, the form of the chosen one, and when the job can be submitted.
"use strict";

(() => {
  const form = document.getElementById("new-job");
  if (!form) return;
  const submit = document.getElementById("submit");
  const blocked = document.getElementById("blocked");
  const card = document.getElementById("params-card");
  const params = document.getElementById("params");
  let turn = 0;

  const files = () => [...document.querySelectorAll("#picks .pick[data-id]")].map((row) => row.dataset);
  const chosen = () => form.querySelector('input[name="pipeline"]:checked');

  function takes(types, type) {
    const bare = type.split(";")[0].trim().toLowerCase();
    return types.includes("*/*") || types.includes(bare) || types.includes(`${bare.split("/")[0]}/*`);
  }

  // Why this pipeline cannot take these files; "" when it can. The server checks the same again.
  function reason(choice, all) {
    const { types, maxSize, maxFiles } = choice.dataset;
    const wrong = all.find((file) => !takes(types.split(" "), file.type));
    if (wrong) return `Not for ${wrong.name}, which is ${wrong.type}.`;
    const large = maxSize && all.find((file) => Number(file.size) > Number(maxSize));
    if (large) return `Not for ${large.name}: it is too large.`;
    return all.length > Number(maxFiles) ? `Takes at most ${maxFiles} files.` : "";
  }

  function judge() {
    const all = files();
    document.getElementById("files").value = all.map((file) => file.id).join(",");
    for (const choice of form.querySelectorAll(".choice")) {
      const why = reason(choice, all);
      const radio = choice.querySelector("input");
      const text = choice.querySelector("[data-why]");
      radio.disabled = Boolean(why);
      if (why) radio.checked = false;
      text.textContent = why;
      text.hidden = !why;
    }
    show();
  }

  function obstacle() {
    const { open } = form.dataset;
    if (open) return open === "1" ? "One upload is under way." : `${open} uploads are under way.`;
    if (form.dataset.failed) return "Some files were not sent. Send them again or remove them.";
    if (!files().length) return "Add at least one file.";
    if (!chosen()) return "Choose a pipeline.";
    if (params.hasAttribute("aria-busy")) return "The parameters are being loaded.";
    const least = Number(chosen().closest(".choice").dataset.minFiles);
    return files().length < least ? `This pipeline takes at least ${least} files.` : "";
  }

  function show() {
    const why = obstacle();
    submit.disabled = Boolean(why);
    if (blocked.textContent !== why) blocked.textContent = why;
    card.hidden = !chosen();
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
      params.textContent = "The parameters could not be loaded. Choose the pipeline once more.";
      if (chosen()) chosen().checked = false;
    }
    params.removeAttribute("aria-busy");
    show();
  }

  form.addEventListener("change", (event) => { if (event.target.name === "pipeline") choose(); });
  form.addEventListener("submit", () => { setTimeout(() => { submit.disabled = true; }); });
  window.addEventListener("pageshow", judge); // also when the browser goes back to a kept page
  document.addEventListener("esteira:files", judge);
  document.addEventListener("esteira:uploads", show);
  judge();
})();
