"""The queue port: messages from outside, each delivered at least once, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Message:
    """`handle` is what the queue knows this delivery by; `times` counts the deliveries, this one among them."""

    handle: str
    body: str
    times: int


class Queue(Protocol):
    """Every method raises QueueUnavailable (later) or QueueRejected (never)."""

    def receive(self, *, wait_s: int) -> Sequence[Message]:
        """A few, or none after `wait_s`. What is not deleted is delivered again, and at last put aside."""

    def delete(self, message: Message) -> None:
        """It was understood, and what it says is durable."""
