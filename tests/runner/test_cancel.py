"""A cancel promises that nothing runs any more, whatever the step has done to survive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]

# Four ways out: a child that ignores SIGTERM, a new session, a double fork that closes everything, and one that also
# hides its environment.
SURVIVOR = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def stay():
    time.sleep(300)
    os._exit(0)
if os.fork() == 0:
    stay()
if os.fork() == 0:
    os.setsid()
    stay()
for hide in (False, sys.argv[2] != "marked"):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            if hide:
                os.execve("/bin/sleep", ["sleep", "300"], {"HIDDEN": sys.argv[1]})
            stay()
        os._exit(0)
print("ready", flush=True)
if sys.argv[2] != "go":
    stay()
"""


def hidden(mark: str) -> list[str]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as environ:  # noqa: PTH123
                    if f"HIDDEN={mark}".encode() in environ.read():
                        found.append(name)
            except OSError:
                continue
    return found


def survivor(platform: Platform, what: str) -> str:
    mark: str = platform.order["attempt_id"]
    platform.order["command"] = ["python", "-c", SURVIVOR, mark, what]
    return mark


@pytest.fixture(params=["platform", "SIGTERM", "SIGINT"])
def cancel(request: pytest.FixtureRequest, platform: Platform) -> Callable[[Runner], None]:
    def ask(runner: Runner) -> None:
        if request.param == "platform":
            platform.cancel = True
        else:
            runner.process.send_signal(getattr(signal, request.param))

    return ask


def test_cancel_leaves_no_process(platform: Platform, launch: Launch, cancel: Callable[[Runner], None]) -> None:
    mark = survivor(platform, "stay")
    platform.order["heartbeat_s"] = 0.2
    runner = launch()
    platform.wait_for_log(b"ready")
    assert len(runner.leftovers()) >= 4
    began = time.monotonic()
    cancel(runner)
    assert runner.wait() == 0
    assert time.monotonic() - began < 10
    assert runner.leftovers() == []
    assert hidden(mark) == []
    assert platform.finish["outcome"] == "canceled"
    assert platform.finish["signal"] == 9
    assert platform.finish["failure_kind"] is None
    assert runner.exit["outcome"] == "canceled"


def test_step_that_ends_leaves_no_process_either(platform: Platform, launch: Launch) -> None:
    mark = survivor(platform, "go")
    runner = launch()
    assert runner.wait() == 0
    assert platform.finish["outcome"] == "succeeded"
    assert runner.leftovers() == []
    assert hidden(mark) == []


KILL = """
import os, signal, time
from orchestration.runner import tree
sent, honest = [], tree._kill
def kill(pid, number):
    sent.append((pid, number))
    honest(pid, number)
tree._kill = kill
children = [pid for pid in (os.fork() for _ in range(3))]
if 0 in children:
    time.sleep(60)
assert tree.Tree("none").kill()
first = [number for _, number in sent].index(signal.SIGKILL)
assert {pid for pid, number in sent[:first] if number == signal.SIGSTOP} >= set(children)
"""


def test_all_processes_are_stopped_before_the_first_dies() -> None:
    """So that none sees another one die, and starts a new one or writes a wrong end of its work."""
    subprocess.run([sys.executable, "-c", KILL], check=True)


def test_canceled_step_may_clean_up(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"]
    platform.order["limits"]["cancel_grace_s"] = 20
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.terminate()
    assert runner.wait(15) == 0
    assert platform.finish["outcome"] == "canceled"
    assert platform.finish["exit_code"] == 3
    assert b"bye" in platform.log


def test_cancel_shortens_the_grace_of_a_step_over_its_time(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "trap 'echo ignored' TERM; while :; do sleep 0.05; done"]
    platform.order["limits"] |= {"wall_s": 0.3, "stop_grace_s": 60}
    runner = launch()
    platform.wait_for_log(b"ignored")
    runner.process.terminate()
    assert runner.wait(15) == 0
    assert platform.finish["outcome"] == "timed_out"


def test_cancel_reaches_a_runner_that_was_started_with_the_signal_blocked(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sleep", "60"]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    runner = launch()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    platform.wait_for("start")
    runner.process.terminate()
    assert runner.wait(15) == 0
    assert platform.finish["outcome"] == "canceled"


def test_cancel_in_the_work_order_runs_nothing(platform: Platform, launch: Launch) -> None:
    platform.order["cancel"] = True
    platform.order["command"] = ["touch", str(platform.folder / "ran")]
    assert launch().wait() == 0
    assert platform.finish["outcome"] == "canceled"
    assert not (platform.folder / "ran").exists()


def test_sigterm_while_the_platform_is_away_at_the_start_ends_the_runner(platform: Platform, launch: Launch) -> None:
    platform.down = True
    runner = launch()
    platform.wait_for("start")
    platform.down = False
    platform.script["start"] = [(503, {})] * 100
    runner.process.terminate()
    assert runner.wait(15) == 0
    assert platform.finish["outcome"] == "canceled"


def test_step_dies_with_a_killed_runner_and_the_sweep_ends_the_rest(platform: Platform, launch: Launch) -> None:
    # A process that has left its parent *and* its environment is lost with the runner; only a sandbox holds that one.
    survivor(platform, "marked")
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.kill()
    runner.process.wait()
    # Its own child has gone with it; what that one had started has not.
    others = runner.leftovers()
    assert others
    assert runner.sweep() == 0
    assert runner.leftovers() == []


def test_single_process_step_dies_with_a_killed_runner(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["python", "-c", "import time; print('ready'); time.sleep(300)"]
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.kill()
    assert runner.gone()
