"""The log on its way: in order, by offsets, bounded, and nothing lost."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.runner.log import Lines
from orchestration.runner.standing import Standing
from tests.runner.fake import without_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]


def test_stdout_and_stderr_are_one_log_in_order(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "for i in 1 2 3; do echo out $i; echo err $i >&2; done"]
    launch().wait()
    assert without_notes(bytes(platform.log)) == b"out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"


def test_log_comes_while_the_step_runs(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "echo early; sleep 30"]
    runner = launch()
    began = time.monotonic()
    platform.wait_for_log(b"early")
    assert time.monotonic() - began < 5
    runner.process.terminate()
    assert runner.wait() == 0


def test_any_bytes_arrive_as_they_are(platform: Platform, launch: Launch) -> None:
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 5000)"
    platform.order["command"] = ["python", "-c", script]
    launch().wait()
    assert without_notes(bytes(platform.log)) == bytes(range(256)) * 5000
    assert max(len(call.body) for call in platform.named("log")) <= 256 << 10


@pytest.mark.parametrize("end", [0, 5, 40])
def test_log_goes_on_from_where_the_platform_says(end: int, platform: Platform, launch: Launch) -> None:
    text = b"0123456789" * 3
    platform.order["command"] = ["printf", text.decode()]
    complete = b"[esteira] isolation: plain subprocess, for trusted code only\n" + text
    platform.log[:] = complete[:end]
    answers: list[tuple[int, dict[str, Any]]] = [(409, {"code": "log_offset", "end": end})]
    platform.script["log"] = answers
    assert launch().wait() == 0
    assert bytes(platform.log) == complete


def test_lost_answer_makes_no_double_log(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["echo", "hello"]
    honest = platform.on_log
    answers = []

    def lost(query: str, body: bytes) -> dict[str, Any]:
        answers.append(honest(query, body))
        if len(answers) == 1:
            platform.script["log"] = [(502, {}), (409, {"code": "log_offset", "end": len(platform.log)})]
            return {"end": "?"}
        return answers[-1]

    platform.on_log = lost  # type: ignore[method-assign]
    assert launch().wait() == 0
    assert without_notes(bytes(platform.log)) == b"hello\n"


def test_endless_log_is_cut_and_the_step_goes_on(platform: Platform, launch: Launch) -> None:
    script = "yes 0123456789 | head -c 3000000; echo; echo ::progress 0.75; echo ::error Late.; sleep 0.5; exit 1"
    platform.order["command"] = ["sh", "-c", script]
    platform.order["limits"]["log_bytes"] = 100_000
    runner = launch()
    runner.wait()
    assert platform.log.endswith(b"\n[esteira] The log ends here: it reached its limit of 100000 bytes.\n")
    assert 99_000 < len(platform.log) <= 100_000
    assert (runner.work / "log").stat().st_size <= 100_000
    assert platform.finish["detail"] == "Late."
    assert platform.named("heartbeat")[-1].body["progress"] == 0.75


def test_step_that_closes_its_output_runs_on(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "exec >&- 2>&-; sleep 1; exit 7"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    launch().wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert platform.finish["exit_code"] == 7
    # It was not waited for in circles.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.25


def test_log_is_not_written_through_a_link_of_the_step(platform: Platform, launch: Launch) -> None:
    victim = platform.folder / "victim"
    victim.write_text("precious")
    platform.order["command"] = ["sh", "-c", f"ln -s {victim} ../log; echo hello; exit 65"]
    assert launch().wait() == 0
    assert victim.read_text() == "precious"
    assert platform.finish["failure_kind"] == "INPUT"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_words_to_the_runner_are_found_in_any_pieces(size: int) -> None:
    text = b"noise\n::progress 0.5 A b\n no ::error one\n::error Two.\n" + b"x" * 9000 + b"\n::error Three.\n::er"
    standing = Standing()
    lines = Lines(standing)
    for start in range(0, len(text), size):
        lines.feed(text[start : start + size])
    lines.close()
    assert (standing.progress, standing.message, standing.news) == (0.5, "A b", 1)
    assert lines.error == "Three."


def test_line_without_end_takes_no_memory() -> None:
    lines = Lines(Standing())
    for _ in range(100):
        lines.feed(b"::error " + b"y" * 100_000)
    assert len(lines._part) <= 4096
    lines.close()
    assert len(lines.error) <= 1000
