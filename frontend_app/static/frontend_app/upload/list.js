// A list of any length of which only the visible rows exist. Rows may differ in height; arrow keys move between them.

const OVERSCAN = 4;
const ROUNDS = 3;
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity };

export class VirtualList {
  #items = [];
  #rows = new Map(); // item → its row, where there is one
  #heights = new WeakMap();
  #usual = 60;
  #tops = [0];
  #current = null;
  #isDue = false;

  // `make()` gives an empty row, `fill(row, item)` puts the item into it.
  constructor(scroll, { make, fill }) {
    Object.assign(this, { scroll, list: scroll.querySelector("ul"), make, fill });
    scroll.addEventListener("scroll", () => this.redraw(), { passive: true });
    new ResizeObserver(() => { this.#heights = new WeakMap(); this.redraw(); }).observe(scroll);
    this.list.addEventListener("keydown", (event) => this.#step(event));
    this.list.addEventListener("focusin", (event) => this.#choose(event.target.closest("li").item));
  }

  show(items) {
    this.#items = items;
    this.redraw();
  }

  redraw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => { this.#isDue = false; this.#draw(); });
  }

  // To the row of an item, wherever it is.
  focus(item) {
    this.#choose(item);
    this.#bring(this.#items.indexOf(item));
    this.#draw();
    this.#rows.get(item)?.focus();
  }

  // Heights are known only of rows that are there; a frame drawn with those of before would be seen to jump.
  #draw() {
    for (let round = 0; round < ROUNDS; round += 1) {
      this.#drawOnce();
      if (!this.#learn()) return;
    }
    this.redraw();
  }

  #drawOnce() {
    this.#measure();
    const { scrollTop, clientHeight } = this.scroll;
    const first = Math.max(0, this.#at(scrollTop) - OVERSCAN);
    const last = Math.min(this.#items.length, this.#at(scrollTop + clientHeight) + 1 + OVERSCAN);
    const shown = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
    const focused = this.#rows.get(this.#current)?.contains(document.activeElement) ? this.#items.indexOf(this.#current) : -1;
    // The row that has the focus stays, or the reader would be thrown back to the top of the page.
    if (focused >= last) shown.push(focused);
    else if (focused >= 0 && focused < first) shown.unshift(focused);
    this.#place(shown);
  }

  #measure() {
    let top = 0;
    this.#tops = [0];
    for (const item of this.#items) this.#tops.push(top += this.#heights.get(item) ?? this.#usual);
    this.list.style.height = `${top}px`;
  }

  // The index of the row at so many pixels from the top.
  #at(pixels) {
    let low = 0, high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tops[middle + 1] <= pixels) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, Math.max(0, this.#items.length - 1));
  }

  #place(shown) {
    const wanted = new Set(shown.map((at) => this.#items[at]));
    for (const [item, row] of this.#rows) {
      if (wanted.has(item)) continue;
      row.remove();
      this.#rows.delete(item);
    }
    if (!wanted.has(this.#current)) this.#current = this.#items[shown[Math.min(this.#at(this.scroll.scrollTop) - shown[0], shown.length - 1)]] ?? null;
    let node = this.list.firstElementChild;
    for (const at of shown) {
      const item = this.#items[at];
      const row = this.#rows.get(item) ?? this.#made(item);
      if (row === node) node = node.nextElementSibling;
      else this.list.insertBefore(row, node);
      this.fill(row, item);
      row.style.transform = `translateY(${this.#tops[at]}px)`;
      row.setAttribute("aria-posinset", at + 1);
      row.setAttribute("aria-setsize", this.#items.length);
      this.#reach(row, item === this.#current);
    }
  }

  #made(item) {
    const row = this.make(item);
    row.item = item;
    this.#rows.set(item, row);
    return row;
  }

  // One row at a time is in the order of the Tab key, or ten thousand files would stand between the reader and the form.
  #reach(row, isCurrent) {
    for (const node of [row, ...row.querySelectorAll("button")]) node.tabIndex = isCurrent ? 0 : -1;
  }

  #learn() {
    let isNews = false;
    for (const [item, row] of this.#rows) {
      const height = Math.ceil(row.getBoundingClientRect().height); // rounded down, the next row would cover this one's line
      if (!height || (this.#heights.get(item) ?? this.#usual) === height) continue;
      this.#heights.set(item, height);
      if (!item.error) this.#usual = height;
      isNews = true;
    }
    return isNews;
  }

  #choose(item) {
    const before = this.#rows.get(this.#current);
    if (before) this.#reach(before, false);
    this.#current = item;
    const now = this.#rows.get(item);
    if (now) this.#reach(now, true);
  }

  #step(event) {
    const step = STEPS[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const at = this.#items.indexOf(event.target.closest("li").item);
    this.focus(this.#items[Math.max(0, Math.min(this.#items.length - 1, at + step))]);
  }

  #bring(at) {
    this.#measure();
    const { scrollTop, clientHeight } = this.scroll;
    if (this.#tops[at] < scrollTop) this.scroll.scrollTop = this.#tops[at];
    else if (this.#tops[at + 1] > scrollTop + clientHeight) this.scroll.scrollTop = this.#tops[at + 1] - clientHeight;
  }
}
