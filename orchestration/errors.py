"""The one exception tree. The docstring is the default message, `code` what clients match on."""

from typing import Any, ClassVar


class OrchestrationError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())
        self.details = details


class NotFound(OrchestrationError):
    """There is nothing here that you may see."""

    code = "not_found"


class Forbidden(OrchestrationError):
    """Your role in this workspace does not allow that."""

    code = "forbidden"


class Conflict(OrchestrationError):
    """The thing has changed in the meantime. Load it again."""

    code = "conflict"


class JobFinished(Conflict):
    """The job has already finished."""

    code = "job_finished"


class JobNotFinished(Conflict):
    """The job has not finished yet. Cancel it first, or wait for its end."""

    code = "job_not_finished"


class NothingToRetry(Conflict):
    """Nothing of this job failed, so there is nothing to run again."""

    code = "nothing_to_retry"


class Invalid(OrchestrationError):
    """The request does not fit."""

    code = "invalid"


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request. Send a new key."""

    code = "idempotency_key_reused"


class UploadRefused(Invalid):
    """The upload was refused."""

    code = "upload_refused"


class DigestMismatch(UploadRefused):
    """The bytes that arrived are not the bytes that were announced. Send the file again."""

    code = "checksum_mismatch"


class TooLarge(UploadRefused):
    """The file is larger than this server accepts."""

    code = "too_large"


class StorageFull(OrchestrationError):
    """There is no room left on the server's storage. Free some, or ask the administrator."""

    code = "storage_full"


class IllegalMove(OrchestrationError):
    """That move is not in the table of moves: a bug."""

    code = "illegal_move"


class AttemptFenced(OrchestrationError):
    """This attempt is over or was given to somebody else. Stop."""

    code = "attempt_fenced"


class LogOffset(OrchestrationError):
    """The log continues at another place."""

    code = "log_offset"


class EngineUnavailable(OrchestrationError):
    """The engine does not answer just now. Try later."""

    code = "engine_unavailable"


class EngineRejected(OrchestrationError):
    """The engine will never accept this."""

    code = "engine_rejected"
