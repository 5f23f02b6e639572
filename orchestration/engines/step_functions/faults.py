"""What an error of AWS means: come back later, or never. One table, and a reason for what is not in it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    MissingParametersError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    ValidationError,
)

from orchestration.errors import EngineBusy, EngineRejected, EngineUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger(__name__)


class Verdict(Enum):
    LATER = "AWS is busy or away; the same request will do later."
    MENDABLE = "Something outside of the request must be put right: later, and an administrator is told."
    NEVER = "The same request will get the same answer."


_BUSY: Final = (
    "BandwidthLimitExceeded",
    "ConditionalRequestConflict",
    "EC2ThrottledException",
    "KmsThrottlingException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
    # As many executions are open as the account may have.
    "ExecutionLimitExceeded",
)
_AWAY: Final = (
    "AWSBatchException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "RequestTimeout",
    "RequestTimeoutException",
    "SdkClientException",
    "ServerException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    # A page's token that is too old: the next listing begins anew.
    "InvalidToken",
)
# What an administrator can mend must not fail anybody's job.
_MENDABLE: Final = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KmsAccessDeniedException",
    "KmsInvalidStateException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NoSuchBucket",
    "NotAuthorized",
    "PermanentRedirect",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "StateMachineDeleting",
    "StateMachineDoesNotExist",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
)
_NEVER: Final = (
    # Batch's one word for whatever is wrong with a request.
    "ClientException",
    "ExecutionAlreadyExists",
    "ExecutionDoesNotExist",
    "ExecutionNotRedrivable",
    "InvalidArn",
    "InvalidExecutionInput",
    "InvalidName",
    "InvalidParameterException",
    "PreconditionFailed",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "StateMachineTypeNotSupported",
    "ValidationError",
    "ValidationException",
)
CODES: Final[Mapping[str, Verdict]] = {
    **dict.fromkeys((*_BUSY, *_AWAY), Verdict.LATER),
    **dict.fromkeys(_MENDABLE, Verdict.MENDABLE),
    **dict.fromkeys(_NEVER, Verdict.NEVER),
}
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PASSING: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_SET_UP_WRONGLY: Final = (
    CredentialRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
_ASKED_WRONGLY: Final = (MissingParametersError, ParamValidationError, ValidationError)


def verdict(error: ClientError | BotoCoreError) -> Verdict:
    """For an answer by its code, else by its status; without an answer by what went wrong on this side."""
    if isinstance(error, ClientError):
        return by_code(code_of(error), _status(error))
    if isinstance(error, _SET_UP_WRONGLY):
        return Verdict.MENDABLE
    return Verdict.NEVER if isinstance(error, _ASKED_WRONGLY) else Verdict.LATER


def by_code(code: str, status: int = 0) -> Verdict:
    """A code that nobody here knows: a refusal (4xx) stays one, everything else passes.

    To ask for ever what is always refused would hide a fault; a job that fails says it, and can be retried.
    """
    if status in _REFUSED:
        return Verdict.MENDABLE  # Batch says ClientException for a missing permission too
    if known := CODES.get(code):
        return known
    if "throttl" in code.lower() or status in _PASSING:
        return Verdict.LATER
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return Verdict.NEVER if is_refusal else Verdict.LATER


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def translate(error: ClientError | BotoCoreError) -> EngineUnavailable | EngineRejected:
    if isinstance(error, ClientError):
        code = code_of(error)
        said = f"{error.operation_name}: {error.response.get('Error', {}).get('Message') or code} ({code})"
    else:
        code, said = type(error).__name__, str(error)
    match verdict(error):
        case Verdict.NEVER:
            return EngineRejected(f"AWS refused. {said}", reason=code)
        case Verdict.MENDABLE:
            log.error("AWS refuses this server", extra={"reason": code, "error": said})
            return EngineUnavailable(f"AWS refuses this server. {said}", reason=code)
        case Verdict.LATER:
            log.warning("AWS cannot be used just now", extra={"reason": code, "error": said})
            kind = EngineBusy if code in _BUSY or "throttl" in code.lower() else EngineUnavailable
            return kind(f"Waiting for AWS. {said}", reason=code)


@contextmanager
def translated() -> Iterator[None]:
    """Whatever AWS answers becomes EngineUnavailable (later) or EngineRejected (never), with the code as `reason`."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error) from error
