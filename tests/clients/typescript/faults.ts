// What the client does when the platform is busy, silent, someone else or a liar: each test has a small server of its own.

import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdtemp, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { test } from "node:test";
import { BadSignatureError, Esteira, NotCheckableError, ProblemError, UnreachableError, opened, readKeys } from "@esteira/client";

const JOB = { id: "0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52", state: "SUCCEEDED" };

async function served(listener: RequestListener, use: (client: Esteira, url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await use(new Esteira({ url, token: "secret", patienceMs: 5_000 }), url);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** Answers one after the other, the last one for ever; keeps what was asked. */
function answering(...answers: ((request: IncomingMessage, response: ServerResponse) => void)[]): { listener: RequestListener; asked: IncomingMessage[] } {
  const asked: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request);
    request.resume();
    answers[Math.min(asked.length, answers.length) - 1]?.(request, response);
  };
  return { listener, asked };
}

function says(status: number, body: unknown, headers: Record<string, string> = {}): (_: unknown, response: ServerResponse) => void {
  return (_, response) => void response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

const cut = (request: IncomingMessage): void => void request.socket.destroy();
const keysOf = (asked: IncomingMessage[]): unknown[] => asked.map(({ headers }) => headers["idempotency-key"]);

test("a busy platform is asked again, when it says, with the same key", async () => {
  const { listener, asked } = answering(says(503, {}), says(429, {}, { "retry-after": "2" }), cut, says(201, JOB));
  await served(listener, async (client) => {
    const began = Date.now();
    assert.equal((await client.run("inspect", [JOB.id])).id, JOB.id);
    assert(Date.now() - began >= 2000); // more than all pauses would be without it
  });
  assert.equal(asked.length, 4);
  assert.equal(new Set(keysOf(asked)).size, 1);
  assert.match(String(keysOf(asked)[0]), /^[\x21-\x7e]{16,64}$/);
});

test("a call whose first try is still under way is asked again", async () => {
  const { listener, asked } = answering(says(409, { code: "request_in_progress" }), says(202, JOB));
  await served(listener, async (client) => void (await client.retry(JOB.id)));
  assert.equal(asked.length, 2);
});

test("a call that may have been done, and has no key, is not made twice", async () => {
  const { listener, asked } = answering(cut, says(201, {}));
  await served(listener, async ({ api }) => {
    await assert.rejects(api.POST("/api/v1/tokens", { body: { name: "mine" } }), UnreachableError);
  });
  assert.equal(asked.length, 1);
});

test("a refusal is a ProblemError with the platform's code", async () => {
  const problem = { type: "about:blank", title: "Conflict", status: 409, detail: "It has ended.", code: "job_finished" };
  await served(answering(says(409, problem)).listener, async (client) => {
    await assert.rejects(client.cancel(JOB.id), (fault: unknown) => {
      assert(fault instanceof ProblemError);
      assert.deepEqual([fault.code, fault.status, fault.message, fault.problem], ["job_finished", 409, "It has ended.", problem]);
      return true;
    });
  });
});

test("somebody else's page is not taken for Esteira's", async () => {
  const page = (_: unknown, response: ServerResponse): void => void response.writeHead(200, { "content-type": "text/html" }).end("<p>hello");
  await served(answering(page).listener, async (client) => void (await assert.rejects(client.me(), /does not look like Esteira/)));
});

test("a token does not travel to where an answer points", async () => {
  const { listener: there, asked } = answering(says(200, {}));
  await served(there, async (_, other) => {
    const { listener } = answering((__, response) => void response.writeHead(307, { location: `${other}/api/v1/me` }).end());
    await served(listener, async (client) => void (await assert.rejects(client.me(), UnreachableError)));
  });
  assert.equal(asked.length, 0);
});

test("a download is led to object storage without the token", async () => {
  const file = { id: JOB.id, name: "a.txt", size: 5, sha256: "", media_type: "text/plain" };
  const { listener: there, asked } = answering((_, response) => void response.end("hello"));
  await served(there, async (_, storage) => {
    const { listener } = answering(says(200, file), (__, response) => void response.writeHead(307, { location: `${storage}/bucket/key` }).end());
    await served(listener, async (client) => assert.equal(await (await client.content(JOB.id)).text(), "hello"));
  });
  assert.equal(asked[0]?.headers.authorization, undefined);
});

test("a platform that is not there is said so at once", async () => {
  const client = new Esteira({ url: "http://127.0.0.1:9" });
  const began = Date.now();
  await assert.rejects(client.me(), UnreachableError);
  assert(Date.now() - began < 4_000);
});

test("an id cannot ask for something else", async () => {
  const { listener, asked } = answering(says(200, JOB));
  await served(listener, async (client) => {
    for (const id of ["", "..", "a/b", "a?b", "a%2fb", "a b"]) await assert.rejects(async () => client.job(id), { code: "bad_request" });
  });
  assert.equal(asked.length, 0);
});

test("events go on after the last one, none twice, and a resync is told", async () => {
  const event = (id: number): string => `id: ${id}\nevent: job\ndata: ${JSON.stringify({ id, kind: "job" })}\n\n`;
  const stream = (text: string) => (_: unknown, response: ServerResponse): void => void response.writeHead(200, { "content-type": "text/event-stream" }).end(text);
  const resync = 'id: 2\nevent: resync\ndata: {"after": 2}\n\n';
  const { listener, asked } = answering(stream(`: here\n\n${event(7)}${event(8)}`), cut, stream(event(8) + event(9)), stream(resync + event(3)));
  await served(listener, async (client) => {
    const seen: unknown[] = [];
    for await (const news of client.workspaceEvents("lab")) {
      seen.push(news.kind === "event" ? news.event.id : `resync ${news.after}`);
      if (seen.length === 5) break;
    }
    assert.deepEqual(seen, [7, 8, 9, "resync 2", 3]);
  });
  assert.deepEqual(asked.map(({ headers }) => headers["last-event-id"]), [undefined, "8", "8", "9"]);
});

test("who stops listening leaves no connection behind", async () => {
  let isClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (isClosed = resolve));
  const listener: RequestListener = (_, response) => {
    response.on("close", () => isClosed());
    response.writeHead(200, { "content-type": "text/event-stream" }).write('id: 1\ndata: {"id": 1, "kind": "job"}\n\n');
  };
  await served(listener, async (client) => {
    for await (const _ of client.events(JOB.id)) break;
    await closed;
  });
});

