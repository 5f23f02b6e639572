"""What a scenario came to, held against what its file expects: a sentence for each difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.scenarios.canon import expected
from tests.scenarios.play import content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.play import Play


def differences(played: Play) -> list[str]:
    return [*_of_lanes(played), *played.disorder(), *_of_the_end(played)]


def _of_lanes(played: Play) -> Iterator[str]:
    wanted, found = expected(played.scenario.expect.events), played.lanes()
    for lane in sorted(wanted.keys() | found.keys()):
        yield from _unless_same(lane, " ".join(wanted.get(lane, [])), " ".join(found.get(lane, [])))


def _of_the_end(played: Play) -> Iterator[str]:
    wanted, job = played.scenario.expect, played.job
    yield from _unless_same("state", wanted.state, job.state)
    why = (wanted.failure_kind, job.failure_kind) if wanted.failure_kind else ("", job.failure_detail)
    yield from _unless_same("failure_kind", *why)
    if wanted.detail not in job.failure_detail:
        yield f"detail: expected {wanted.detail!r} in {job.failure_detail!r}"
    yield from _unless_same("earlier", wanted.earlier, [one.state for one in played.jobs.values()][:-1])
    yield from _unless_same("order", wanted.order, played.order(wanted.order))
    yield from _unless_same("refusals", [], played.refusals)
    results = played.results()
    if wanted.results is not None:
        yield from _unless_same("results", wanted.results, list(results))
    for name, text in wanted.content.items():
        yield from _unless_same(name, text, content(results[name]).strip() if name in results else "no such file")


def _unless_same(what: str, wanted: Any, found: Any) -> Iterator[str]:
    if wanted != found:
        yield f"{what}: expected {wanted!r}, was {found!r}"
