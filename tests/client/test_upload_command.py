"""`esteira upload`."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.client.conftest import ROOT, Command
from tests.client.fake_faults import answer
from tests.client.fake_server import TOKEN, Handler, Platform
from tests.pipelines.step_contract import run_measured

MIB = 1 << 20


def make(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


def names(platform: Platform) -> list[str]:
    return sorted(f"{one['path']}/{one['name']}".lstrip("/") for one in platform.files.values())


def test_a_folder_keeps_its_structure(command: Command, platform: Platform) -> None:
    make("photos/a.txt", "photos/2026/nov/b.txt", "photos/.hidden", "photos/.git/config")
    Path("photos/empty").mkdir()

    done = command("upload", "photos", "--path", "archive/x", "--workspace", "lab")

    assert done.code == 0, done.err
    assert names(platform) == ["archive/x/photos/2026/nov/b.txt", "archive/x/photos/a.txt"]
    assert {one.workspace for one in platform.uploads.all.values()} == {"lab"}
    assert "archive/x/photos/a.txt" in done.out
    assert "Uploaded 2 files" in done.err


def test_the_folder_one_is_in_gives_its_content(command: Command, platform: Platform) -> None:
    make("a.txt", "sub/b.txt")

    assert command("upload", ".").code == 0
    assert names(platform) == ["a.txt", "sub/b.txt"]


def test_hidden_files_only_when_asked_for(command: Command, platform: Platform) -> None:
    make("photos/.hidden", "photos/.git/config")

    told = command("upload", "photos")
    assert told.code == 2
    assert "There are no files in photos (2 hidden files not counted)" in told.err

    assert command("upload", "photos", "--hidden").code == 0
    assert names(platform) == ["photos/.git/config", "photos/.hidden"]


def test_patterns_that_the_shell_left_alone(command: Command, platform: Platform) -> None:
    make("a.csv", "b.csv", "c.txt", "deep/er/d.csv")

    assert command("upload", "*.csv").code == 0
    assert names(platform) == ["a.csv", "b.csv"]

    assert command("upload", "**/*.csv", "[a]*.txt", "c.txt").code == 2
    assert command("upload", "**/d.csv").code == 0
    assert names(platform) == ["a.csv", "b.csv", "d.csv"]


def test_a_file_may_be_called_like_a_pattern(command: Command, platform: Platform) -> None:
    make("a[1].csv")

    assert command("upload", "a[1].csv").code == 0
    assert names(platform) == ["a[1].csv"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("*.nothing", "No file matches *.nothing. The folder you are in is"),
        ("nothing", "There is no file nothing. The folder you are in is"),
        ("empty", "There are no files in empty."),
    ],
)
def test_nothing_found_is_told(command: Command, platform: Platform, path: str, told: str) -> None:
    Path("empty/deeper").mkdir(parents=True)

    done = command("upload", path)

    assert done.code == 2
    assert told in done.err
    assert platform.requests == []


def test_links_do_not_lead_out_and_what_is_left_out_is_told(command: Command, platform: Platform) -> None:
    make("data/a.txt", "data/sub/b.txt", "secret.txt", "outside/c.txt")
    Path("data/out.txt").symlink_to("../secret.txt")
    Path("data/outside").symlink_to("../outside")
    Path("data/again").symlink_to("sub")
    Path("data/broken").symlink_to("nowhere")
    Path("data/z.txt").symlink_to("a.txt")
    os.mkfifo("data/pipe")

    done = command("upload", "data", "--json")

    assert done.code == 0, done.err
    assert names(platform) == ["data/a.txt", "data/sub/b.txt"]
    left = {one["source"]: one["reason"] for one in json.loads(done.out)["left_out"]}
    assert left == {
        "data/again": "a link to a folder beside it",
        "data/broken": "a link to something that is not there",
        "data/out.txt": "a link that leads out of the folder",
        "data/outside": "a link that leads out of the folder",
        "data/pipe": "neither a file nor a folder",
        "data/z.txt": "the same file as data/a.txt",
    }
    assert "Left out data/again: a link to a folder beside it." in done.err
    assert "Left out 3 more files for reasons like these." in done.err


def test_a_link_that_is_named_is_meant(command: Command, platform: Platform) -> None:
    make("real/a.txt", "b.txt")
    Path("link").symlink_to("real")
    Path("c.txt").symlink_to("b.txt")

    assert command("upload", "link", "c.txt").code == 0
    assert names(platform) == ["c.txt", "link/a.txt"]


def test_failures_are_listed_and_the_rest_is_there(command: Command, platform: Platform) -> None:
    make("data/a.txt", "data/b\x07.txt", "data/c.txt")

    done = command("upload", "data", "--json")

    assert done.code == 1
    said = json.loads(done.out)
    assert sorted(one["name"] for one in said["files"]) == ["a.txt", "c.txt"]
    (failed,) = said["failed"]
    assert (failed["source"], failed["code"]) == ("data/b\x07.txt", "invalid_name")
    assert "1 file could not be uploaded:" in done.err
    assert "The name cannot be kept." in done.err
    assert "\x07" not in done.err


def test_one_reason_for_all_is_told_once(command: Command, platform: Platform) -> None:
    make("data/a.txt", "data/b.txt", "data/c.txt")
    platform.fail("POST /uploads:batch", answer(404, "not_found", "There is no workspace 'lba' that you may see."))

    done = command("upload", "data", "--workspace", "lba")

    assert (done.code, done.out) == (1, "")
    assert done.err == "3 files could not be uploaded:\n  There is no workspace 'lba' that you may see.\n"


def test_a_name_of_two_lines_is_told_on_one(command: Command, platform: Platform) -> None:
    make("data/new\nline.txt")
    platform.fail("POST /uploads:batch", answer(422, "invalid_name", "The name cannot be kept."))

    done = command("upload", "data")

    assert "data/new line.txt: The name cannot be kept." in done.err


def test_a_folder_that_cannot_be_read_is_a_failure(
    command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("data/a.txt", "data/locked/b.txt")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)

    done = command("upload", "data")

    assert done.code == 1
    assert names(platform) == ["data/a.txt"]
    assert "Cannot list data/locked (Permission denied)." in done.err


def test_standard_input_with_a_name(command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n")))

    done = command("upload", "-", "--name", "table.csv", "--path", "x")

    assert done.code == 0, done.err
    assert names(platform) == ["x/table.csv"]
    assert list(platform.contents.values()) == [b"a,b\n"]


def test_standard_input_without_a_name_is_refused(command: Command, platform: Platform) -> None:
    done = command("upload", "-")

    assert done.code == 2
    assert "--name table.csv" in done.err
    assert platform.requests == []


def test_another_name_is_for_one_file(command: Command, platform: Platform) -> None:
    make("a.txt", "b.txt")

    assert command("upload", "a.txt", "--name", "c.txt").code == 0
    assert names(platform) == ["c.txt"]
    assert "--name is for one file" in command("upload", "a.txt", "b.txt", "--name", "c.txt").err


def test_answer_is_a_list_of_files(command: Command, platform: Platform) -> None:
    make("a.txt")

    done = command("upload", "a.txt")

    assert done.out.split()[:3] == ["FILE", "SIZE", "NAME"]
    assert next(iter(platform.files)) in done.out


def start(url: str, *args: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "api_app.client", "--url", url, "--token", TOKEN, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("hangs", ["sending", "answering"])
def test_ctrl_c_says_how_to_go_on(url: str, platform: Platform, hangs: str) -> None:
    Path("big.bin").write_bytes(b"x" * 40 * MIB)
    reached, over = threading.Event(), threading.Event()

    def hang(handler: Handler) -> bool:
        if hangs == "answering":
            handler.rfile.read(int(handler.headers["Content-Length"]))
        reached.set()
        over.wait(60)
        handler.close_connection = True
        return True

    platform.fail("PUT /uploads/*/parts/*", hang, hang, hang)
    process = start(url, "upload", "big.bin")
    try:
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)  # and not the minute that a silent connection may last
    finally:
        over.set()

    assert process.returncode == 130
    assert "Stopped. Run the same command again: it goes on where it stopped." in told
    assert "Traceback" not in told
    assert platform.uploads.one().state == "open"


def test_ctrl_c_before_a_job_says_that_nothing_runs(url: str, platform: Platform) -> None:
    Path("a.txt").write_text("x")
    reached, over = threading.Event(), threading.Event()

    def hang(_handler: Handler) -> bool:
        reached.set()
        over.wait(60)
        return True

    platform.fail("PUT /uploads/*/parts/*", hang)
    process = start(url, "run", "inspect", "a.txt")
    try:
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        over.set()

    assert process.returncode == 130
    assert "Stopped before the job was submitted: nothing runs." in told
    assert not platform.jobs


def test_memory_does_not_grow_with_parts(url: str, platform: Platform, tmp_path: Path) -> None:
    """Eight parts of 24 MiB at once: held in memory they would be 192 MiB."""
    platform.uploads.part_size = 24 * MIB
    platform.uploads.forgets = True
    Path("small.bin").write_bytes(b"x")
    with Path("big.bin").open("wb") as file:
        file.truncate(220 * MIB)
    used = {}
    for name in ("small.bin", "big.bin"):
        command = [sys.executable, "-m", "api_app.client", "--url", url, "--token", TOKEN, "upload", name]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        used[name] = run_measured(command, folder=Path.cwd(), environment=environment, log=tmp_path / "log")
        assert used[name].code == 0, (tmp_path / "log").read_text()

    assert platform.uploads.sending.most > 1
    grown = used["big.bin"].peak_memory_bytes - used["small.bin"].peak_memory_bytes
    assert grown < 64 * MIB, f"{grown / MIB:.0f} MiB"


def test_run_says_which_file_failed_and_runs_nothing(command: Command, platform: Platform) -> None:
    make("data/a.txt", "data/b\x07.txt")

    done = command("run", "inspect", "data")

    assert done.code == 7
    assert "b␇.txt: The name cannot be kept." in done.err
    assert "Nothing runs." in done.err
    assert not platform.jobs


def test_a_platform_that_does_not_accept_us_is_told_once(command: Command, platform: Platform) -> None:
    make("a.txt", "b.txt")
    platform.fail("GET /uploads/config", answer(401, "not_authenticated"))

    done = command("upload", "a.txt", "b.txt")

    assert done.code == 5
    assert "esteira login" in done.err