test("a token that cannot be had any more ends the watch and not the program", async () => {
  let asked = 0;
  const token = async (): Promise<string> => {
    asked += 1;
    if (asked > 1) throw new Error("the vault is closed");
    return "secret";
  };
  await served(says(200, { ...JOB, state: "RUNNING" }), async (_, url) => {
    const client = new Esteira({ url, token });
    await assert.rejects(async () => {
      for await (const job of client.watch(JOB.id)) assert.equal(job.state, "RUNNING");
    }, /the vault is closed/);
  });
});

const STATEMENT = { _type: "https://in-toto.io/Statement/v1", subject: [], predicate: {} };
const KIND = "application/vnd.in-toto+json";

function envelope(key: KeyObject, statement: unknown, kind = KIND): string {
  const payload = Buffer.from(JSON.stringify(statement));
  const said = Buffer.concat([Buffer.from(`DSSEv1 ${kind.length} ${kind} ${payload.length} `), payload]);
  return JSON.stringify({ payloadType: kind, payload: payload.toString("base64"), signatures: [{ keyid: "", sig: sign(null, said, key).toString("base64") }] });
}

test("only what a trusted key signed counts, and nothing that a revoked one did", async () => {
  const [ours, theirs] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
  const jwk = ours.publicKey.export({ format: "jwk" });
  const keys = await readKeys(JSON.stringify({ keys: [jwk] }));
  assert.deepEqual((await opened(envelope(ours.privateKey, STATEMENT), keys)).statement, STATEMENT);
  assert.deepEqual((await opened(envelope(ours.privateKey, STATEMENT), await readKeys(ours.publicKey.export({ format: "pem", type: "spki" }).toString()))).key.id, keys[0]?.id);
  await assert.rejects(opened(envelope(theirs.privateKey, STATEMENT), keys), BadSignatureError);
  const revoked = await readKeys(JSON.stringify({ keys: [{ ...jwk, revoked_at: "2026-11-02T09:14:11Z", revoked_reason: "lost" }] }));
  await assert.rejects(opened(envelope(ours.privateKey, STATEMENT), revoked), /revoked on 2026-11-02: lost/);
  await assert.rejects(opened(envelope(ours.privateKey, STATEMENT, "text/plain"), keys), NotCheckableError);
  await assert.rejects(opened("{}", keys), NotCheckableError);
  await assert.rejects(readKeys("{}"), NotCheckableError);
});

