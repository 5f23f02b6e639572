// Sends one file by its path and says which it became. Each step forward goes to the error stream.

import { Esteira } from "@esteira/client";

const [, , path = ""] = process.argv;
const client = new Esteira({ url: process.env["ESTEIRA_URL"] ?? "", token: process.env["ESTEIRA_TOKEN"] ?? "" });
const file = await client.upload(path, { maxParallel: 2, onProgress: (sent) => console.error(sent) });
console.log(JSON.stringify(file));
