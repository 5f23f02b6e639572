"""The runner as a container of AWS Batch: claims its attempts itself, and tells Batch by its exit code."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runner.fake import DROP, FENCED, TOKEN, Platform, Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Launch = Callable[..., "Container"]

NOBODY = 65534
BATCH_JOB = "c2f0c1de-77a5-4a3c-8f4e-0c0000000001:4"
WAITER = ["sh", "-c", "trap 'echo asked; sleep 0.3; exit 0' TERM; echo ready; sleep 60 & wait; sleep 60"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo ready; sleep 60 & wait; sleep 60"]


class Container(Runner):
    """The program as Batch starts it: everything by the environment."""

    def __init__(
        self,
        pyz: Path,
        platform: Platform,
        *more: str,
        python: str = sys.executable,
        user: int | None = None,
        **env: str,
    ) -> None:
        self.work = platform.folder / "work"
        self.pyz = pyz
        self.attempt_id = platform.order["attempt_id"]
        given = {
            "ESTEIRA_URL": platform.url,
            "ESTEIRA_STEP_TOKEN": TOKEN,
            "AWS_BATCH_JOB_ID": BATCH_JOB,
            "AWS_BATCH_JOB_ATTEMPT": "2",
            "AWS_BATCH_JOB_ARRAY_INDEX": "4",
            "SECRET_KEY": "environment-canary",
        }
        command = [python, "-I", "-S", "-W", "error", str(pyz), "--claim", "--work", str(self.work)]
        self.process = subprocess.Popen(
            [*command, "--probe-cache", str(pyz.parent / "probe"), *more],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            user=user,
            env={name: value for name, value in (given | env).items() if value},
        )

    def ended(self, seconds: float = 30) -> tuple[int, str]:
        _, stderr = self.process.communicate(timeout=seconds)
        return self.process.returncode, stderr.decode()


@pytest.fixture
def start(pyz: Path, platform: Platform) -> Iterator[Launch]:
    started: list[Container] = []

    def launch(*more: str, **env: str) -> Container:
        container = Container(pyz, platform, *more, user=None, **env)
        started.append(container)
        return container

    yield launch
    for container in started:
        container.end()


def given(done: int) -> tuple[int, dict[str, Any]]:
    return 200, {"token": TOKEN, "done": done, "end": None, "detail": ""}


def over(end: str, detail: str = "", done: int = 0) -> tuple[int, dict[str, Any]]:
    return 200, {"token": None, "done": done, "end": end, "detail": detail}


def orders(platform: Platform, *commands: list[str]) -> None:
    """One work order after the other, each of an attempt of its own; the first is the one that a Runner knows."""
    names = [platform.order["attempt_id"], *(str(uuid.uuid4()) for _ in commands)]
    platform.script["start"] = [
        (200, platform.order | {"attempt_id": name, "item": item, "command": command})
        for item, (name, command) in enumerate(zip(names, commands, strict=False))
    ]


def test_container_works_off_its_slice_and_ends_well(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(3), given(4), over("succeeded", done=4)]
    script = 'echo item $ESTEIRA_ITEM; ls "$HOME/.."; echo $ESTEIRA_ITEM | tee "$HOME/../mine" > "$ESTEIRA_OUTPUTS/x"'
    orders(platform, ["sh", "-c", script], ["sh", "-c", script])
    assert start().ended() == (0, "")
    asked = [call.body for call in platform.named("claim")]
    who = {"runner": "1", "batch_job": BATCH_JOB, "batch_attempt": 2, "child": 4}
    assert asked == [who | {"done": done} for done in (0, 3, 4)]
    assert platform.names.count("start") == platform.names.count("finish") == 2
    assert {call.body["outcome"] for call in platform.named("finish")} == {"succeeded"}
    assert b"item 1\n" in platform.log
    assert b"inputs\n" in platform.log
    assert b"mine" not in platform.log, "the second finds nothing of the first"
    assert (platform.store / "out" / "0").read_bytes() == b"0\n"


def test_job_that_is_no_array_is_child_0(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [over("succeeded")]
    assert start(AWS_BATCH_JOB_ARRAY_INDEX="").ended() == (0, "")
    assert platform.named("claim")[0].body["child"] == 0


@pytest.mark.parametrize(("end", "code"), [("succeeded", 0), ("again", 75), ("failed", 1), ("unheard-of", 1)])
def test_what_batch_hears_is_what_the_platform_says_of_the_slice(
    platform: Platform, start: Launch, end: str, code: int
) -> None:
    platform.script["claim"] = [given(1), over(end, "One sentence.")]
    orders(platform, ["false"])
    assert start().ended() == (code, "runner: One sentence.\n" if code else "")
    assert platform.finish["exit_code"] == 1


def test_step_is_given_neither_the_right_to_the_step_nor_other_secrets(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1), over("succeeded")]
    orders(
        platform, ["sh", "-c", "cat /proc/[0-9]*/cmdline /proc/self/environ; grep -r canary $ESTEIRA_INPUTS/..; env"]
    )
    assert start().ended()[0] == 0
    assert b"--claim" in platform.log
    assert TOKEN.encode() not in platform.log
    assert b"environment-canary" not in platform.log


def test_step_in_its_own_image_finds_what_the_image_says_and_nothing_of_ours(
    platform: Platform, start: Launch, tmp_path: Path
) -> None:
    programs = tmp_path / "image"
    programs.mkdir()
    (programs / "python").write_text('#!/bin/sh\necho "the image\'s own"; env\n')
    (programs / "python").chmod(0o755)
    platform.script["claim"] = [given(1), over("succeeded")]
    platform.order |= {"isolation": "container", "python": None}
    orders(platform, ["python"])
    container = start(
        PATH=f"{programs}:/usr/bin:/bin", JAVA_HOME="/opt/java", AWS_EXECUTION_ENV="e", ECS_AGENT_URI="http://169.254.1"
    )
    assert container.ended() == (0, "")
    said = platform.log.decode().splitlines()
    assert said[:2] == ["[esteira] isolation: the step's own container", "the image's own"]
    assert {f"PATH={programs}:/usr/bin:/bin", "JAVA_HOME=/opt/java"} <= set(said)
    names = {line.partition("=")[0] for line in said}
    ours = {f"ESTEIRA_{name}" for name in ("INPUTS", "PARAMS", "OUTPUTS", "ITEM", "ATTEMPT_ID")}
    assert {name for name in names if name.startswith(("ESTEIRA_", "AWS_", "ECS_"))} == ours


def test_container_of_the_platform_s_image_gives_its_environment_to_no_step(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1), over("succeeded")]
    platform.order["isolation"] = "container"
    orders(platform, ["env"])
    assert start(JAVA_HOME="/opt/java").ended() == (0, "")
    assert b"JAVA_HOME" not in platform.log


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_step_of_an_ordinary_user_cannot_read_the_right_of_its_container(pyz: Path, platform: Platform) -> None:
    platform.folder = Path(tempfile.mkdtemp(dir="/tmp"))
    platform.folder.chmod(0o777)
    copy = shutil.copy(pyz, platform.folder)
    platform.script["claim"] = [given(1), given(2), over("succeeded")]
    platform.order["python"] = "/usr/bin/python3"
    above = "above=$(cut -d' ' -f4 /proc/$PPID/stat)"
    look = f"{above}; cat /proc/$above/environ /proc/$PPID/environ; cat /proc/$above/cmdline"
    orders(platform, ["sh", "-c", look], ["sh", "-c", look])
    container = Container(Path(copy), platform, python="/usr/bin/python3", user=NOBODY)
    try:
        assert container.ended() == (0, "")
    finally:
        container.end()
        shutil.rmtree(platform.folder)
    # The log is that of the second: the process that it comes from has run another step before.
    assert platform.log.count(b"Permission denied") == 2
    assert platform.log.count(b"--claim") == 1
    assert TOKEN.encode() not in platform.log


def test_usage_is_each_attempts_own(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1), given(2), over("succeeded")]
    burn = (
        "import time; x = bytearray(200 << 20); end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    )
    orders(platform, ["python", "-c", burn], ["true"])
    assert start().ended() == (0, "")
    first, second = (call.body["usage"] for call in platform.named("finish"))
    assert first["cpu_s"] > 0.25
    assert first["max_rss_bytes"] > 200 << 20
    assert second["cpu_s"] < 0.2
    assert second["max_rss_bytes"] < 100 << 20


def test_platform_that_does_not_answer_is_borne_and_then_batch_tries_again(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [DROP, (503, {"code": "work_not_ready"}), (429, {}), over("succeeded")]
    assert start().ended() == (0, "")
    platform.down = True
    code, said = start("--patience", "1").ended()
    assert code == 75
    assert "did not answer for 1 s" in said


def test_refused_claim_is_no_reason_to_try_again(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [(403, {"code": "forbidden", "detail": "This token has expired."})]
    code, said = start().ended()
    assert code == 1
    assert "This token has expired." in said
    assert platform.names == ["claim"]


def test_fenced_attempt_is_left_alone_and_nothing_more_is_claimed(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    platform.script["finish"] = [FENCED]
    orders(platform, ["true"])
    assert start().ended()[0] == 75
    assert platform.names.count("claim") == 1


def test_attempt_that_is_refused_does_not_keep_others_of_the_slice_from_their_turn(
    platform: Platform, start: Launch
) -> None:
    platform.script["claim"] = [given(1), given(2), over("again")]
    platform.script["finish"] = [(422, {"code": "invalid"})]
    orders(platform, ["true"], ["true"])
    assert start().ended()[0] == 75
    assert platform.finish["outcome"] == "succeeded"
    assert platform.names.count("start") == 2


def test_sigterm_leaves_the_step_time_to_finish_and_is_reported(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    platform.order["limits"]["cancel_grace_s"] = 0
    orders(platform, WAITER)
    container = start()
    platform.wait_for_log(b"ready")
    container.process.send_signal(signal.SIGTERM)
    assert container.ended(10) == (75, "runner: This machine goes away.\n")
    assert platform.finish["outcome"] == "canceled"
    assert platform.log.endswith(b"asked\n")
    assert platform.names.count("claim") == 1, "no more work for a machine that goes away"


def test_cancel_by_the_platform_grants_no_more_than_a_cancel_does(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1), over("failed", "The job was canceled.")]
    platform.order["heartbeat_s"] = 0.2
    orders(platform, STUBBORN)
    container = start()
    platform.wait_for_log(b"ready")
    platform.cancel = True
    begin = time.monotonic()
    assert container.ended(10) == (1, "runner: The job was canceled.\n")
    assert time.monotonic() - begin < 5
    assert platform.finish["outcome"] == "canceled"


def test_cancel_makes_the_grace_of_a_sigterm_shorter(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    platform.order["heartbeat_s"] = 0.2
    orders(platform, STUBBORN)
    container = start()
    platform.wait_for_log(b"ready")
    container.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    platform.cancel = True
    assert container.ended(5)[0] == 75
    assert platform.finish["outcome"] == "canceled"


@pytest.mark.slow
def test_step_that_ignores_sigterm_is_ended_and_reported_within_the_grace(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    orders(platform, STUBBORN)
    container = start()
    platform.wait_for_log(b"ready")
    container.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert container.ended(30)[0] == 75
    assert 14 < time.monotonic() - begin < 20
    assert platform.finish["outcome"] == "canceled"


@pytest.mark.slow
def test_platform_that_hangs_does_not_hold_up_the_end_of_a_machine(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    orders(platform, WAITER)
    container = start()
    platform.wait_for_log(b"ready")
    platform.down = True
    container.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert container.ended(30)[0] == 75
    assert time.monotonic() - begin < 29


def test_sigterm_while_nothing_runs_ends_at_once(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [(503, {"code": "work_not_ready"})] * 1000
    platform.headers["Retry-After"] = "30"
    container = start()
    platform.wait_for("claim")
    time.sleep(0.2)
    container.process.send_signal(signal.SIGTERM)
    assert container.ended(5) == (75, "runner: This machine goes away.\n")


def test_sigterm_while_a_claim_hangs_ends_at_once(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [(503, {})] * 1000
    container = start()
    platform.wait_for("claim")
    platform.delay_s = 8
    time.sleep(1.5)
    container.process.send_signal(signal.SIGTERM)
    assert container.ended(5) == (75, "runner: This machine goes away.\n")


def test_runner_of_an_attempt_that_is_killed_is_for_batch_to_try_again(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    orders(platform, STUBBORN)
    container = start()
    platform.wait_for_log(b"ready")
    children = f"/proc/{container.process.pid}/task/{container.process.pid}/children"
    with open(children) as found:  # noqa: PTH123
        os.kill(int(found.read().split()[0]), signal.SIGKILL)
    assert container.ended(10)[0] == 75
    assert container.gone()


def test_container_that_is_killed_takes_its_step_along(platform: Platform, start: Launch) -> None:
    platform.script["claim"] = [given(1)]
    orders(platform, ["sh", "-c", "echo ready; exec sleep 60"])
    container = start()
    platform.wait_for_log(b"ready")
    assert container.leftovers()
    container.process.kill()
    assert container.ended(10)[0] == -signal.SIGKILL
    assert container.gone(5)


@pytest.mark.parametrize(
    "name", ["ESTEIRA_URL", "ESTEIRA_STEP_TOKEN", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT"]
)  # fmt: skip
def test_environment_that_lacks_something_is_named(platform: Platform, start: Launch, name: str) -> None:
    code, said = start(**{name: ""}).ended()
    assert (code, said) == (2, f"runner: {name} is missing in the environment\n")
    assert platform.names == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("ESTEIRA_STEP_TOKEN", "a\nb"), ("ESTEIRA_URL", "ftp://x"), ("AWS_BATCH_JOB_ATTEMPT", "first"),
     ("AWS_BATCH_JOB_ARRAY_INDEX", "x")],
)  # fmt: skip
def test_environment_that_is_unusable_is_refused(platform: Platform, start: Launch, name: str, value: str) -> None:
    code, said = start(**{name: value}).ended()
    assert code == 2
    assert said.startswith("runner: ")
    assert TOKEN not in said
    assert platform.names == []
