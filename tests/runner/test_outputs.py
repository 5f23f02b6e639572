"""Outputs are hostile until they are checked (security SEC-117)."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING

import pytest

from orchestration.runner.names import clean, media_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runner.fake import Platform, Runner

    Launch = Callable[..., Runner]

REFUSED = {
    "ln -s /etc/passwd x": "The output `x` is a symbolic link; outputs must be regular files.",
    "mkdir a; ln -s /etc/passwd a/x": "The output `a/x` is a symbolic link; outputs must be regular files.",
    "ln -s /etc dir": "The output `dir` is a symbolic link; outputs must be regular files.",
    "ln -s nowhere x": "The output `x` is a symbolic link; outputs must be regular files.",
    "mkfifo x": "The output `x` is a named pipe; outputs must be regular files.",
    "python -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"x\")'": (
        "The output `x` is a socket; outputs must be regular files."
    ),
    "cd ..; rm -r outputs; ln -s /etc outputs": "The outputs folder itself is a symbolic link.",
    "cd ..; rm -r outputs": "The folder `outputs/` cannot be read: No such file or directory.",
    "cd ..; rm -r outputs; touch outputs": "The folder `outputs/` cannot be read: Not a directory.",
    "mkdir -p $(seq -s / 70)": "The outputs have folders more than 64 levels deep.",
    "a=$(printf %0250d 1); mkdir -p $a/$a/$a/$a; touch $a/$a/$a/$a/x": "more than 1000 characters",
}
if os.getuid() == 0:
    REFUSED["mknod x c 1 5"] = "The output `x` is a device; outputs must be regular files."


@pytest.mark.parametrize("script", REFUSED)
def test_output_that_is_no_plain_file_fails_the_step(script: str, platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", f"cd $ESTEIRA_OUTPUTS; echo fine > fine; {script}"]
    runner = launch()
    assert runner.wait() == 0
    assert platform.finish["outcome"] == "failed"
    assert platform.finish["failure_kind"] == "USER_CODE"
    assert REFUSED[script] in platform.finish["detail"]
    assert platform.finish["outputs"] == []
    assert platform.named("outputs") == []


def test_second_name_of_an_input_becomes_a_copy(platform: Platform, launch: Launch) -> None:
    original = platform.add_input("in", b"content")
    platform.order["command"] = ["sh", "-c", "ln $ESTEIRA_INPUTS/in $ESTEIRA_OUTPUTS/same"]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"
    place = platform.store / "out" / "0"
    assert place.read_bytes() == b"content"
    assert place.stat().st_ino != original.stat().st_ino


def test_output_is_linked_and_not_copied(platform: Platform, launch: Launch) -> None:
    platform.order["command"] = ["sh", "-c", "echo x > $ESTEIRA_OUTPUTS/x; ls -i $ESTEIRA_OUTPUTS"]
    launch().wait()
    assert f"{(platform.store / 'out' / '0').stat().st_ino} x" in platform.log.decode()


def test_place_that_holds_the_file_already_is_left_alone(platform: Platform, launch: Launch) -> None:
    place = platform.store / "out" / "0"
    place.parent.mkdir()
    place.write_bytes(b"y\n")
    platform.order["command"] = ["sh", "-c", "echo x > $ESTEIRA_OUTPUTS/x"]
    launch().wait()
    assert place.read_bytes() == b"y\n"


def test_place_with_half_a_file_is_filled_again(platform: Platform, launch: Launch) -> None:
    place = platform.store / "out" / "0"
    place.parent.mkdir()
    place.write_bytes(b"half")
    platform.order["command"] = ["sh", "-c", "echo whole > $ESTEIRA_OUTPUTS/x"]
    launch().wait()
    assert place.read_bytes() == b"whole\n"
    assert os.listdir(place.parent) == ["0"]  # noqa: PTH208


def test_outputs_go_to_object_storage_by_put(platform: Platform, launch: Launch) -> None:
    platform.method = "PUT"
    platform.script["PUT"] = [(503, {}), (0, {})]
    platform.order["command"] = ["python", "-c", "open('../outputs/x', 'wb').write(b'0123456789' * 100_000)"]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"
    assert platform.puts == {"/puts/0": b"0123456789" * 100_000}


def test_output_whose_url_is_over_its_time_gets_another(platform: Platform, launch: Launch) -> None:
    platform.method = "PUT"
    platform.script["PUT"] = [(200, {}), (403, {})]
    platform.order["command"] = ["sh", "-c", "cd $ESTEIRA_OUTPUTS; echo a > a; echo b > b; echo c > c"]
    launch().wait()
    assert platform.finish["outcome"] == "succeeded"
    first, second = (call.body for call in platform.named("outputs"))
    assert (first["first"], len(first["files"])) == (0, 3)
    assert (second["first"], second["files"]) == (1, first["files"][1:2]), "for this one only, and its own place"


def test_storage_that_refuses_is_the_fault_of_the_platform(platform: Platform, launch: Launch) -> None:
    platform.method = "PUT"
    platform.script["PUT"] = [(403, {}), (403, {})]
    platform.order["command"] = ["sh", "-c", "echo x > $ESTEIRA_OUTPUTS/x"]
    launch().wait()
    assert platform.finish["failure_kind"] == "PLATFORM"
    assert platform.finish["detail"] == "The storage refused an output: 403."


def test_names_are_made_harmless_and_stay_apart(platform: Platform, launch: Launch) -> None:
    names = ["a\nb.txt", "a_b.txt", "a\u202eb.txt", "e\u0301.txt", "é.txt", "back\\slash", b"\xff.bin", "_intermediate"]
    script = f"import os\nfor name in {names!r}: open(os.path.join(os.fsencode(os.environ['ESTEIRA_OUTPUTS']), "
    script += "name.encode() if isinstance(name, str) else name), 'w').write(str(name))"
    platform.order["command"] = ["python", "-c", script]
    launch().wait()
    paths = sorted(output["path"] for output in platform.finish["outputs"])
    assert paths == sorted(
        [
            "a_b.txt",
            "a_b-2.txt",
            "a_b-3.txt",
            "é.txt",
            "é-2.txt",
            "back_slash",
            "_.bin",
            "_intermediate",
        ]
    )


CORPUS = {
    "report.html": "report.html",
    "a b.txt": "a b.txt",
    "..": "_.._",
    "...": "...",
    " ": "__",
    " lead.txt": "_lead.txt_",
    ".htaccess": ".htaccess",
    "-rf": "-rf",
    "CON": "CON",
    "x\r\ny": "x__y",
    "tab\there": "tab_here",
    "\x1b[31m": "_[31m",
    "right\u202eleft": "right_left",
    "\u2066x\u2069": "_x_",
    "zero\u200bwidth": "zero_width",
    "line\u2028sep": "line_sep",
    "nbsp\u00a0x": "nbsp_x",
    "\udcff": "_",
    "back\\slash": "back_slash",
    "<img src=x>": "<img src=x>",
    "emoji \U0001f600": "emoji \U0001f600",
    unicodedata.normalize("NFD", "Ärger.csv"): "Ärger.csv",
    "sub/ünter/x": "sub/ünter/x",
}


@pytest.mark.parametrize("name", CORPUS, ids=ascii)
def test_name_is_cleaned(name: str) -> None:
    assert clean(name) == CORPUS[name]
    assert clean(CORPUS[name]).encode()


def test_long_name_keeps_its_ending() -> None:
    # Each of these grows in NFC, so that a name which the file system takes becomes too long.
    name = clean("\u0958" * 84 + ".csv")
    assert len(name.encode()) <= 255
    assert name.endswith(".csv")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.CSV", "text/csv"),
        ("x.y.parquet", "application/vnd.apache.parquet"),
        ("png", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
    ],
)
def test_type_follows_the_ending(name: str, expected: str) -> None:
    assert media_type(name) == expected
