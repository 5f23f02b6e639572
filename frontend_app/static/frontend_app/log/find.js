// Finds text in the lines shown. What is found is a highlight of the browser's own: no line is taken apart for it.

const MOST = 10_000;
const WAIT_MS = 150;

export class Find {
  #ranges = [];
  #at = -1;
  #timer = null;

  constructor(input, said, pre, jumped) {
    Object.assign(this, { input, said, pre, jumped });
    input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => { this.look(); this.go(1); }, WAIT_MS);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape" && input.value) {
        event.preventDefault();
        input.value = "";
        this.look();
        pre.focus();
      }
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.focus();
      input.select();
    });
  }

  // Anew over all lines: some may have come, and some gone. Stays at what it was at.
  look() {
    const wanted = this.input.value.toLowerCase();
    const was = this.#ranges[this.#at]?.startContainer;
    this.#ranges = [];
    if (wanted) for (const line of this.pre.children) this.#lookIn(line.lastChild, wanted);
    this.#at = was ? this.#ranges.findIndex((range) => range.startContainer === was) : -1;
    this.#show();
  }

  #lookIn(text, wanted) {
    const said = text.data.toLowerCase();
    if (said.length !== text.length) return; // a letter that grows when it is made small: places would not fit
    for (let at = said.indexOf(wanted); at >= 0 && this.#ranges.length < MOST; at = said.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(text, at);
      range.setEnd(text, at + wanted.length);
      this.#ranges.push(range);
    }
  }

  go(by) {
    const count = this.#ranges.length;
    if (!count) return;
    this.#at = this.#at < 0 && by < 0 ? count - 1 : (this.#at + by + count) % count;
    this.jumped();
    this.#ranges[this.#at].startContainer.parentElement.scrollIntoView({ block: "center", inline: "nearest" });
    this.#show();
  }

  #show() {
    const count = this.#ranges.length;
    const more = count === MOST ? "+" : "";
    if (!this.input.value) this.said.textContent = "";
    else if (!count) this.said.textContent = gettext("Nothing found");
    else this.said.textContent = this.#at < 0
      ? counted("%(number)s found", "%(number)s found", count, { number: `${numbered(count)}${more}` })
      : worded("%(some)s of %(all)s", { some: numbered(this.#at + 1), all: `${numbered(count)}${more}` });
    if (!CSS.highlights) return;
    CSS.highlights.set("found", new Highlight(...this.#ranges));
    CSS.highlights.set("found-now", new Highlight(...this.#ranges.slice(this.#at, this.#at < 0 ? 0 : this.#at + 1)));
  }
}
