"""The log of an attempt while it grows: bytes in, whole harmless lines out."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api_app.client.screen.neutral import lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api_app.client.asking import LogChunk
    from api_app.client.contract.shapes import Attempt

LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    step: str | None
    item: int | None
    number: int | None

    def choose(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Of every item the newest attempt, or the one with the wanted number."""
        chosen = {
            (one["step"], one["item"]): one
            for one in sorted(attempts, key=lambda one: (one["run"], one["number"]))
            if self._fits(one)
        }
        return sorted(chosen.values(), key=lambda one: one["started_at"] or "~")

    def _fits(self, one: Attempt) -> bool:
        return (
            self.step in {None, one["step"]}
            and self.item in {None, one["item"]}
            and self.number in {None, one["number"]}
        )


@dataclass
class Tail:
    attempt_id: str
    mark: str
    about: Mapping[str, Any] | None = None
    """Given: each line becomes an object with this and its text, as it is."""
    offset: int = 0
    is_complete: bool = False
    _rest: str = ""
    # A chunk may end in the middle of a character.
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def take(self, chunk: LogChunk) -> str:
        self.offset, self.is_complete = chunk["end"], chunk["complete"]
        text = self._rest + self._decoder.decode(chunk["data"], final=self.is_complete)
        whole, end, self._rest = text.rpartition("\n")
        if len(self._rest) > LONGEST_LINE:
            # A line without an end must not fill the memory.
            whole, end, self._rest = text, "\n", ""
        return self._marked(whole + end) + (self.last_words() if self.is_complete else "")

    def last_words(self) -> str:
        """What stands after the last line end, once nothing more comes."""
        rest, self._rest = self._rest, ""
        return self._marked(rest + "\n") if rest else ""

    def _marked(self, text: str) -> str:
        if self.about is not None and text:
            plain = text.removesuffix("\n").split("\n")
            return "".join(json.dumps({**self.about, "text": line}, separators=(",", ":")) + "\n" for line in plain)
        if not self.mark or not text:
            return lines(text)
        return "".join(f"{self.mark}{line}\n" for line in lines(text).removesuffix("\n").split("\n"))
