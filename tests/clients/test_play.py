"""A runner that cannot fail would pass every client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from api_app.client import ProblemError
from tests.clients.play import Play, play

if TYPE_CHECKING:
    from pathlib import Path


def refuse(_job_id: str) -> Any:
    raise ProblemError("It has ended.", code="job_finished", status=409)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"do": "dance", "job": "one"}, "no such word: dance"),
        ({"do": "cancel", "job": "one", "loudly": True}, "loudly"),
        ({"do": "cancel", "job": "one", "expect": {"run": 2}}, "run is 1"),
        ({"do": "cancel", "job": "one", "refused": {"code": "job_finished"}}, "not refused"),
        ({"do": "retry", "job": "one"}, "It has ended"),
        ({"do": "retry", "job": "one", "refused": {"code": "conflict"}}, "It has ended"),
        ({"do": "retry", "job": "one", "refused": {"code": "job_finished", "status": 422}}, "It has ended"),
        ({"do": "watch", "job": "one", "timeout_s": 9}, "ended with RUNNING"),
        ({"do": "watch", "job": "one", "timeout_s": 0}, "still RUNNING"),
    ],
)
def test_step_that_is_not_met_is_seen(step: dict[str, Any], told: str, tmp_path: Path) -> None:
    job = {"id": "1", "run": 1, "state": "RUNNING"}
    client: Any = SimpleNamespace(cancel=lambda _: job, retry=refuse, watch=lambda _: iter([job]))
    playing = Play(tmp_path)
    playing._made["one"] = job
    play(client, playing, {"do": "cancel", "job": "one", "expect": {"run": 1}})
    play(client, playing, {"do": "retry", "job": "one", "refused": {"code": "job_finished", "status": 409}})

    with pytest.raises((AssertionError, TypeError, ProblemError), match=told):
        play(client, playing, step)
