"""A step that takes too much is ended with its whole tree, and the reason is told (reliability F39)."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from orchestration.runner.tree import Process, proportional_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]


def run(platform: Platform, launch: Launch, command: list[str], **limits: float) -> Runner:
    platform.order["command"] = command
    platform.order["limits"].update(limits)
    runner = launch()
    assert runner.wait() == 0
    assert runner.gone()
    return runner


def assert_resources(platform: Platform, *words: str) -> None:
    assert platform.finish["outcome"] == "failed"
    assert platform.finish["failure_kind"] == "RESOURCES"
    for word in words:
        assert word in platform.finish["detail"]


def test_step_over_its_time_gets_sigterm_and_may_finish(platform: Platform, launch: Launch) -> None:
    script = "trap 'echo cleaning up; exit 0' TERM; while :; do sleep 0.05; done"
    run(platform, launch, ["sh", "-c", script], wall_s=0.3)
    assert platform.finish["outcome"] == "timed_out"
    assert platform.finish["failure_kind"] == "RESOURCES"
    assert platform.finish["detail"] == "The step ran longer than its limit of 0.3 seconds."
    assert b"cleaning up" in platform.log


def test_step_that_ignores_sigterm_is_killed_after_the_grace(platform: Platform, launch: Launch) -> None:
    began = time.monotonic()
    command = ["sh", "-c", "trap '' TERM; (trap '' TERM; sleep 60) & sleep 60"]
    run(platform, launch, command, wall_s=0.3, stop_grace_s=0.5)
    assert platform.finish["outcome"] == "timed_out"
    assert platform.finish["signal"] == 9
    assert 0.7 < time.monotonic() - began < 20


def test_stopped_step_is_ended_too(platform: Platform, launch: Launch) -> None:
    run(platform, launch, ["sh", "-c", "kill -STOP $$"], wall_s=0.3)
    assert platform.finish["outcome"] == "timed_out"
    assert platform.finish["signal"] == 15


def test_memory_hog_is_ended(platform: Platform, launch: Launch) -> None:
    script = "import time\nx = [bytes(1 << 20) * 4 for _ in range(75)]\ntime.sleep(60)"
    run(platform, launch, ["python", "-c", script], memory_bytes=64 << 20)
    assert_resources(platform, "The step used ", " of 64 MiB memory and was stopped.")


def test_memory_of_all_processes_counts(platform: Platform, launch: Launch) -> None:
    script = "import os, time\nfor _ in range(5): os.fork()\nx = bytes(1 << 20) * 8\ntime.sleep(60)"
    run(platform, launch, ["python", "-c", script], memory_bytes=160 << 20)
    assert_resources(platform, " of 160 MiB memory")


def test_memory_shared_by_forks_counts_once(platform: Platform, launch: Launch) -> None:
    script = "import os, time\nx = bytes(1 << 20) * 60\nfor _ in range(3): os.fork()\ntime.sleep(0.8)"
    run(platform, launch, ["python", "-c", script], memory_bytes=200 << 20)
    assert platform.finish["outcome"] == "succeeded"


def test_process_that_has_ended_holds_no_memory() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert proportional_bytes([Process(ended.pid, 1, "S", 60 << 20)]) == 0


def test_fork_bomb_is_ended(platform: Platform, launch: Launch) -> None:
    # Bounded to 2^9 processes, in case nothing stops it.
    script = "import os, time\nfor _ in range(9): os.fork()\ntime.sleep(60)"
    run(platform, launch, ["python", "-c", script], processes=30)
    assert_resources(platform, " processes at once; its limit is 30.")


def test_bomb_that_goes_on_forking_while_it_is_killed_is_ended(platform: Platform, launch: Launch) -> None:
    # Each process leaves at once when it has made two more, in sessions of their own; ends by itself after 20 s.
    script = (
        "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nend = time.time() + 20\n"
        "def live():\n    while time.time() < end:\n        time.sleep(0.01)\n"
        "        if os.fork() == 0: os.setsid()\n        else: os._exit(0)\n"
        "for _ in range(20):\n    if os.fork() == 0: live()\ntime.sleep(60)"
    )
    run(platform, launch, ["python", "-c", script], wall_s=0.5, stop_grace_s=0)
    assert platform.finish["outcome"] == "timed_out"


def test_file_over_the_largest_size_ends_the_step(platform: Platform, launch: Launch) -> None:
    command = ["sh", "-c", "exec head -c 2000000 /dev/zero > $ESTEIRA_OUTPUTS/x"]
    run(platform, launch, command, file_size_bytes=1 << 20)
    assert platform.finish["signal"] == 25
    assert_resources(platform, "larger than its limit")


def test_program_that_ignores_the_signal_is_judged_the_same(platform: Platform, launch: Launch) -> None:
    script = "open('x', 'wb').write(bytes(2 << 20))"
    run(platform, launch, ["python", "-c", script], file_size_bytes=1 << 20)
    assert platform.finish["exit_code"] == 1
    assert_resources(platform, "larger than its limit")


def test_disk_filler_is_ended(platform: Platform, launch: Launch) -> None:
    script = "sleep 1.1; i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > $HOME/$i; sleep 0.05; done"
    run(platform, launch, ["sh", "-c", script], disk_bytes=4_000_000)
    assert_resources(platform, "The step's files take ", "; the limit is 3.8 MiB.")


def test_outputs_over_the_limit_end_the_step(platform: Platform, launch: Launch) -> None:
    script = "head -c 3000000 /dev/zero > $ESTEIRA_OUTPUTS/x; sleep 60"
    run(platform, launch, ["sh", "-c", script], output_bytes=2_000_000)
    assert_resources(platform, "The step's outputs take ")


def test_outputs_are_counted_at_the_end_as_well(platform: Platform, launch: Launch) -> None:
    run(platform, launch, ["sh", "-c", "head -c 3000000 /dev/zero > $ESTEIRA_OUTPUTS/x"], output_bytes=2_000_000)
    assert_resources(platform, "The outputs have 2.9 MiB; the limit is 1.9 MiB.")
    assert platform.named("outputs") == []


def test_too_many_outputs_are_refused(platform: Platform, launch: Launch) -> None:
    run(platform, launch, ["sh", "-c", "cd $ESTEIRA_OUTPUTS; touch 1 2 3 4"], output_files=3)
    assert_resources(platform, "more than 3 files")


def test_core_and_open_files_are_limited(platform: Platform, launch: Launch) -> None:
    run(platform, launch, ["bash", "-c", "ulimit -H -c; ulimit -H -f; ulimit -H -n"], file_size_bytes=1 << 20)
    core, size, files = bytes(platform.log).split()[-3:]
    assert (core, size) == (b"0", b"1024")
    assert int(files) <= 16384


def test_heartbeat_tells_the_memory(platform: Platform, launch: Launch) -> None:
    platform.order["heartbeat_s"] = 0.5
    run(platform, launch, ["python", "-c", "import time; x = bytes(1 << 20) * 40; time.sleep(0.9)"])
    assert max(call.body["memory_bytes"] for call in platform.named("heartbeat")) > 40 << 20
