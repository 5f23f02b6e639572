"""The walls of bubblewrap, seen from inside (security SEC-114, SEC-115), and the way without them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestration.runner.sandbox import find, interpreter, works
from tests.runner.fake import bundle, with_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]

BWRAP = find()
needs_bwrap = pytest.mark.skipif(
    BWRAP is None or not works(BWRAP, None), reason="bubblewrap is missing or not allowed here"
)

# What the interpreter needs below /home, when it or its environment lies there.
HOMES = sorted({Path(p).parts[2] for p in (sys.prefix, sys.base_prefix) if Path(p).parts[1] == "home"})

LOOK = """
import json, os, pathlib, socket, sys
def tried(action):
    try:
        action()
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return "done"
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
inputs = pathlib.Path(os.environ["ESTEIRA_INPUTS"])
found = {
    "uid": os.getuid(), "gid": os.getgid(),
    "caps": [status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privs": status["NoNewPrivs"].strip(),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "connect": tried(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)),
    "metadata": tried(lambda: socket.create_connection(("169.254.169.254", 80), 2)),
    "resolve": tried(lambda: socket.getaddrinfo("example.org", 80)),
    "root": tried(lambda: open("/x", "w")), "usr": tried(lambda: open("/usr/x", "w")),
    "etc": tried(lambda: open("/etc/x", "w")), "dev": tried(lambda: open("/dev/x", "w")),
    "input": tried(lambda: open(inputs / "in.txt", "a")), "new_input": tried(lambda: open(inputs / "x", "w")),
    "code": tried(lambda: open(os.environ["PYTHONPATH"] + "/x", "w")),
    "params": tried(lambda: open(os.environ["ESTEIRA_PARAMS"], "a")),
    "kernel": [path for path in ("sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches",
        "sysrq-trigger", "mtrr", "irq/default_smp_affinity") if tried(lambda: open(f"/proc/{path}", "w")) == "done"],
    "scratch": tried(lambda: open("x", "w")), "tmp": tried(lambda: open("/tmp/x", "w")),
    "shm": tried(lambda: open("/dev/shm/x", "w")),
    "log": tried(lambda: open(inputs.parent / "log")),
    "home": os.listdir("/home") if os.path.isdir("/home") else ["No such file or directory"],
    "secret": tried(lambda: open(sys.argv[2])),
    "content": (inputs / "in.txt").read_text(), "prefix": sys.prefix, "env": sorted(os.environ),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()], "user": __import__("getpass").getuser(),
    "code_read": __import__("marker").VALUE,
}
(pathlib.Path(os.environ["ESTEIRA_OUTPUTS"]) / "found.json").write_text(json.dumps(found))
"""


def boxed(platform: Platform, command: list[str]) -> None:
    platform.order["isolation"] = "bubblewrap"
    platform.order["command"] = command


@needs_bwrap
def test_step_inside_sees_only_what_it_needs(platform: Platform, launch: Launch) -> None:
    secret = platform.folder / "secret"
    secret.write_text("secret")
    original = platform.add_input("in.txt", b"content", mode=0o644)
    with_code(platform, bundle({"marker.py": "VALUE = 42"}))
    boxed(platform, ["python", "-c", LOOK, str(platform.server_port), str(secret)])
    runner = launch()
    assert runner.wait() == 0
    assert platform.finish["outcome"] == "succeeded", platform.log.decode()
    found = json.loads((platform.store / "out" / "0").read_text())
    nothing = "0000000000000000"
    expected = {
        "uid": 65534,
        "gid": 65534,
        "caps": [nothing] * 5,
        "no_new_privs": "1",
        "interfaces": ["lo"],
        "connect": "Connection refused",
        "metadata": "Network is unreachable",
        "root": "Read-only file system",
        "usr": "Read-only file system",
        "etc": "Read-only file system",
        "dev": "Read-only file system",
        "input": "Read-only file system",
        "new_input": "Read-only file system",
        "code": "Read-only file system",
        "scratch": "done",
        "tmp": "done",
        "shm": "done",
        "log": "No such file or directory",
        # Where the platform's Python lies below it, there is a /home with that path and nothing else.
        "home": HOMES or ["No such file or directory"],
        "secret": "No such file or directory",
        "content": "content",
        "prefix": sys.prefix,
        "user": "nobody",
        "code_read": 42,
    }
    assert {key: found[key] for key in expected} == expected
    assert found["resolve"] != "done"
    # Writing to core_pattern there would run a program as root outside.
    assert found["kernel"] == []
    assert found["params"] != "done"
    assert len(found["processes"]) <= 3
    assert set(found["env"]) - {"LC_CTYPE", "PWD"} == {
        *("ESTEIRA_ATTEMPT_ID", "ESTEIRA_INPUTS", "ESTEIRA_ITEM", "ESTEIRA_OUTPUTS", "ESTEIRA_PARAMS", "HOME"),
        *("LANG", "PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "TMPDIR"),
    }
    assert original.read_bytes() == b"content"
    assert b"trusted code only" not in platform.log


@needs_bwrap
def test_network_is_there_when_the_order_says_so(platform: Platform, launch: Launch) -> None:
    script = f"import socket; socket.create_connection(('127.0.0.1', {platform.server_port}), 2).close()"
    boxed(platform, ["python", "-c", script])
    platform.order["network"] = True
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"


@needs_bwrap
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("exit 0", {"outcome": "succeeded", "exit_code": 0, "signal": None}),
        ("exit 65", {"outcome": "failed", "exit_code": 65, "failure_kind": "INPUT"}),
        ("kill -SEGV $$", {"outcome": "failed", "exit_code": None, "signal": 11}),
        ("kill -XFSZ $$", {"failure_kind": "RESOURCES", "signal": 25}),
    ],
)
def test_ends_are_told_through_the_walls(
    script: str, expected: dict[str, object], platform: Platform, launch: Launch
) -> None:
    boxed(platform, ["sh", "-c", script])
    launch().wait()
    assert {key: platform.finish[key] for key in expected} == expected


@needs_bwrap
def test_step_inside_may_clean_up_after_sigterm(platform: Platform, launch: Launch) -> None:
    boxed(platform, ["sh", "-c", "trap 'sleep 0.3; echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"])
    platform.order["limits"]["cancel_grace_s"] = 20
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.terminate()
    assert runner.wait(15) == 0
    assert platform.finish["outcome"] == "canceled"
    assert platform.log.endswith(b"bye\n")


@needs_bwrap
def test_limits_hold_inside(platform: Platform, launch: Launch) -> None:
    boxed(platform, ["python", "-c", "import time\nx = bytes(1 << 20) * 300\ntime.sleep(60)"])
    platform.order["limits"]["memory_bytes"] = 64 << 20
    runner = launch()
    runner.wait()
    assert platform.finish["failure_kind"] == "RESOURCES"
    assert runner.leftovers() == []


@needs_bwrap
def test_files_in_tmp_count_as_disk(platform: Platform, launch: Launch) -> None:
    boxed(
        platform, ["sh", "-c", "head -c 3000000 /dev/zero > /tmp/x; head -c 3000000 /dev/zero > /dev/shm/x; sleep 60"]
    )
    platform.order["limits"]["disk_bytes"] = 5_000_000
    launch().wait()
    assert platform.finish["detail"].startswith("The step's files take 5.")


@needs_bwrap
def test_everything_inside_dies_with_a_killed_runner(platform: Platform, launch: Launch) -> None:
    boxed(platform, ["sh", "-c", "setsid sleep 300 & setsid sleep 300 & echo ready; wait"])
    runner = launch()
    platform.wait_for_log(b"ready")
    runner.process.kill()
    assert runner.gone()


@needs_bwrap
def test_library_preloaded_by_the_pipeline_stays_inside(platform: Platform, launch: Launch) -> None:
    platform.order["env"] = {"LD_PRELOAD": "/nowhere/evil.so"}
    boxed(platform, ["sh", "-c", "exit 0"])
    launch().wait()
    # Each program that the linker starts complains once: sh does, bwrap outside does not.
    assert platform.log.count(b"evil.so") == 1


def without_bwrap(platform: Platform) -> list[str]:
    """Options for a runner that has learned before that bubblewrap does not work here."""
    cache = platform.folder / "probe"
    if BWRAP is not None:
        works(BWRAP, str(cache))
        cache.write_bytes(cache.read_bytes().replace(b"\nworks", b"\nfails"))
    return ["--probe-cache", str(cache)]


def test_bubblewrap_that_is_needed_and_missing_is_the_fault_of_the_platform(platform: Platform, launch: Launch) -> None:
    boxed(platform, ["touch", str(platform.folder / "ran")])
    launch(*without_bwrap(platform)).wait()
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert "bubblewrap" in platform.finish["detail"]
    assert not (platform.folder / "ran").exists()


def test_auto_falls_back_and_says_so(platform: Platform, launch: Launch) -> None:
    platform.order["isolation"] = "auto"
    platform.order["command"] = ["echo", "hello"]
    assert launch(*without_bwrap(platform)).wait() == 0
    assert platform.log == b"[esteira] isolation: plain subprocess, for trusted code only\nhello\n"


@needs_bwrap
def test_auto_takes_bubblewrap_where_it_works(platform: Platform, launch: Launch) -> None:
    platform.order["isolation"] = "auto"
    platform.order["command"] = ["id", "-u"]
    assert launch().wait() == 0
    assert platform.log == b"65534\n"


@needs_bwrap
def test_answer_of_the_probe_is_kept(tmp_path: Path) -> None:
    assert BWRAP is not None
    cache = tmp_path / "probe"
    assert works(BWRAP, str(cache))
    content = cache.read_bytes()
    assert content.endswith(b"\nworks")
    cache.write_bytes(content.replace(b"\nworks", b"\nfails"))
    assert not works(BWRAP, str(cache))
    cache.write_bytes(b"/another/bwrap\nfails")
    assert works(BWRAP, str(cache))


def test_interpreter_brings_its_own_folders_and_no_other(tmp_path: Path) -> None:
    base, venv, link = tmp_path / "base", tmp_path / "venv", tmp_path / "home" / "bin" / "python"
    for python in (base / "bin" / "python3", venv / "bin" / "python", link):
        python.parent.mkdir(parents=True)
    (base / "bin" / "python3").touch()
    (venv / "bin" / "python").symlink_to(base / "bin" / "python3")
    (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion = 3.13\n")
    link.symlink_to(base / "bin" / "python3")
    assert interpreter(str(venv / "bin" / "python")) == (str(venv / "bin" / "python"), [str(venv), str(base)])
    assert interpreter(str(link)) == (str(base / "bin" / "python3"), [str(base)])
    assert interpreter("/usr/bin/python3")[1] == []


@needs_bwrap
def test_places_are_the_steps_own_and_layers_can_only_be_read(platform: Platform, launch: Launch) -> None:
    tools = platform.folder / "tools"
    (tools / "bin").mkdir(parents=True)
    tool = tools / "bin" / "tool"
    tool.write_text("#!/bin/sh\necho from the layer\n")
    tool.chmod(0o755)
    platform.order |= {"places": ["data", "srv"], "layers": [str(tools)]}
    boxed(platform, ["sh", "-c", f"mkdir /data/a && echo x > /data/a/b && ls /srv && {tool}; touch {tools}/y; ls /"])
    runner = launch()
    assert runner.wait() == 0
    said = platform.log.decode()
    assert "from the layer" in said
    assert "Read-only file system" in said
    assert {"data", "srv"} <= set(said.split())
    assert not (tools / "y").exists()
    assert not (runner.work / "data").exists()


@needs_bwrap
def test_layer_that_is_not_there_is_the_platforms_fault(platform: Platform, launch: Launch) -> None:
    platform.order["layers"] = ["/nowhere/tools"]
    boxed(platform, ["true"])
    assert launch().wait() == 0
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert "/nowhere/tools" in platform.finish["detail"]


@pytest.mark.parametrize(
    "order", [{"places": ["a/b"]}, {"places": [".."]}, {"layers": ["/"]}, {"layers": ["/home"]}, {"layers": ["opt"]}]
)
def test_places_and_layers_that_lead_elsewhere_are_refused(
    platform: Platform, launch: Launch, order: dict[str, list[str]]
) -> None:
    platform.order |= order
    assert launch().wait() == 0
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert "work order" in platform.finish["detail"]
