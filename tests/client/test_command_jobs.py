import json
import os
from pathlib import Path

import pytest

from api_app.client.screen.neutral import lines, one_line
from tests.client.conftest import Command
from tests.client.fake_server import Platform
from tests.client.fake_shapes import END, Json, step

HOSTILE = "\x1b]0;owned\x07evil\x1b[2J\u202egpj.exe"


@pytest.fixture(autouse=True)
def quiet(platform: Platform) -> None:
    platform.script = []


def test_jobs_lists_newest_first(command: Command, platform: Platform) -> None:
    first = platform.add_job(name="First")
    second = platform.add_job(name="Second", state="RUNNING", progress=0.4)

    done = command("jobs")

    assert done.code == 0
    header, newest, oldest = done.out.splitlines()
    assert header.split() == ["JOB", "STATE", "DONE", "PIPELINE", "CREATED", "BY", "NAME"]
    assert newest.split()[:3] == [second["id"], "RUNNING", "40%"]
    assert oldest.split()[0] == first["id"]


def test_filter_is_handed_on_as_it_is_written(command: Command, platform: Platform) -> None:
    assert "No job fits" in command("jobs", "--", "-state:succeeded", "label:a=b", '"two words"').out
    assert platform.filters == ['-state:succeeded label:a=b "two words"']


def test_jobs_as_json_and_filtered(command: Command, platform: Platform) -> None:
    platform.add_job(state="FAILED", finished_at=END)
    platform.add_job(state="RUNNING")

    (line,) = command("jobs", "--state", "failed", "--json").out.splitlines()

    assert [one["state"] for one in json.loads(line)] == ["FAILED"]


def test_jobs_goes_over_pages(command: Command, platform: Platform) -> None:
    for _ in range(205):
        platform.add_job()

    assert len(json.loads(command("jobs", "-n", "203", "--json").out)) == 203
    assert len(platform.calls("GET", "/jobs")) == 2


@pytest.mark.parametrize("cut", [lambda one: one[:8], lambda one: one.replace("-", "")[-6:], str.upper])
def test_part_of_an_id_is_enough(command: Command, platform: Platform, cut: object) -> None:
    job = platform.add_job(name="This one")
    platform.add_job(name="That one")

    assert "This one" in command("show", cut(job["id"])).out  # type: ignore[operator]


def test_last_is_my_newest_job(command: Command, platform: Platform) -> None:
    platform.add_job(name="Mine")
    platform.add_job(name="Somebody's", created_by="bruno")

    assert "Mine" in command("show", "last").out


@pytest.mark.parametrize(
    ("text", "told", "code"),
    [
        ("0000000", "No job that you may see begins or ends with 0000000", 6),
        ("abc", "'abc' is not a job", 2),
        ("abcdef", "abcdef fits 2 jobs; give more of the id", 2),
    ],
)
def test_a_job_that_is_not_there_is_told(command: Command, platform: Platform, text: str, told: str, code: int) -> None:
    platform.add_job(id="abcdef00-0000-4000-8000-000000000001")
    platform.add_job(id="abcdef00-0000-4000-8000-000000000002")

    done = command("show", text)

    assert done.code == code
    assert told in done.err


def test_show_tells_whose_fault_and_where(command: Command, platform: Platform) -> None:
    job = platform.add_job(
        state="FAILED",
        finished_at=END,
        failure_kind="INPUT",
        failure_detail="1 of 2 files could not be read.",
        steps=[step(state="FAILED", items_total=2, items_succeeded=1, items_failed=1)],
        results=[platform.add_file("report.html", b"x" * 2048)],
    )
    broken: Json = {"state": "FAILED", "item": 1, "source": "broken.csv"}
    platform.add_log(job["id"], b"", number=1, detail="Old.", **broken)
    platform.add_log(job["id"], b"", number=2, detail="Line 3 has 9 columns.", **broken)

    out = command("show", job["id"]).out

    assert "FAILED after 3.0 s: the input cannot be processed" in out
    assert "look · broken.csv: Line 3 has 9 columns." in out
    assert "Old." not in out
    assert "report.html" in out
    assert "2.0 KiB" in out
    assert "--step look --item 1" in out


def test_a_waiting_job_says_why(command: Command, platform: Platform) -> None:
    job = platform.add_job(state="WAITING", waiting_reason="concurrency", queue_position=3)

    assert "Waiting: other jobs of the workspace run first. Number 3 in line." in command("show", job["id"]).out


def test_hostile_names_do_not_reach_the_terminal(command: Command, platform: Platform) -> None:
    job = platform.add_job(name=HOSTILE, failure_detail=HOSTILE, state="FAILED", finished_at=END)
    job["inputs"] = [platform.add_file(HOSTILE, b"")]
    job["steps"] = [step(title=HOSTILE, message=HOSTILE)]
    platform.add_log(job["id"], HOSTILE.encode())

    for args in (["jobs"], ["show", job["id"]], ["files"], ["logs", job["id"]], ["watch", job["id"]]):
        for way in ([], ["--json"]):
            if args[0] != "logs" or not way:
                done = command(*args, *way)
                assert "\x1b" not in done.out + done.err
                assert "\u202e" not in done.out + done.err
                assert "evil" in done.out


