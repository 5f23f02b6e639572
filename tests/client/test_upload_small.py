"""Many small files: few calls, each its own outcome, and whatever goes wrong with one is not the others' trouble."""

import os
from pathlib import Path

import pytest

from api_app.client import Client, EsteiraError, Outgoing
from api_app.client.uploads.outgoing import Outcome
from tests.client.fake_faults import Fault, answer, hang_up, lose_answer
from tests.client.fake_server import Handler, Platform

PART = "PUT /uploads/*/parts/*"


def make(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number:04}.txt" for number in range(count)]
    for path in paths:
        path.write_text(f"content of {path.name}")
    return paths


def texts(platform: Platform, outcomes: list[Outcome]) -> list[str]:
    return [platform.contents[outcome.file["id"]].decode() for outcome in outcomes if outcome.file]


def test_three_hundred_files_take_a_handful_of_calls(
    client: Client, platform: Platform, tmp_path: Path, transport: str
) -> None:
    paths = make(tmp_path, 300)

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    calls = [(method, path) for method, path, _ in platform.requests if method != "PUT"]
    assert calls == [("GET", "/uploads/config"), ("POST", "/uploads:batch"), ("POST", "/uploads:complete")]
    assert len(platform.uploads.puts) == 300


def test_more_than_a_batch(client: Client, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_app.client.uploads.small.MOST_FILES", 7)
    monkeypatch.setattr("api_app.client.uploads.small.MOST_BYTES", 100)
    paths = make(tmp_path, 20)

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    assert len(platform.calls("POST", "/uploads:batch")) == 4  # of 19 bytes each, so five at a time


def test_an_empty_file_needs_no_bytes(client: Client, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    file = client.upload(tmp_path / "empty")

    assert (file["size"], platform.contents[file["id"]]) == (0, b"")
    assert platform.uploads.puts == []


def test_a_file_that_fails_does_not_stop_the_others(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 5)
    bad = tmp_path / "b\x07ad"
    bad.write_text("x")
    gone = tmp_path / "gone"

    outcomes = client.upload_many([*paths[:2], bad, gone, *paths[2:], tmp_path])

    assert [outcome.fault and outcome.fault.code for outcome in outcomes] == [
        None, None, "invalid_name", "local_file", None, None, None, "local_file",
    ]  # fmt: skip
    assert len(platform.files) == 5


def test_a_name_that_is_not_utf8_is_told(client: Client, platform: Platform, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    path.write_text("x")

    outcomes = client.upload_many([path, *make(tmp_path, 1)])

    fault = outcomes[0].fault
    assert fault is not None
    assert fault.code == "name_not_utf8"
    assert "Rename the file" in str(fault)
    str(fault).encode()
    assert outcomes[1].file


@pytest.mark.parametrize("fault", [hang_up(3), lose_answer, answer(503), answer(400, "checksum_mismatch")])
def test_trouble_with_some_passes(client: Client, platform: Platform, tmp_path: Path, fault: Fault) -> None:
    paths = make(tmp_path, 10)
    platform.fail(PART, fault, fault, fault)

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]


@pytest.mark.parametrize("call", ["POST /uploads:batch", "POST /uploads:complete"])
def test_a_lost_answer_makes_nothing_twice(client: Client, platform: Platform, tmp_path: Path, call: str) -> None:
    platform.fail(call, lose_answer, hang_up())

    outcomes = client.upload_many(make(tmp_path, 10))

    assert len(texts(platform, outcomes)) == len(platform.files) == len(platform.uploads.all) == 10


def test_files_that_look_the_same_stay_apart(client: Client, platform: Platform, tmp_path: Path) -> None:
    """Same name, size and date, from two folders whose structure is not kept: tar and git leave such behind."""
    paths = [tmp_path / "a" / "x.txt", tmp_path / "b" / "x.txt"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
        os.utime(path, (1, 1))
    platform.fail("POST /uploads:batch", lose_answer)

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == ["a", "b"]
    assert len(platform.uploads.all) == 2


def test_a_run_that_was_killed_leaves_no_second_upload(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 3)

    platform.fail("POST /uploads:complete", answer(403, "forbidden"))
    assert all(outcome.fault for outcome in client.upload_many(paths))
    assert {one.state for one in platform.uploads.all.values()} == {"open"}

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    assert len(platform.uploads.all) == 3


def test_other_bytes_of_the_same_date_are_not_mixed_up(client: Client, platform: Platform, tmp_path: Path) -> None:
    (path,) = make(tmp_path, 1)
    os.utime(path, (1, 1))
    platform.fail("POST /uploads:complete", answer(403, "forbidden"))
    client.upload_many([path])
    path.write_text(path.read_text().upper())
    os.utime(path, (1, 1))

    file = client.upload(path)

    assert platform.contents[file["id"]] == path.read_bytes()
    assert sorted(one.state for one in platform.uploads.all.values()) == ["aborted", "complete"]


@pytest.mark.parametrize("state", ["expired", "gone"])
def test_an_upload_that_ended_meanwhile_is_begun_anew(
    client: Client, platform: Platform, tmp_path: Path, state: str
) -> None:
    paths = make(tmp_path, 3)

    def end(handler: Handler) -> bool:
        for key, one in list(platform.uploads.all.items())[:2]:
            one.state = state
            if state == "gone":
                del platform.uploads.all[key]
        return False

    platform.fail("PUT /uploads/*/parts/*", end)

    outcomes = client.upload_many(paths, max_parallel=1)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]


def test_bytes_that_got_lost_are_sent_again(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 3)

    def lose(handler: Handler) -> bool:
        next(iter(platform.uploads.all.values())).parts.clear()
        return False

    platform.fail("POST /uploads:complete", lose)

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]


def test_a_file_that_changes_meanwhile_is_refused(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 3)

    def change(handler: Handler) -> bool:
        paths[1].write_text("something else")
        return False

    platform.fail("POST /uploads:batch", change)

    outcomes = client.upload_many(paths)

    assert [outcome.fault and outcome.fault.code for outcome in outcomes] == [None, "file_changed", None]
    assert sorted(one.state for one in platform.uploads.all.values()) == ["aborted", "complete", "complete"]


def test_a_completion_that_takes_its_time_is_waited_for(
    client: Client, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_app.client.uploads.calls.ASK_AGAIN_S", 0.01)
    platform.uploads.slow_completions = 2

    assert client.upload(*make(tmp_path, 1))["name"] == "0000.txt"


def test_what_was_deleted_right_after_is_told(client: Client, platform: Platform, tmp_path: Path) -> None:
    def delete(handler: Handler) -> bool:
        one = platform.uploads.one()
        one.state, one.file = "complete", None
        return False

    platform.fail("POST /uploads:complete", delete)

    with pytest.raises(EsteiraError, match="then deleted there"):
        client.upload(*make(tmp_path, 1))


def test_too_many_open_uploads_are_told_at_once(client: Client, platform: Platform, tmp_path: Path) -> None:
    platform.fail("POST /uploads:batch", answer(429, "too_many_open_uploads", "You have 10,000 open uploads."))

    with pytest.raises(EsteiraError, match="10,000 open uploads"):
        client.upload(*make(tmp_path, 1))


def test_name_and_folder_can_be_chosen(client: Client, platform: Platform, tmp_path: Path) -> None:
    (path,) = make(tmp_path, 1)

    outcomes = client.upload_many([Outgoing(path, "other.txt", "a/b")], workspace="lab")

    assert outcomes[0].file
    one = platform.uploads.one()
    assert (one.name, one.path, one.workspace) == ("other.txt", "a/b", "lab")
