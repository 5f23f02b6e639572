// Follows one job twice over: by its events, and by its states. Ends with what it saw.

import { Esteira } from "@esteira/client";

const [, , id = ""] = process.argv;
const client = new Esteira({ url: process.env["ESTEIRA_URL"] ?? "", token: process.env["ESTEIRA_TOKEN"] ?? "" });

async function events(): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of client.events(id)) {
    seen.push(event.id);
    if (event.new === "RUNNING") console.log("running");
  }
  return seen;
}

async function states(): Promise<string[]> {
  const seen: string[] = [];
  for await (const job of client.watch(id)) if (seen.at(-1) !== job.state) seen.push(job.state);
  return seen;
}

const [seen, passed] = await Promise.all([events(), states()]);
console.log(JSON.stringify({ events: seen, states: passed }));
