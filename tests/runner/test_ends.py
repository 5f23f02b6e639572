"""Every row of the table of ends (design note 0001, section 3)."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


TABLE: list[tuple[list[str], dict[str, Any]]] = [
    (sh("exit 0"), {"outcome": "succeeded", "exit_code": 0, "failure_kind": None, "detail": ""}),
    (sh("echo ::error Ignored; exit 0"), {"outcome": "succeeded", "failure_kind": None, "detail": ""}),
    (sh("exit 1"), {"exit_code": 1, "detail": "The command ended with exit code 1."}),
    (
        sh("echo 'ValueError: no'; echo ::progress 0.1; exit 1"),
        {"detail": "The command ended with exit code 1. Its last line was: ValueError: no"},
    ),
    (
        sh("echo ::error First.; echo ::error This is no PNG.; exit 7"),
        {"exit_code": 7, "detail": "This is no PNG."},
    ),
    (sh("printf '::error No line break.'; exit 1"), {"detail": "No line break."}),
    (sh("exit 65"), {"exit_code": 65, "failure_kind": "INPUT", "detail": "The step cannot process this input."}),
    (sh("echo ::error Bad row.; exit 65"), {"failure_kind": "INPUT", "detail": "Bad row."}),
    (sh("exit 75"), {"exit_code": 75, "retry": True, "detail": "The step asks to be tried again."}),
    (sh("exit 127"), {"exit_code": 127}),
    (
        sh("kill -SEGV $$"),
        {"exit_code": None, "signal": 11, "detail": "The command was ended by signal 11 (SIGSEGV)."},
    ),
    (sh("kill -KILL $$"), {"signal": 9}),
    (sh("kill -TERM $$"), {"signal": 15}),
    (["no-such-command"], {"exit_code": None, "detail": "The command `no-such-command` was not found."}),
    (["/etc/passwd"], {"detail": "The command `/etc/passwd` is not executable."}),
]


@pytest.mark.parametrize(("command", "expected"), TABLE, ids=[" ".join(row[0])[:40] for row in TABLE])
def test_end_is_reported_as_the_table_says(
    command: list[str], expected: dict[str, Any], platform: Platform, launch: Launch
) -> None:
    platform.order["command"] = command
    runner = launch()
    assert runner.wait() == 0
    defaults: dict[str, Any] = {
        "outcome": "failed",
        "failure_kind": "USER_CODE",
        "signal": None,
        "retry": False,
        "outputs": [],
    }
    wanted = {**defaults, **expected}
    assert {key: platform.finish[key] for key in wanted} == wanted
    assert runner.exit["reported"] is True
    assert runner.exit["outcome"] == wanted["outcome"]


def test_failed_step_hands_over_nothing(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = sh("echo x > $ESTEIRA_OUTPUTS/x; exit 1")
    launch().wait()
    assert platform.named("outputs") == []


def test_detail_is_one_bounded_line_of_plain_text(platform: Platform, launch: Launch) -> None:
    script = "import sys; print('::error \\x1b[31mred\\x00 \\u202eevil' + 'x' * 100000); sys.exit(1)"
    platform.order["command"] = ["python", "-c", script]
    launch().wait()
    detail = platform.finish["detail"]
    assert detail.startswith("[31mred evilxxx")
    assert len(detail) <= 1000


def test_step_starts_like_any_program_and_cannot_gain_rights(platform: Platform, launch: Launch) -> None:
    # Python ignores SIGPIPE; `yes` would never end if that were passed on.
    script = "yes | head -1; grep -e SigIgn -e NoNew /proc/self/status; "
    script += "echo oom $(cat /proc/self/oom_score_adj); echo session $$ $(cut -d' ' -f6 /proc/$$/stat) end"
    platform.order["command"] = ["sh", "-c", script]
    launch().wait()
    assert b"oom 500\n" in platform.log
    first, second = bytes(platform.log).partition(b"session ")[2].split()[:2]
    assert first == second
    ignored = int(platform.log.split(b"SigIgn:")[1].split()[0], 16)
    assert not ignored & (1 << 12)  # SIGPIPE
    assert not ignored & (1 << 24)  # SIGXFSZ
    assert b"NoNewPrivs:\t1\n" in platform.log


def test_signals_that_were_blocked_for_the_runner_reach_the_step(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["grep", "SigBlk", "/proc/self/status"]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    runner = launch()
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    runner.wait()
    assert platform.log.endswith(b"SigBlk:\t0000000000000000\n")
