// Control calls of /api/v1/uploads with the page's ticket. What may pass is tried again without end; the rest is a Problem.

import * as words from "./words.js";
import { aborted } from "./patience.js";

const ANSWER_MS = 120_000;
const SEVERAL_S = 5;

export class Problem extends Error {
  constructor(status, { code = "", detail = "", ...more } = {}) {
    super(words.refused(code, detail) || words.answered(status));
    Object.assign(this, { status, code, more });
  }
}

export function mayPass(status) {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

export class Api {
  #renewing = null;

  constructor({ base, ticket, ticketUrl, workspace, user }, patience) {
    Object.assign(this, { base, ticket, ticketUrl, workspace, user, patience });
  }

  async call(method, path, body, { signal } = {}) {
    const who = Symbol(path);
    let isRenewed = false;
    for (let tries = 0; ; tries += 1) {
      const { status, said, least } = await this.#ask(method, this.base + path, body, signal);
      if (signal?.aborted) throw aborted();
      if (status >= 200 && status < 300) {
        this.patience.over(who);
        return said;
      }
      // An expired ticket is a 403 `forbidden`, which a fresh one does not mend where somebody really may not.
      if (!isRenewed && (status === 401 || (status === 403 && said.code === "forbidden"))) {
        isRenewed = await this.renew();
        continue;
      }
      if (!mayPass(status)) {
        this.patience.over(who);
        throw new Problem(status, said);
      }
      await this.patience.wait(who, tries, { why: words.trouble(status, said), least, signal });
    }
  }

  async #ask(method, url, body, signal) {
    try {
      const answer = await fetch(url, {
        method,
        headers: { Authorization: `Ticket ${this.ticket}`, Prefer: "return=minimal", ...(body ? { "Content-Type": "application/json" } : {}) },
        body: body && JSON.stringify(body),
        cache: "no-store",
        signal: AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])]),
      });
      const text = await answer.text();
      return { status: answer.status, said: parsed(text), least: Number(answer.headers.get("retry-after")) || 0 };
    } catch {
      return { status: 0, said: {}, least: 0 }; // no answer: refused, cut, timed out or aborted
    }
  }

  // A new ticket from the page's session, however long it takes until somebody has signed in again.
  renew() {
    this.#renewing ??= this.#renewed().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  async #renewed() {
    const who = Symbol("ticket");
    for (let tries = 0; ; tries += 1) {
      const { status, said } = await this.#askTicket();
      if (status === 200 && said.user === this.user) {
        this.ticket = said.ticket;
        this.patience.over(who);
        return true;
      }
      if (status === 403 || status === 404) throw new Problem(status, { detail: words.MAY_NOT_SEND });
      const why = status === 200 ? words.otherUser(said.user, this.user) : status === 302 ? words.SIGNED_OUT : words.trouble(status, said);
      await this.patience.wait(who, tries, { why, least: status === 302 ? SEVERAL_S : 0 });
    }
  }

  async #askTicket() {
    try {
      const url = `${this.ticketUrl}?${new URLSearchParams({ workspace: this.workspace })}`;
      const answer = await fetch(url, { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
      if (answer.type === "opaqueredirect") return { status: 302, said: {} }; // to the sign-in page
      return { status: answer.status, said: parsed(await answer.text()) };
    } catch {
      return { status: 0, said: {} };
    }
  }
}

function parsed(text) {
  try { return JSON.parse(text); } catch { return {}; } // no JSON, as from a proxy: the status alone has to do
}
