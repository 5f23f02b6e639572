"""Many small files in one body: what costs most of a small file is the request that it comes in.

A line `LENGTH ADDRESS`, then exactly so many bytes, and again; the address is the one that was signed for the file's
only part. Each is checked and kept as if it had come alone, and may be sent again as often as one likes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.errors import Invalid, OrchestrationError, WrongLength
from orchestration.services.uploads.limits import BATCH_MAX, BUNDLED_MAX
from orchestration.services.uploads.parts import put_whole
from orchestration.services.uploads.signing import grant_of

if TYPE_CHECKING:
    from collections.abc import Buffer

LINE_MAX: Final = 1_024
_LINE: Final = re.compile(r"(\d{1,9}) (\S+)")


class Bundle:
    """Takes the body piece by piece, wherever it is cut. `outcomes`: None for each file that arrived, or its fault.

    `write` and `close` raise Invalid where the body is no bundle; what came before that place has arrived.
    """

    def __init__(self) -> None:
        self.outcomes: list[OrchestrationError | None] = []
        self._held = bytearray()

    def write(self, data: Buffer) -> None:
        self._held += data
        at = 0
        while (line := self._line(at)) is not None:
            length, address, start = line
            if len(self._held) < start + length:
                break
            self.outcomes.append(_put(address, bytes(self._held[start : start + length])))
            at = start + length
        del self._held[:at]

    def close(self) -> None:
        if self._held or not self.outcomes:
            raise Invalid(f"The body ends in the middle of file {len(self.outcomes) + 1}. Send the rest of it again.")

    def _line(self, at: int) -> tuple[int, str, int] | None:
        """Length, address and where the bytes begin; None while the line is not whole."""
        end = self._held.find(b"\n", at, at + LINE_MAX)
        if end < 0 and len(self._held) - at < LINE_MAX:
            return None
        found = _LINE.fullmatch(self._held[at : max(at, end)].decode("latin-1"))
        if found is None:
            raise Invalid(f"File {len(self.outcomes) + 1} does not begin with a line `LENGTH ADDRESS`.")
        if len(self.outcomes) == BATCH_MAX:
            raise Invalid(f"A body has at most {BATCH_MAX:,} files. Send the rest in another.")
        if (length := int(found[1])) > BUNDLED_MAX:
            raise Invalid(f"File {len(self.outcomes) + 1} is larger than {BUNDLED_MAX:,} bytes: send it alone.")
        return length, found[2], end + 1


def _put(address: str, data: bytes) -> OrchestrationError | None:
    try:
        grant = grant_of(address)
        if not grant.single or grant.length != len(data):
            raise WrongLength(f"This address is not for a whole file of {len(data)} bytes.")
        put_whole(grant, data)
    except OrchestrationError as exc:
        return exc
    return None