def test_text_is_neutralised_but_stays_readable() -> None:
    assert lines("\x1b[31mred\x1b[0m\tand\r\nline\x1b]0;x\x07\r50%") == "red\tand\nline␛]0;x␇\n50%"
    assert one_line("a\nb\tc\x9b") == "a b c\N{REPLACEMENT CHARACTER}"


def test_logs_of_one_attempt_are_the_bytes(command: Command, platform: Platform) -> None:
    job = platform.add_job()
    platform.add_log(job["id"], "é one\ntwo".encode())

    assert command("logs", job["id"]).out == "é one\ntwo\n"


def test_logs_of_several_items_are_marked(command: Command, platform: Platform) -> None:
    job = platform.add_job(steps=[step(items_total=2)])
    platform.add_log(job["id"], b"old\n", item=0, number=1)
    platform.add_log(job["id"], b"a\nb\n", item=0, number=2)
    platform.add_log(job["id"], b"c\n", item=1)

    assert command("logs", job["id"]).out == "look/0 | a\nlook/0 | b\nlook/1 | c\n"
    assert command("logs", job["id"], "--step", "look", "--item", "1").out == "c\n"
    assert command("logs", job["id"], "--attempt", "1", "--item", "0").out == "old\n"
    assert "has no step lok. It has: look." in command("logs", job["id"], "--step", "lok").err
    assert "no such attempt" in command("logs", job["id"], "--item", "7").err


def test_logs_follow_until_the_job_ends(command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_app.client.commands.logs.POLL_S", 0.05)
    job = platform.add_job(state="RUNNING")
    one = platform.add_log(job["id"], b"first li", complete=False)
    platform.script = [{}, {"progress": 0.5}]
    asked = iter([b"first li", b"first line\nsec", b"first line\nsecond"])

    def grow(_: object) -> bool:
        platform.logs[one["id"]] = (next(asked, b"first line\nsecond"), False)
        return False

    def end(_: object) -> bool:
        platform.logs[one["id"]] = (b"first line\nsecond", True)
        job.update(state="SUCCEEDED", finished_at=END)
        return False

    platform.fail(f"GET /attempts/{one['id']}/log", grow, grow, grow, end)

    assert command("logs", "-f", job["id"]).out == "first line\nsecond\n"


def test_cancel_asks_before_several(command: Command, platform: Platform) -> None:
    ids = [platform.add_job()["id"] for _ in range(2)]

    assert "add --yes" in command("cancel", *ids).err
    assert {job["state"] for job in platform.jobs.values()} == {"QUEUED"}

    done = command("cancel", "--yes", *ids)
    assert done.code == 0
    assert {job["state"] for job in platform.jobs.values()} == {"CANCELED"}


def test_a_job_that_has_ended_does_not_save_the_others(command: Command, platform: Platform) -> None:
    ended = platform.add_job(state="SUCCEEDED", finished_at=END)["id"]
    running = platform.add_job()["id"]

    done = command("cancel", "--yes", ended, running)

    assert done.code == 7
    assert "has ended already" in done.err
    assert platform.jobs[running]["state"] == "CANCELED"


def test_retry_and_rerun_items(command: Command, platform: Platform) -> None:
    job = platform.add_job(state="FAILED", finished_at=END)

    assert command("retry", job["id"]).code == 0
    assert command("rerun-items", job["id"], "--step", "look", "--item", "3").code == 0

    assert platform.bodies == [{}, {"step": "look", "items": [3]}]
    assert job["run"] == 3
    assert command("rerun-items", job["id"], "--item", "3").code == 2


def test_resubmit_keeps_the_other_params(command: Command, platform: Platform) -> None:
    old = platform.add_job(pipeline="tabular-profile", params={"sample_rows": 300, "charts": True})

    done = command("resubmit", old["id"], "-p", "charts=no", "--json")

    assert json.loads(done.out)["resubmitted_from"] == old["id"]
    assert platform.bodies == [{"params": {"sample_rows": 300, "charts": False}}]


def test_download_makes_a_folder_of_its_own(command: Command, platform: Platform) -> None:
    job = platform.add_job(state="SUCCEEDED", results=[platform.add_file("a/report.html", b"<p>")])

    done = command("download", job["id"])

    folder = f"inspect-{job['id'].replace('-', '')[-8:]}"
    assert Path(folder, "a/report.html").read_bytes() == b"<p>"
    assert f"Downloaded 1 file (3 B) to {folder}." in done.err
    assert "1 of them were there already" in command("download", job["id"]).err


def test_pipelines_shows_what_params_there_are(command: Command) -> None:
    assert "tabular-profile" in command("pipelines").out

    out = command("pipelines", "tabular-profile").out

    assert "a whole number from 100 to 1000" in out
    assert "Takes: text/csv, text/tab-separated-values; at most 100 B each; at most 2 a job" in out


def test_a_reader_that_leaves_is_no_error(
    command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = platform.add_job()
    platform.add_log(job["id"], b"line\n" * 1000)
    read_end, write_end = os.pipe()
    os.close(read_end)

    with os.fdopen(write_end, "w") as nobody:
        monkeypatch.setattr("sys.stdout", nobody)
        done = command("logs", job["id"])
        monkeypatch.undo()

    assert (done.code, done.err) == (141, "")
