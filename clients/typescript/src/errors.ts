// What can go wrong: a sentence for people, a stable `code` for programs.

import type { Problem } from "./shapes.js";

export class EsteiraError extends Error {
  override readonly name: string = "EsteiraError";

  constructor(
    sentence: string,
    readonly code: string = "error",
    options?: ErrorOptions,
  ) {
    super(sentence, options);
  }
}

/** What was asked for cannot be done as asked. */
export class RequestError extends EsteiraError {
  override readonly name = "RequestError";

  constructor(sentence: string, code = "bad_request") {
    super(sentence, code);
  }
}

/** A file or folder of this machine cannot be read or written. */
export class LocalFileError extends EsteiraError {
  override readonly name: string = "LocalFileError";

  constructor(sentence: string, code = "local_file", options?: ErrorOptions) {
    super(sentence, code, options);
  }
}

/** What was sent are not the bytes of one state of the file. */
export class FileChangedError extends LocalFileError {
  override readonly name = "FileChangedError";

  constructor(name: string, options?: ErrorOptions) {
    super(`${name}: the file changed while it was sent. Nothing of it is kept; send it again when it is complete.`, "file_changed", options);
  }
}

/** The upload is over, and not because everything has arrived. `state` is the platform's word for it. */
export class UploadEndedError extends EsteiraError {
  override readonly name = "UploadEndedError";

  constructor(
    sentence: string,
    readonly state: string,
  ) {
    super(sentence, "upload_ended");
  }
}

/** The platform does not answer, or what answers is no platform. */
export class UnreachableError extends EsteiraError {
  override readonly name = "UnreachableError";

  constructor(sentence: string, options?: ErrorOptions) {
    super(sentence, "unreachable", options);
  }
}

/** Bytes arrived that are not the bytes that were sent. */
export class DamagedTransferError extends EsteiraError {
  override readonly name = "DamagedTransferError";

  constructor(sentence: string) {
    super(sentence, "damaged_transfer");
  }
}

/** This cannot be checked. */
export class NotCheckableError extends EsteiraError {
  override readonly name = "NotCheckableError";

  constructor(sentence: string, options?: ErrorOptions) {
    super(sentence, "not_checkable", options);
  }
}

/** The signature does not hold. */
export class BadSignatureError extends EsteiraError {
  override readonly name = "BadSignatureError";

  constructor(sentence: string) {
    super(sentence, "bad_signature");
  }
}

/** The platform said no (RFC 9457). `code` is the platform's own, `problem` all that it said. */
export class ProblemError extends EsteiraError {
  override readonly name = "ProblemError";

  constructor(
    sentence: string,
    code: string,
    readonly status: number,
    readonly problem: Partial<Problem> = {},
    readonly retryAfterMs = 0,
  ) {
    super(sentence, code);
  }
}
