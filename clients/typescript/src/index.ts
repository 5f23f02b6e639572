// For browsers, Deno, Bun and workers; Node is given ./node/index.js.

export { Esteira, type Given, type Options, type RunOptions, type VerifyOptions, type WaitOptions } from "./esteira.js";
export * from "./errors.js";
export type { News } from "./events.js";
export type { components, operations, paths } from "./contract.js";
export { hasEnded } from "./shapes.js";
export type * from "./shapes.js";
export { opened, readKeys, type Key, type Statement } from "./signatures.js";
export type { Outcome, UploadOptions } from "./uploads/fleet.js";
export type { Source } from "./uploads/sources.js";
export { subjectsOf, type Subject, type Verdict, type Verified } from "./verifying.js";
