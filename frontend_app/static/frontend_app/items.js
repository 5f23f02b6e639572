// The grid of a fan-out's items: drawn on a canvas from a letter each, so that ten thousand cost ten kilobytes and one
// element. Arrow keys move among the cells, or among those that are chosen; the line below says what the cell is.
"use strict";

(() => {
  const panel = document.getElementById("items-panel");
  if (!panel) return;
  const TALLEST = 460;
  const SIZES = [18, 14, 11, 9, 7, 6, 5];
  const COLOURS = { W: "--edge", R: "--busy", S: "--good", F: "--bad", T: "--bad", C: "--calm", K: "--calm" };
  const probe = panel.querySelector("[data-probe]");
  const grids = new Map(); // by step: what is shown and where the reader is in it

  const expand = (text) => text.replace(/([A-Z])(\d+)/g, (_, letter, n) => letter.repeat(Number(n)));

  // The tokens say light and dark at once; only a property that is a colour says which of them holds now.
  function palette() {
    const found = {};
    for (const [letter, token] of Object.entries(COLOURS)) {
      probe.dataset.token = token;
      found[letter] = getComputedStyle(probe).color;
    }
    probe.dataset.token = "--focus";
    return { ...found, focus: getComputedStyle(probe).color };
  }

  function frame(source) {
    const step = source.dataset.step;
    const box = document.createElement("div");
    box.className = "grid-box";
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", worded("Items of %(title)s. Arrow keys move, Enter opens the log.", { title: source.dataset.title }));
    const said = document.createElement("div");
    said.className = "grid-said";
    said.setAttribute("role", "status");
    const hint = document.createElement("p");
    hint.className = "small muted";
    hint.textContent = gettext("Choose a cell, by pointer or arrow keys.");
    said.append(hint);
    box.append(canvas, said);
    const grid = { step, box, canvas, said, cells: "", only: "", at: -1, told: -1, opens: false, turn: 0, size: 18, columns: 1, timer: null };
    canvas.addEventListener("click", (event) => pick(grid, under(grid, event), 0));
    canvas.addEventListener("pointermove", (event) => {
      const at = under(grid, event);
      canvas.title = at < 0 ? "" : worded("item %(number)s", { number: at });
    });
    canvas.addEventListener("keydown", (event) => move(grid, event));
    grids.set(step, grid);
    return grid;
  }

  function under(grid, event) {
    const box = grid.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / grid.size);
    const at = Math.floor((event.clientY - box.top) / grid.size) * grid.columns + column;
    return column < grid.columns && at < grid.cells.length ? at : -1;
  }

  function measure(grid) {
    const width = grid.box.clientWidth;
    for (const size of SIZES) {
      [grid.size, grid.columns] = [size, Math.max(1, Math.floor(width / size))];
      if (Math.ceil(grid.cells.length / grid.columns) * size <= TALLEST) break;
    }
  }

  function draw(grid) {
    measure(grid);
    const rows = Math.ceil(grid.cells.length / grid.columns);
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [grid.columns * grid.size, rows * grid.size];
    grid.canvas.width = width * scale;
    grid.canvas.height = height * scale;
    grid.canvas.style.width = `${width}px`;
    const pen = grid.canvas.getContext("2d");
    pen.scale(scale, scale);
    const colours = palette();
    for (let at = 0; at < grid.cells.length; at += 1) cell(pen, grid, at, colours);
    if (grid.at >= 0) {
      pen.globalAlpha = 1;
      pen.strokeStyle = colours.focus;
      pen.lineWidth = 2;
      const [x, y] = place(grid, grid.at);
      pen.strokeRect(x - 0.5, y - 0.5, grid.size, grid.size);
    }
  }

  const place = (grid, at) => [(at % grid.columns) * grid.size, Math.floor(at / grid.columns) * grid.size];

  // Not by colour alone: what failed fills its cell, what waits is an outline, what was left out is a dot.
  function cell(pen, grid, at, colours) {
    const letter = grid.cells[at];
    const [x, y] = place(grid, at);
    const side = grid.size - 1;
    const shown = letter === "S" ? 0.55 : 1; // so that among ten thousand that went well the few others are seen
    pen.globalAlpha = grid.only && grid.only !== letter ? 0.12 : shown;
    pen.fillStyle = pen.strokeStyle = colours[letter];
    pen.lineWidth = 1;
    if (letter === "F" || letter === "T") pen.fillRect(x, y, grid.size, grid.size);
    else if (letter === "W") pen.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
    else if (letter === "C" || letter === "K") pen.fillRect(x + side / 3, y + side / 3, side / 3, side / 3);
    else pen.fillRect(x, y, side, side);
  }

  // The next cell that is shown, from `at` in steps of `by`.
  function step(grid, at, by) {
    for (let next = at + by; next >= 0 && next < grid.cells.length; next += by) {
      if (!grid.only || grid.cells[next] === grid.only) return next;
    }
    return grid.at;
  }

  function move(grid, event) {
    const rows = grid.only ? 1 : grid.columns; // among chosen ones, down is simply the next
    const last = grid.cells.length;
    const ways = {
      ArrowRight: () => step(grid, grid.at, 1), ArrowLeft: () => step(grid, grid.at < 0 ? last : grid.at, -1),
      ArrowDown: () => step(grid, grid.at < 0 ? -rows : grid.at, rows), ArrowUp: () => step(grid, grid.at, -rows),
      Home: () => step(grid, -1, 1), End: () => step(grid, last, -1),
    };
    if (event.key === "Enter" && grid.at >= 0) {
      open(grid);
    } else if (ways[event.key]) {
      event.preventDefault();
      pick(grid, ways[event.key](), 120);
    }
  }

  // What is told may still be of the cell before: then the log is opened as soon as this one is.
  function open(grid) {
    if (grid.told === grid.at) {
      grid.said.querySelector("a[data-log-open]")?.click();
      return;
    }
    grid.opens = true;
    clearTimeout(grid.timer);
    tell(grid);
  }

  function pick(grid, at, wait) {
    if (at < 0) return;
    grid.at = at;
    grid.opens = false;
    draw(grid);
    clearTimeout(grid.timer);
    grid.timer = setTimeout(tell, wait, grid); // a held arrow key asks once, where it stops
  }

  async function tell(grid) {
    const [mine, at] = [++grid.turn, grid.at];
    try {
      const answer = await fetch(`${panel.dataset.item}${grid.step}/${at}/`, { credentials: "same-origin" });
      const html = await answer.text();
      if (mine !== grid.turn) return;
      const opens = grid.opens && at === grid.at;
      grid.opens = false;
      if (!answer.ok || answer.redirected) return;
      grid.said.innerHTML = html;
      grid.told = at;
      if (opens) open(grid);
    } catch {
      if (mine !== grid.turn) return;
      grid.opens = false;
      grid.said.textContent = gettext("What this item is could not be fetched. Choose it once more.");
    }
  }

  function show() {
    const sources = panel.querySelectorAll("[data-cells]");
    panel.hidden = sources.length === 0;
    for (const source of sources) {
      const grid = grids.get(source.dataset.step) ?? frame(source);
      const cells = expand(source.dataset.cells);
      const hasChanged = grid.at >= 0 && cells[grid.at] !== grid.cells[grid.at];
      grid.cells = cells;
      if (grid.only && !cells.includes(grid.only)) grid.only = "";
      for (const button of source.querySelectorAll("[data-only]")) {
        button.setAttribute("aria-pressed", String(button.dataset.only === grid.only));
      }
      source.append(grid.box); // the old one went with what was swapped; this is the same, with its place and focus
      draw(grid);
      if (hasChanged) tell(grid);
    }
  }

  panel.addEventListener("click", (event) => {
    const button = event.target.closest("[data-only]");
    if (!button) return;
    const grid = grids.get(button.closest("[data-step]").dataset.step);
    grid.only = grid.only === button.dataset.only ? "" : button.dataset.only;
    show();
    if (grid.only) pick(grid, step(grid, -1, 1), 0);
  });
  document.addEventListener("esteira:swapped", show);
  new ResizeObserver(() => { for (const grid of grids.values()) if (grid.box.isConnected) draw(grid); }).observe(panel);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
})();
