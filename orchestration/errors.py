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


class OutsideToken(NotFound):
    """There is nothing here that this token may see."""


class Forbidden(OrchestrationError):
    """Your role in this workspace does not allow that."""

    code = "forbidden"


class SecondFactorNeeded(Forbidden):
    """This account needs more than a password. Make the token in the browser, on the page Tokens, and use that one."""

    code = "second_factor_needed"


class Conflict(OrchestrationError):
    """The thing has changed in the meantime. Load it again."""

    code = "conflict"


class EventsGone(OrchestrationError):
    """You are too far behind. Load what you need anew; then events go on after the id in `after`."""

    code = "events_gone"


class TooManyLive(OrchestrationError):
    """You have too many live connections open. Close some, and try again."""

    code = "too_many_live"


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


class NotAllTaken(Invalid):
    """All of these jobs were to be taken or none, and some would be refused."""

    code = "not_all_taken"


class TooDeep(Invalid):
    """The JSON is nested too deep. Send it flatter."""

    code = "too_deep"


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request. Send a new key."""

    code = "idempotency_key_reused"


class RequestInProgress(Conflict):
    """A request with this Idempotency-Key is still under way. Ask again in a moment."""

    code = "request_in_progress"


class UploadRefused(Invalid):
    """The upload was refused."""

    code = "upload_refused"


class DigestMismatch(UploadRefused):
    """The bytes that arrived are not the bytes that were announced. Send the file again."""

    code = "checksum_mismatch"


class TooLarge(UploadRefused):
    """The file is larger than this server accepts."""

    code = "too_large"


class SendDirectly(UploadRefused):
    """Files go straight to the object storage here. Begin an upload: POST /api/v1/uploads as JSON, name and size."""

    code = "send_directly"


class InvalidName(Invalid):
    """The file's name is not usable."""

    code = "invalid_name"


class BadPartNumber(Invalid):
    """There is no part of that number."""

    code = "bad_part_number"


class QuotaExceeded(Forbidden):
    """The workspace has no room for this file. Ask an administrator for more."""

    code = "quota_exceeded"


class BudgetExceeded(Forbidden):
    """The workspace's budget for this month is used up. Ask an administrator to raise it."""

    code = "budget_exceeded"


class TooManyOpenUploads(OrchestrationError):
    """You have too many unfinished uploads. Complete or abort some, then go on."""

    code = "too_many_open_uploads"


class UploadNotOpen(Conflict):
    """The upload takes no more bytes."""

    code = "upload_not_open"


class UploadExpired(UploadNotOpen):
    """The upload was not finished in time and its parts are gone. Begin it again."""

    code = "upload_expired"


class PartsMissing(Conflict):
    """Not all parts have arrived."""

    code = "parts_missing"


class PartBusy(Conflict):
    """Another request is writing this part just now. Try again in a second."""

    code = "part_busy"


class WrongDoor(Conflict):
    """This upload was begun with another protocol. Go on with that one."""

    code = "wrong_door"


class WrongOffset(Conflict):
    """The upload does not continue there. Ask where it does."""

    code = "wrong_offset"


class LengthDiffers(Invalid):
    """This upload was announced with another length."""

    code = "length_differs"


class SignatureInvalid(Forbidden):
    """The signature of this URL does not fit the request. Send exactly the headers that came with it."""

    code = "signature_invalid"


class SignatureExpired(Forbidden):
    """This URL has expired. Sign the part again."""

    code = "signature_expired"


class LengthRequired(OrchestrationError):
    """Send the part with a Content-Length."""

    code = "length_required"


class WrongLength(OrchestrationError):
    """The body is not as long as the URL was signed for."""

    code = "wrong_length"


class PartDamaged(OrchestrationError):
    """The bytes that arrived do not have the checksum that was signed. Nothing was kept; send the part again."""

    code = "checksum_mismatch"


class StorageFull(OrchestrationError):
    """There is no room left on the server's storage. Free some, or ask the administrator."""

    code = "storage_full"


class StorageUnavailable(OrchestrationError):
    """The object storage does not answer just now. Try again in a moment."""

    code = "storage_unavailable"


class StorageRejected(OrchestrationError):
    """The object storage will never accept this."""

    code = "storage_rejected"


class StorageGone(StorageRejected):
    """The object storage has nothing of that name."""


class SigningKeyRevoked(OrchestrationError):
    """Nothing can be signed: the server's key was revoked. An administrator must set another ESTEIRA_SIGNING_KEY."""

    code = "signing_key_revoked"


class ScannerUnavailable(OrchestrationError):
    """The virus scanner does not answer just now. Files wait for it."""

    code = "scanner_unavailable"


class EventRefused(Invalid):
    """This event is not one that we take."""

    code = "event_refused"


class QueueUnavailable(OrchestrationError):
    """The queue of events does not answer just now. Try later."""

    code = "queue_unavailable"


class QueueRejected(OrchestrationError):
    """The queue of events will never accept this."""

    code = "queue_rejected"


class TooManyPasswords(OrchestrationError):
    """Too many wrong passwords were tried. Wait a minute, then try again."""

    code = "too_many_passwords"


class WebhookSecretLost(OrchestrationError):
    """The secret cannot be read with this server's key. Rotate it, and give the receiver the new one."""

    code = "webhook_secret_lost"


class AddressRefused(OrchestrationError):
    """Nothing is sent to this address."""

    code = "address_refused"


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


class EngineBusy(EngineUnavailable):
    """The engine is there, and cannot take this just now. Try later."""

    code = "engine_busy"


class WorkNotReady(EngineUnavailable):
    """The work of this container is not ready yet. Ask again in a moment."""

    code = "work_not_ready"


class EngineRejected(OrchestrationError):
    """The engine will never accept this."""

    code = "engine_rejected"
