"""Every call that came, and the bytes of bodies each way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from threading import Condition


@dataclass(frozen=True, slots=True)
class Call:
    """`status` 0: the connection was ended without an answer."""

    operation: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int
    code: str
    bytes_in: int
    bytes_out: int


@dataclass
class Ledger:
    calls: list[Call] = field(default_factory=list)
    _news: Condition = field(default_factory=Condition)

    def add(self, call: Call) -> None:
        with self._news:
            self.calls.append(call)
            self._news.notify_all()

    def clear(self) -> None:
        with self._news:
            self.calls.clear()

    def of(self, operation: str, key: str = "") -> list[Call]:
        return [call for call in list(self.calls) if call.operation == operation and key in {"", call.key}]

    def count(self, *operations: str) -> int:
        """Calls of `operations`, of all where none is named."""
        return sum(not operations or call.operation in operations for call in list(self.calls))

    @property
    def bytes_in(self) -> Counter[str]:
        """By operation."""
        return self._sum("bytes_in")

    @property
    def bytes_out(self) -> Counter[str]:
        return self._sum("bytes_out")

    def _sum(self, name: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for call in list(self.calls):
            total[call.operation] += getattr(call, name)
        return total

    def wait_for(self, operation: str, times: int = 1, seconds: float = 10) -> None:
        """Until so many such calls have ended."""
        with self._news:
            if not self._news.wait_for(lambda: self.count(operation) >= times, seconds):
                raise TimeoutError(f"{operation} came {self.count(operation)} times, not {times}, in {seconds} s")
