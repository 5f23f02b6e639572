"""The order of steps. A step may run when every step that it needs has succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.spec.model import PipelineSpec

_WAITING = "WAITING"
_SUCCEEDED = "SUCCEEDED"
_UNSUCCESSFUL = frozenset({"FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"})


class HasNeeds(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> Sequence[str]: ...


def order[S: HasNeeds](steps: Sequence[S]) -> list[S]:
    """Each step after all that it needs; where any order would do, the one of the file."""
    left, done, ordered = list(steps), set[str](), list[S]()
    while left:
        step = next((step for step in left if done.issuperset(step.needs)), None)
        if step is None:
            raise ValueError(f"these steps wait for each other for ever: {', '.join(s.name for s in left)}")
        left.remove(step)
        done.add(step.name)
        ordered.append(step)
    return ordered


def stages[S: HasNeeds](steps: Sequence[S]) -> list[list[S]]:
    """Groups that may run side by side, each in the earliest group that its needs allow."""
    depth: dict[str, int] = {}
    groups: list[list[S]] = []
    for step in order(steps):
        level = max((depth[name] + 1 for name in step.needs), default=0)
        depth[step.name] = level
        if level == len(groups):
            groups.append([])
        groups[level].append(step)
    return groups


def ready(spec: PipelineSpec, states: Mapping[str, str]) -> list[str]:
    """Steps that wait and need wait no longer. A step without a state is one that waits."""
    return [
        step.name
        for step in spec.steps
        if states.get(step.name, _WAITING) == _WAITING and all(states.get(name) == _SUCCEEDED for name in step.needs)
    ]


def blocked(spec: PipelineSpec, states: Mapping[str, str]) -> list[str]:
    """Steps that wait and can never run, because something that they need, near or far, did not succeed."""
    lost = {name for name, state in states.items() if state in _UNSUCCESSFUL}
    found: set[str] = set()
    for step in order(spec.steps):
        if states.get(step.name, _WAITING) == _WAITING and not lost.isdisjoint(step.needs):
            lost.add(step.name)
            found.add(step.name)
    return [step.name for step in spec.steps if step.name in found]


def cycles(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Circles of steps that wait for each other, found one by one until the rest has an order."""
    left = {name: [need for need in wanted if need in needs] for name, wanted in needs.items()}
    found: list[list[str]] = []
    while True:
        while free := [name for name, wanted in left.items() if not any(need in left for need in wanted)]:
            for name in free:
                del left[name]
        if not left:
            return found
        found.append(_circle(left))
        for name in found[-1]:
            del left[name]


def _circle(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """Follow needs from the first step, where each has one, until a step comes up again."""
    path: list[str] = []
    name = next(iter(needs))
    while name not in path:
        path.append(name)
        name = next(need for need in needs[name] if need in needs)
    return path[path.index(name) :]
