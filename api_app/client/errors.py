"""What can go wrong: a sentence for people, a stable code for programs, an exit code for scripts."""

from collections.abc import Mapping, Sequence
from typing import Any

EXIT_SUCCEEDED = 0
EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_CANCELED = 3
EXIT_UNREACHABLE = 4
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


class EsteiraError(Exception):
    """Something went wrong."""

    code = "error"
    exit_code = EXIT_REFUSED

    def __init__(self, sentence: str, *, code: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code or self.code


class StoppedError(Exception):
    """The person pressed Ctrl-C, or the caller gave up: whatever runs ends at its next step."""


class RequestError(EsteiraError):
    """What was asked for cannot be done as asked."""

    code = "bad_request"


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

    def __init__(self, sentence: str, *, state: str) -> None:
        super().__init__(sentence)
        self.state = state


class NotLoggedInError(EsteiraError):
    """No address or token of a platform is known."""

    code = "not_logged_in"
    exit_code = EXIT_UNREACHABLE


class UnreachableError(EsteiraError):
    """The platform does not answer, or what answers is no platform."""

    code = "unreachable"
    exit_code = EXIT_UNREACHABLE


class DamagedTransferError(EsteiraError):
    """Bytes arrived that are not the bytes that were sent."""

    code = "damaged_transfer"
    exit_code = EXIT_UNREACHABLE


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
        # Who you are and whether the platform works are one question for a script: "can I talk to it at all?"
        self.exit_code = EXIT_UNREACHABLE if status in {401, 403} or status >= 500 else EXIT_REFUSED  # noqa: PLR2004
