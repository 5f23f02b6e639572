"""The platform slow, away, refusing or in favour of somebody else (design note 0001, section 4)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.runner.fake import DROP, FENCED, Platform, Runner, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Launch = Callable[..., Runner]

TICKER = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.05; done; echo x > $ESTEIRA_OUTPUTS/x"
WAITER = ["sh", "-c", "trap '' TERM; echo ready; echo x > $ESTEIRA_OUTPUTS/x; sleep 60 & wait; sleep 60"]


def lines(count: int) -> bytes:
    return b"".join(b"line %d\n" % (number + 1) for number in range(count))


@pytest.mark.parametrize("call", ["start", "outputs", "log", "finish"])
def test_each_call_is_repeated_until_it_works(call: str, platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "echo hello; echo x > $ESTEIRA_OUTPUTS/x"]
    platform.script[call] = [DROP, (500, {}), (429, {})]
    assert launch().wait() == 0
    assert len(platform.named(call)) >= 4
    assert platform.finish["outcome"] == "succeeded"
    assert platform.log.endswith(b"hello\n")
    assert (platform.store / "out" / "0").read_bytes() == b"x\n"


def test_platform_away_in_the_middle_loses_nothing(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", TICKER]
    platform.order["heartbeat_s"] = 0.3
    runner = launch()
    platform.wait_for_log(b"line 3\n")
    platform.down = True
    time.sleep(3)  # the step ends meanwhile
    assert runner.process.poll() is None
    platform.down = False
    assert runner.wait() == 0
    assert platform.finish["outcome"] == "succeeded"
    assert platform.finish["usage"]["wall_s"] < 10
    assert platform.log.endswith(lines(40))


def test_silent_platform_never_holds_up_the_step(platform: Platform, launch: Launch) -> None:
    # 4 MB are far more than a pipe takes.
    script = "head -c 4000000 /dev/zero | tr '\\0' x; echo; touch $HOME/../done; sleep 60"
    platform.order["command"] = ["sh", "-c", f"echo ready; sleep 0.6; {script}"]
    runner = launch()
    platform.wait_for_log(b"ready")
    platform.delay_s = 30
    end = time.monotonic() + 15
    while not (runner.work / "done").exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_patience_ends_the_step_when_the_platform_stays_away(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = WAITER
    platform.order["heartbeat_s"] = 0.2
    platform.order["patience_s"] = 1
    runner = launch()
    platform.wait_for_log(b"ready")
    platform.down = True
    assert runner.wait(20) == 5
    assert runner.leftovers() == []
    assert runner.exit["reported"] is False
    assert runner.exit["failure_kind"] == "PLATFORM"
    assert runner.exit["detail"].startswith("The platform did not answer for 1 s: ")
    assert platform.named("outputs") == []


def test_patience_ends_at_the_finish_as_well(platform: Platform, launch: Launch) -> None:
    platform.order["patience_s"] = 0.5
    platform.script["finish"] = [(503, {})] * 1000
    runner = launch()
    assert runner.wait(20) == 5
    assert runner.exit["outcome"] == "succeeded"
    assert runner.exit["reported"] is False


def test_nobody_at_the_address_ends_with_exit_code_5(platform: Platform, launch: Launch) -> None:
    platform.server_close()
    runner = launch("--patience", "0.5")
    assert runner.wait(20) == 5
    assert "refused" in runner.exit["detail"]


def test_retry_after_is_respected(platform: Platform, launch: Launch) -> None:
    platform.headers["Retry-After"] = "1"
    platform.script["start"] = [(503, {})]
    launch().wait()
    first, second = platform.named("start")
    assert second.at - first.at >= 1


def test_fenced_runner_kills_the_step_and_hands_over_nothing(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = WAITER
    platform.order["heartbeat_s"] = 0.2
    runner = launch()
    platform.wait_for_log(b"ready")
    platform.fenced = True
    assert runner.wait(20) == 3
    assert runner.leftovers() == []
    assert platform.named("outputs") == []
    assert platform.named("finish") == []
    assert runner.exit["code"] == 3
    assert runner.exit["reported"] is False


@pytest.mark.parametrize("call", ["start", "log", "outputs", "finish"])
def test_fence_holds_at_every_call(call: str, platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "echo hello; echo x > $ESTEIRA_OUTPUTS/x"]
    platform.script[call] = [FENCED]
    runner = launch()
    assert runner.wait() == 3
    assert runner.exit["code"] == 3
    assert platform.names[-1] == call
    if call in ("start", "outputs"):
        assert not (platform.store / "out").exists()


def test_paused_runner_finds_itself_fenced(platform: Platform, launch: Launch) -> None:
    """F28: a zombie that wakes up after its lease changes nothing."""
    platform.order["command"] = ["sh", "-c", "echo ready; sleep 1; echo x > $ESTEIRA_OUTPUTS/x"]
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.send_signal(19)
    time.sleep(1.2)
    platform.fenced = True
    runner.process.send_signal(18)
    assert runner.wait() == 3
    assert not (platform.store / "out").exists()


@pytest.mark.parametrize("call", ["start", "log", "outputs", "finish", "heartbeat"])
def test_refusal_ends_the_step_with_exit_code_4(call: str, platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "echo hello; echo x > $ESTEIRA_OUTPUTS/x"]
    platform.order["heartbeat_s"] = 0.1
    if call == "heartbeat":
        platform.order["command"] = WAITER
    platform.script[call] = [(403, {"code": "nope", "detail": "Because."})]
    runner = launch()
    assert runner.wait(20) == 4
    assert runner.leftovers() == []
    assert runner.exit["detail"] == f"The platform refused `{call}`: 403 nope Because."
    assert runner.exit["failure_kind"] == "PLATFORM"


def test_progress_is_told_soon_with_its_text(platform: Platform, launch: Launch) -> None:
    script = "for p in 0.25 7 nan x; do echo ::progress $p Reading rows; done; sleep 0.6; "
    script += "echo ::progress 0.5 More; sleep 0.6"
    platform.order["command"] = ["sh", "-c", script]
    launch().wait()
    assert progress_of(platform) == [0.25, 0.5]
    assert platform.named("heartbeat")[0].body["message"] == "Reading rows"


def test_heartbeats_come_while_inputs_are_fetched(platform: Platform, launch: Launch) -> None:
    platform.add_blob("slow", b"x" * 100)
    platform.download_s = 1.0
    platform.order["heartbeat_s"] = 0.1
    launch().wait()
    assert platform.names[-1] == "finish"
    assert "heartbeat" in platform.names
    assert platform.finish["outcome"] == "succeeded"


def test_same_attempt_can_be_run_again_in_the_same_folder(platform: Platform, launch: Launch) -> None:
    platform.add_input("a", b"a")
    platform.order["command"] = ["sh", "-c", "ls; echo x > $ESTEIRA_OUTPUTS/x; echo y > y"]
    for _ in range(2):
        platform.log.clear()
        assert launch().wait() == 0
        assert platform.finish["outcome"] == "succeeded"
    assert b"y" not in platform.log.removeprefix(b"[esteira] isolation: plain subprocess, for trusted code only")


def test_exit_file_of_an_earlier_runner_is_gone_at_once(platform: Platform, launch: Launch) -> None:
    runner = launch()
    runner.wait()
    assert runner.exit["code"] == 0
    platform.down = True
    starts = len(platform.named("start"))
    runner = launch()
    while len(platform.named("start")) == starts:
        time.sleep(0.01)
    assert not (runner.work / "exit.json").exists()


def test_wrong_token_is_refused_and_no_token_is_a_usage_error(
    pyz: Path, platform: Platform, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.runner.fake.TOKEN", "other")
    runner = launch()
    monkeypatch.undo()
    assert runner.wait() == 4
    runner = Runner(pyz, platform, "--no-such-option")
    _, stderr = runner.process.communicate()
    assert runner.process.returncode == 2
    assert b"unknown option --no-such-option" in stderr
    runner.end()


def test_slow_answers_do_not_make_a_second_start(platform: Platform, launch: Launch) -> None:
    platform.delay_s = 0.3
    launch().wait()
    assert platform.names == ["start", "finish"]
