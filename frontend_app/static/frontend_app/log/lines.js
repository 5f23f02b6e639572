// The lines of a log on the page: numbered where the number of the first is known, only so many of them, text and never markup.

const MOST_CHARACTERS = 512 * 1024;

export class Lines {
  #first = null; // number of the first line here; null: not known
  #next = null; // number of the next one to come
  #isOpen = false; // the last line has no end yet
  #size = 0;

  constructor(pre) {
    this.pre = pre;
    this.page = ""; // where links to lines lead; "": here
  }

  get first() { return this.#first; }
  get size() { return this.#size; }
  get isFull() { return this.#size > MOST_CHARACTERS; }

  clear(first) {
    this.pre.replaceChildren();
    this.pre.classList.toggle("numbered", first !== null);
    [this.#first, this.#next, this.#isOpen, this.#size] = [first, first, false, 0];
  }

  add(text) {
    if (!text) return;
    const pieces = text.split("\n");
    const isWhole = pieces.at(-1) === "";
    if (isWhole) pieces.pop();
    const box = document.createDocumentFragment();
    for (const [at, piece] of pieces.entries()) {
      if (at === 0 && this.#isOpen) this.pre.lastElementChild.lastChild.data += piece;
      else box.append(this.#line(piece));
    }
    this.pre.append(box);
    this.#isOpen = !isWhole;
    this.#size += text.length;
  }

  #line(text) {
    const line = document.createElement("span");
    line.className = "line";
    if (this.#next !== null) {
      line.id = `L${this.#next}`;
      const link = document.createElement("a");
      link.href = `${this.page}#L${this.#next}`;
      link.dataset.n = this.#next;
      link.setAttribute("aria-label", worded("Line %(number)s", { number: this.#next }));
      link.tabIndex = -1; // thousands of stops would be in the way of the keyboard
      line.append(link);
      this.#next += 1;
    }
    line.append(document.createTextNode(text));
    return line;
  }

  // Lines at the beginning give way. Says whether any did.
  trim() {
    let has = false;
    while (this.isFull && this.pre.childElementCount > 1) {
      this.#size -= this.pre.firstElementChild.lastChild.length + 1;
      this.pre.firstElementChild.remove();
      if (this.#first !== null) this.#first += 1;
      has = true;
    }
    return has;
  }

  find(number) {
    return this.pre.querySelector(`#L${number}`);
  }

  mark(number) {
    this.pre.querySelector(".marked")?.classList.remove("marked");
    const line = this.find(number);
    line?.classList.add("marked");
    return line;
  }
}
