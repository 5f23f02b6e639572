"""What a step finds when it starts, and what becomes of what it leaves (design note 0001, section 3)."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runner.fake import TOKEN, Runner, bundle, source, with_code, without_notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform

    Launch = Callable[..., Runner]

NOBODY = 65534
STEP = """
import json, os, pathlib, sys
inputs, outputs = pathlib.Path(os.environ["ESTEIRA_INPUTS"]), pathlib.Path(os.environ["ESTEIRA_OUTPUTS"])
index = json.loads((inputs / "index.json").read_text())
params = json.loads(pathlib.Path(os.environ["ESTEIRA_PARAMS"]).read_text())
(outputs / "a").mkdir()
(outputs / "a" / "b.txt").write_text((inputs / index["files"][1]["path"]).read_text().upper())
found = {"index": index, "params": params, "env": dict(os.environ), "cwd": os.getcwd(), "here": os.listdir(),
         "argv": sys.argv[1:], "stdin": sys.stdin.read(), "code": __import__("step_code").VALUE,
         "descriptors": len(os.listdir("/proc/self/fd")), "prefix": sys.prefix}
(outputs / "found.json").write_text(json.dumps(found))
"""


@pytest.fixture
def found(platform: Platform, launch: Launch) -> dict[str, object]:
    platform.order["command"] = ["python", "-m", "step_main", "--flag", "$HOME; *"]
    platform.order["env"] = {"NAME": "value", "ESTEIRA_ITEM": "stolen", "PATH": "/nowhere"}
    platform.order["failed_items"] = [{"step": "convert", "item": 7}]
    with_code(platform, bundle({"step_main.py": STEP, "step_code.py": "VALUE = 42"}))
    platform.add_input("sales.csv", b"a,b")
    platform.add_input("convert/3/table.txt", b"hello")
    runner = launch()
    assert runner.wait() == 0, platform.log
    assert platform.finish["outcome"] == "succeeded", (platform.finish, platform.log)
    content: dict[str, object] = json.loads((platform.store / "out" / "0").read_text())
    content["work"] = str(runner.work)
    return content


def test_step_finds_inputs_parameters_and_code(found: dict[str, object], platform: Platform) -> None:
    files = [entry["index"] for entry in platform.order["inputs"]]
    assert found["index"] == {"files": files, "failed_items": [{"step": "convert", "item": 7}]}
    assert found["params"] == {"sample_rows": 7}
    assert found["code"] == 42
    assert found["argv"] == ["--flag", "$HOME; *"]
    assert found["stdin"] == ""
    assert found["here"] == []
    assert found["cwd"] == f"{found['work']}/scratch"


def test_step_gets_the_environment_of_the_contract_and_nothing_else(found: dict[str, object]) -> None:
    work = found["work"]
    assert found["env"] == {
        "ESTEIRA_INPUTS": f"{work}/inputs",
        "ESTEIRA_PARAMS": f"{work}/params.json",
        "ESTEIRA_OUTPUTS": f"{work}/outputs",
        "ESTEIRA_ITEM": "3",
        "ESTEIRA_ATTEMPT_ID": found["env"]["ESTEIRA_ATTEMPT_ID"],  # type: ignore[index]
        "PATH": f"{os.path.dirname(sys.executable)}:/usr/local/bin:/usr/bin:/bin",  # noqa: PTH120
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{work}/code",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": f"{work}/scratch",
        "HOME": f"{work}/scratch",
        "NAME": "value",
    }
    assert found["descriptors"] == 4  # the three, and the one that lists them
    assert found["prefix"] == sys.prefix


def test_outputs_become_files_with_size_digest_and_type(found: dict[str, object], platform: Platform) -> None:
    assert found
    outputs = {output["path"]: output for output in platform.finish["outputs"]}
    assert sorted(outputs) == ["a/b.txt", "found.json"]
    expected = source("a/b.txt", "", b"HELLO")
    assert outputs["a/b.txt"] == {
        "path": "a/b.txt",
        "size": 5,
        "sha256": expected["sha256"],
        "media_type": "text/plain",
    }
    assert outputs["found.json"]["media_type"] == "application/json"
    assert (platform.store / "out" / "1").read_bytes() == b"HELLO"
    # Read-only, so that it can be linked as the input of another step.
    assert (platform.store / "out" / "1").stat().st_mode & 0o777 == 0o444


def test_noop_step_takes_two_requests(platform: Platform, launch: Launch) -> None:
    runner = launch()
    assert runner.wait() == 0
    assert platform.names == ["start", "finish"]
    assert platform.calls[0].body["runner"] == "1"
    assert platform.calls[0].body["pid"] == runner.process.pid
    assert runner.exit == {
        "code": 0,
        "outcome": "succeeded",
        "reported": True,
        "detail": "",
        "failure_kind": None,
    }


def test_usage_is_reported(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["python", "-c", "x = b'x' * (50 << 20); sum(range(1_000_000))"]
    launch().wait()
    usage = platform.finish["usage"]
    assert usage["wall_s"] > 0
    assert usage["cpu_s"] > 0
    assert usage["max_rss_bytes"] > 50 << 20


def test_read_only_original_is_linked_and_a_writable_one_is_copied(platform: Platform, launch: Launch) -> None:
    safe = platform.add_input("safe.txt", b"safe", mode=0o444)
    open_ = platform.add_input("open.txt", b"open", mode=0o644)
    platform.order["command"] = ["sh", "-c", "ls -i $ESTEIRA_INPUTS; ls -ld $ESTEIRA_INPUTS"]
    runner = launch()
    runner.wait()
    assert f"{safe.stat().st_ino} safe.txt" in platform.log.decode()
    assert f"{open_.stat().st_ino} open.txt" not in platform.log.decode()
    assert b"\ndr-xr-xr-x" in platform.log
    assert safe.stat().st_mode & 0o777 == 0o444
    assert open_.stat().st_mode & 0o777 == 0o644
    # Opened again, so that the folder can be removed without tricks.
    assert (runner.work / "inputs").stat().st_mode & 0o777 == 0o700


def test_input_over_http_is_downloaded_and_checked(platform: Platform, launch: Launch) -> None:
    platform.add_blob("big", os.urandom(3 << 20))
    platform.script["GET"] = [(503, {})]
    platform.order["command"] = ["sh", "-c", "wc -c < $ESTEIRA_INPUTS/big"]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"
    assert b"3145728" in platform.log


def test_input_whose_url_is_over_its_time_is_asked_for_again(platform: Platform, launch: Launch) -> None:
    platform.add_blob("x", b"content")
    platform.script["GET"] = [(403, {})]
    platform.order["command"] = ["sh", "-c", "cat $ESTEIRA_INPUTS/x"]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"
    assert len(platform.named("start")) == 2
    assert b"content" in platform.log


def test_code_whose_url_is_over_its_time_is_asked_for_again(platform: Platform, launch: Launch) -> None:
    """At another address, as a new signature makes it; nothing lies at the old one."""
    content = bundle({"step_code.py": "print('of the code')"})
    platform.blobs["/blobs/fresh"] = content
    platform.order["command"] = ["python", "-m", "step_code"]
    platform.order["code"] = source("code", f"{platform.url}/blobs/fresh", content)
    stale = platform.order | {"code": source("code", f"{platform.url}/blobs/stale", content)}
    platform.script["start"], platform.script["GET"] = [(200, stale)], [(403, {})]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded", platform.finish
    assert len(platform.named("start")) == 2
    assert b"of the code" in platform.log


def test_input_that_is_refused_with_a_fresh_url_too_is_the_fault_of_the_platform(
    platform: Platform, launch: Launch
) -> None:
    platform.add_blob("x", b"content")
    platform.script["GET"] = [(403, {}), (403, {})]
    launch().wait()
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert platform.finish["detail"] == "The storage refused an input: 403."


def fault_digest(platform: Platform) -> None:
    platform.add_blob("x", b"content")
    platform.order["inputs"][0]["sha256"] = "0" * 64


def fault_flipped(platform: Platform) -> None:
    stored = platform.add_input("x", b"content")
    stored.chmod(0o644)
    stored.write_bytes(b"contenT")
    stored.chmod(0o444)


def fault_flipped_and_copied(platform: Platform) -> None:
    platform.add_input("x", b"content", mode=0o644).write_bytes(b"contenT")


def fault_size(platform: Platform) -> None:
    platform.add_input("x", b"content")
    platform.order["inputs"][0]["size"] = 6


def fault_gone(platform: Platform) -> None:
    platform.add_input("x", b"content").unlink()


def fault_longer(platform: Platform) -> None:
    platform.add_blob("x", b"content")
    platform.order["inputs"][0]["size"] = 3


def test_download_stops_at_the_size_of_the_work_order(platform: Platform, launch: Launch) -> None:
    platform.add_blob("x", bytes(20 << 20))
    platform.order["inputs"][0]["size"] = 3
    runner = launch()
    runner.wait()
    assert platform.finish["detail"] == "A stored input is longer than the work order says."
    assert (runner.work / "inputs" / "x").stat().st_size < 1 << 20


def fault_refused(platform: Platform) -> None:
    platform.add_blob("x", b"content")
    platform.blobs.clear()


def fault_escape(platform: Platform) -> None:
    platform.add_input("../x", b"content")


def fault_index(platform: Platform) -> None:
    platform.add_input("index.json", b"content")


def fault_code_digest(platform: Platform) -> None:
    with_code(platform, bundle({"a.py": ""}))
    platform.order["code"]["sha256"] = "0" * 64


def fault_code_escape(platform: Platform) -> None:
    with_code(platform, bundle({"../evil.py": ""}))


def fault_code_no_zip(platform: Platform) -> None:
    with_code(platform, b"no zip")


def fault_no_limits(platform: Platform) -> None:
    del platform.order["limits"]["memory_bytes"]


def fault_python(platform: Platform) -> None:
    platform.order["python"] = "/nowhere/python"
    platform.order["command"] = ["python"]


@pytest.mark.parametrize(
    "fault",
    [
        fault_digest,
        fault_flipped,
        fault_flipped_and_copied,
        fault_size,
        fault_gone,
        fault_longer,
        fault_refused,
        fault_escape,
        fault_index,
        fault_code_digest,
        fault_code_escape,
        fault_code_no_zip,
        fault_no_limits,
        fault_python,
    ],
)
def test_fault_of_the_platform_is_called_that(
    fault: Callable[[Platform], None], platform: Platform, launch: Launch
) -> None:
    platform.order["command"] = ["touch", str(platform.folder / "ran")]
    fault(platform)
    runner = launch()
    assert runner.wait() == 0
    assert platform.finish["outcome"] == "failed"
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert platform.finish["detail"].endswith(".")
    assert not (platform.folder / "ran").exists()
    assert not (platform.folder / "evil.py").exists()


def test_token_is_in_no_environment_and_no_argument(platform: Platform, launch: Launch, tmp_path: Path) -> None:
    # Everything the step can see of any process of ours: its own, its parent's, all files in its folder.
    script = "cat /proc/[0-9]*/cmdline; cat /proc/self/environ; grep -r canary $ESTEIRA_INPUTS/.. ; env"
    platform.order["command"] = ["sh", "-c", f"({script}) > {tmp_path}/seen 2>&1; true"]
    launch().wait()
    seen = (tmp_path / "seen").read_bytes()
    assert b"runner.pyz" in seen
    assert TOKEN.encode() not in seen
    assert b"environment-canary" not in seen


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_step_of_an_ordinary_user_cannot_read_the_runner(pyz: Path, platform: Platform) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    shutil.copy(pyz, folder)
    platform.folder = folder
    platform.order["python"] = "/usr/bin/python3"
    platform.order["command"] = ["sh", "-c", "cat /proc/$PPID/environ /proc/$PPID/mem; touch $ESTEIRA_INPUTS/x; id -u"]
    runner = Runner(folder / "runner.pyz", platform, python="/usr/bin/python3", user=NOBODY)
    try:
        assert runner.wait() == 0
    finally:
        runner.end()
        shutil.rmtree(folder)
    assert platform.finish["outcome"] == "succeeded"
    assert platform.log.count(b"Permission denied") == 3
    assert platform.log.endswith(b"65534\n")


def test_log_of_a_plain_step_says_that_it_is_for_trusted_code(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["echo", "hello"]
    launch().wait()
    assert platform.log == b"[esteira] isolation: plain subprocess, for trusted code only\nhello\n"
    assert without_notes(bytes(platform.log)) == b"hello\n"
