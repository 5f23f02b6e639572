// How many parts are on their way at a time, of all files of one call together.

export class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Waits for a lane and begins; what is begun may still be under way when this resolves. */
  async begin<T>(work: () => Promise<T>): Promise<{ done: Promise<T> }> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
    const done = work().finally(() => this.#leave());
    done.catch(() => undefined); // whoever waits for all of them hears of it
    return { done };
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
