"""Events of a job → what both engines must have in common, and what must hold of any sequence whatever.

Steps, and items of a step, go on beside each other, and which of two commits first is chance. So the canonical form
has a lane for the job, for each step and for each item, in order; between lanes only what one causes in the other is
looked at, and `disorder` says where that was broken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from orchestration.states import ATTEMPT_FINISHED, FINISHED, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orchestration.models import Event

type Lanes = dict[str, list[str]]

JOB: Final = "job"
_SEVERAL: Final = re.compile(r"(?P<step>[a-z0-9_-]+)\[(?P<first>\d+)-(?P<last>\d+)\]")


def lanes(events: Iterable[Event]) -> Lanes:
    found: Lanes = {}
    for event in events:
        if "waiting_reason" in event.data:
            continue  # why it waits is each engine's own
        lane, word = _lane(event), _word(event)
        said = found.setdefault(lane, [])
        # How often progress is told depends on how fast the machine is.
        if event.kind != EventKind.PROGRESS or said[-1:] != [word]:
            said.append(word)
    return dict(sorted(found.items()))


def expected(given: Mapping[str, str]) -> Lanes:
    """As a file says it: words between spaces, and `step[0-9]` for ten items of which the same is expected."""
    return dict(sorted((lane, text.split()) for key, text in given.items() for lane in _each(key)))


def _each(key: str) -> Iterator[str]:
    several = _SEVERAL.fullmatch(key)
    if several is None:
        yield key
        return
    for index in range(int(several["first"]), int(several["last"]) + 1):
        yield f"{several['step']}[{index}]"


def _lane(event: Event) -> str:
    match event.kind:
        case EventKind.JOB:
            return JOB
        case EventKind.STEP:
            return event.step
    return f"{event.step}[{event.item}]"


def _word(event: Event) -> str:
    kind = event.data.get("failure_kind")
    end = f"{event.new}/{kind}" if kind else event.new
    match event.kind:
        case EventKind.PROGRESS:
            return f"~{event.data['progress']:g}"
        case EventKind.ATTEMPT:
            run = f"r{event.data['run']}." if event.data.get("run", 1) > 1 else ""
            return f"{run}{event.data['number']}:{end}"
        case EventKind.JOB if event.old == event.new:
            return event.reason.replace(" ", "-")
        case EventKind.JOB if event.reason in {"retry", "rerun items"}:
            return f"{event.reason.replace(' ', '-')}:{end}"
    return end


def disorder(events: Iterable[Event], needs: Mapping[str, Iterable[str]]) -> list[str]:
    """What happened before its cause, or twice, or after the end; of any job on any engine there is nothing."""
    replay = _Replay(needs)
    for event in events:
        replay.take(event)
    return replay.faults


class _Replay:
    """Goes through the events of a job as they were written and holds each against what was there before."""

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self._needs = needs
        self._job = ""
        self._again: set[str] = set()
        """Steps that a retry may have put back to WAITING, which leaves no event."""
        self._steps = dict.fromkeys(needs, "WAITING")
        self._attempts: dict[tuple[str, int | None], str] = {}
        self.faults: list[str] = []

    def take(self, event: Event) -> None:
        match event.kind:
            case EventKind.JOB:
                self._take_job(event)
            case EventKind.STEP:
                self._take_step(event)
            case EventKind.ATTEMPT:
                self._take_attempt(event)

    def _check(self, event: Event, why: str, *, holds: bool) -> None:
        if not holds:
            self.faults.append(f"{_lane(event)} {_word(event)}: {why}")

    def _take_job(self, event: Event) -> None:
        self._check(event, f"it was {self._job}, not {event.old}", holds=event.old == self._job)
        if event.new in FINISHED and event.old != event.new:
            open_steps = [name for name, state in self._steps.items() if state not in FINISHED]
            # A job that never reached its engine may end with its steps untouched.
            untouched = all(state == "WAITING" for state in self._steps.values())
            self._check(event, f"{open_steps} had not ended", holds=not open_steps or untouched)
        if event.reason in {"retry", "rerun items"}:
            self._again = set(self._steps)
        self._job = event.new

    def _take_step(self, event: Event) -> None:
        was = "WAITING" if event.step in self._again else self._steps[event.step]
        self._again.discard(event.step)
        self._check(event, f"it was {was}, not {event.old}", holds=was == event.old)
        if event.new == "RUNNING":
            late = [need for need in self._needs[event.step] if self._steps[need] != "SUCCEEDED"]
            self._check(event, f"{late} had not succeeded", holds=not late)
        elif event.new in FINISHED:
            left = [key for key, state in self._attempts.items() if key[0] == event.step and not _is_over(state)]
            self._check(event, f"attempts of {left} were open", holds=not left)
        self._steps[event.step] = event.new

    def _take_attempt(self, event: Event) -> None:
        step = self._steps[event.step]
        self._check(event, f"its step was {step}", holds=step == "RUNNING")
        key = (event.step, event.item)
        was = self._attempts.get(key, "QUEUED")
        was = "QUEUED" if _is_over(was) else was
        self._check(event, f"it was {was}, not {event.old}", holds=was == event.old)
        self._attempts[key] = event.new


def _is_over(state: str) -> bool:
    return state in ATTEMPT_FINISHED
