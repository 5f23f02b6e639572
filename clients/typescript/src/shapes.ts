// The platform's words for what it sends and takes, from the contract.

import type { components } from "./contract.js";

type Schemas = components["schemas"];

export type Job = Schemas["JobOut"];
export type JobListed = Schemas["JobListed"];
export type JobState = Schemas["JobState"];
export type JobWish = Omit<Schemas["JobIn"], "pipeline" | "inputs" | "validate_only">;
export type ResubmitWish = Schemas["ResubmitIn"];
export type File = Schemas["FileOut"];
export type Event = Schemas["EventOut"];
export type Attempt = Schemas["AttemptOut"];
export type Pipeline = Schemas["PipelineOut"];
export type Me = Schemas["MeOut"];
export type Upload = Schemas["UploadOut"];
export type UploadWish = Schemas["UploadIn"];
export type UploadConfig = Schemas["ConfigOut"];
export type SignedPart = Schemas["PutOut"];
export type PartWish = Schemas["PartIn"];
export type Problem = Schemas["Problem"];
export type Envelope = Schemas["EnvelopeOut"];

const FINISHED: ReadonlySet<JobState> = new Set(["SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"]);

export function hasEnded(job: { state: JobState }): boolean {
  return FINISHED.has(job.state);
}
