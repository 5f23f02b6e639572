"""What can go wrong: a sentence for people, a stable code for programs, an exit code for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

from api_app.client.exit_codes import ExitCode, exit_code_of


class EsteiraError(Exception):
    """Something went wrong."""

    code = "error"
    exit_code = ExitCode.USAGE

    def __init__(self, sentence: str, *, code: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code or self.code


class StoppedError(Exception):
    """The person pressed Ctrl-C, or the caller gave up: whatever runs ends at its next step."""


class RequestError(EsteiraError):
    """What was asked for cannot be done as asked."""

    code = "bad_request"


class NotFoundError(RequestError):
    """There is no such thing, or nobody here may see it."""

    code = "not_found"
    exit_code = ExitCode.NOT_FOUND


class LocalFileError(EsteiraError):
    """A file or folder of this machine cannot be read or written."""

    code = "local_file"


class FileChangedError(LocalFileError):
    """What was sent are not the bytes of one state of the file."""

    code = "file_changed"

    def __init__(self, path: object) -> None:
        super().__init__(
            f"{path}: the file changed while it was sent. Nothing of it is kept; send it again when it is complete."
        )


class UploadEndedError(EsteiraError):
    """The upload is over, and not because everything has arrived. `state` is the platform's word for it."""

    code = "upload_ended"
    exit_code = ExitCode.REFUSED

    def __init__(self, sentence: str, *, state: str) -> None:
        super().__init__(sentence)
        self.state = state


class NotLoggedInError(EsteiraError):
    """No address or token of a platform is known."""

    code = "not_logged_in"
    exit_code = ExitCode.NOT_SIGNED_IN


class UnreachableError(EsteiraError):
    """The platform does not answer, or what answers is no platform."""

    code = "unreachable"
    exit_code = ExitCode.UNREACHABLE


class DamagedTransferError(EsteiraError):
    """Bytes arrived that are not the bytes that were sent."""

    code = "damaged_transfer"
    exit_code = ExitCode.UNREACHABLE


class ProblemError(EsteiraError):
    """The platform said no (RFC 9457). `code` is the platform's own, `problem` all that it said."""

    def __init__(
        self,
        sentence: str,
        *,
        code: str,
        status: int,
        errors: Sequence[tuple[str, str]] = (),
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence, code=code)
        self.status = status
        self.problem = dict(problem or {})
        self.errors = list(errors)
        self.retry_after_s = 0.0
        self.exit_code = exit_code_of(status)