test("names from a server stay in the folder, and no file is written over", async () => {
  const names = ["report.html", "Report.html", "REPORT.html", "../../up.txt", "/etc/passwd", "a/../../b.txt", ".bashrc", "con.txt", "tab\u0007.txt", "report.html/x.txt", "..", "ü".repeat(150) + ".csv"];
  const content = "hello";
  const sha256 = createHash("sha256").update(content).digest("hex");
  const items = names.map((name, at) => ({ id: `0199f6a2-8a31-7c11-a0f2-${String(at).padStart(12, "0")}`, name, size: content.length, sha256 }));
  const listener: RequestListener = (request, response) => {
    if (request.url?.includes("/results")) says(200, { items, next_cursor: null })(request, response);
    else response.end(content);
  };
  const folder = await mkdtemp(join(process.cwd(), "names-"));
  await served(listener, async (client) => {
    await writeFile(join(folder, "report.html"), "mine");
    const paths = (await client.download(JOB.id, folder)).map((path) => relative(folder, path));
    const long = "ü".repeat(98) + ".csv";
    assert.deepEqual(paths, ["report-2.html", "Report.html", "REPORT-3.html", "up.txt", "etc/passwd", "a/b.txt", "_bashrc", "_con.txt", "tab_.txt", "report.html_x.txt", "file", long]);
    assert.equal(await readFile(join(folder, "report.html"), "utf8"), "mine");
    assert.deepEqual((await client.download(JOB.id, folder)).map((path) => relative(folder, path)), paths); // what is there is the same
  });
});

test("an id from a server that is a path leads nowhere", async () => {
  const items = [{ id: "x/../../up", name: "a.txt", size: 5, sha256: null }];
  const top = await mkdtemp(join(process.cwd(), "ids-"));
  await served(says(200, { items, next_cursor: null }), async (client) => {
    await assert.rejects(client.download(JOB.id, join(top, "into")), /neither an id nor a name/);
    assert.deepEqual(await readdir(top), ["into"]);
  });
});

test("a download goes on where it was cut", async () => {
  const content = "0123456789";
  const file = { id: JOB.id, name: "a.txt", size: 10, sha256: createHash("sha256").update(content).digest("hex") };
  const ranges: unknown[] = [];
  const listener: RequestListener = (request, response) => {
    if (request.url?.includes("/results")) return says(200, { items: [file], next_cursor: null })(request, response);
    ranges.push(request.headers.range);
    if (ranges.length > 1) return response.writeHead(206, { "content-range": "bytes 4-9/10" }).end(content.slice(4));
    response.writeHead(200, { "content-length": "10" }).write("0123", () => setTimeout(() => response.destroy(), 50));
    return undefined;
  };
  const folder = await mkdtemp(join(process.cwd(), "cut-"));
  await served(listener, async (client) => {
    const [path = ""] = await client.download(JOB.id, folder);
    assert.equal(await readFile(path, "utf8"), content);
  });
  assert.deepEqual(ranges, [undefined, "bytes=4-"]);
});

test("bytes that arrive changed are thrown away", async () => {
  const file = { id: JOB.id, name: "a.txt", size: 5, sha256: createHash("sha256").update("hello").digest("hex") };
  const listener: RequestListener = (request, response) => {
    if (request.url?.includes("/results")) says(200, { items: [file], next_cursor: null })(request, response);
    else if (request.url?.endsWith("/content")) response.end("hallo");
    else says(200, file)(request, response);
  };
  const folder = await mkdtemp(join(process.cwd(), "changed-"));
  await served(listener, async (client) => {
    await assert.rejects(client.download(JOB.id, folder), { code: "damaged_transfer" });
    await assert.rejects(client.content(JOB.id), { code: "damaged_transfer" });
    assert.deepEqual(await readdir(folder), []);
  });
});
