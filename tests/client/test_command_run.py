import json
from pathlib import Path

import pytest

from tests.client.conftest import Command, Esteira
from tests.client.fake_faults import hang_up
from tests.client.fake_server import Platform
from tests.client.fake_shapes import END, step


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"a photo")
    return path


def test_the_last_line_is_the_job_and_only_success_is_zero(esteira: Esteira, platform: Platform, photo: Path) -> None:
    platform.script = [
        {"state": "RUNNING", "steps": [step(state="RUNNING", progress=0.5)]},
        {"state": "SUCCEEDED", "finished_at": END, "steps": [step(state="SUCCEEDED", progress=1.0)]},
    ]

    done = esteira("run", "inspect", photo, "--watch", "--json")

    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["state"] == "SUCCEEDED"
    assert "Uploaded 1 file" in done.stderr
    assert "look: RUNNING" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(("state", "code"), [("FAILED", 1), ("TIMED_OUT", 1), ("CANCELED", 3), ("SUCCEEDED", 0)])
def test_every_end_has_its_exit_code(command: Command, platform: Platform, photo: Path, state: str, code: int) -> None:
    platform.script = [{"state": state, "finished_at": END}]

    done = command("run", "inspect", photo, "--watch", "--json")

    assert done.code == code
    assert json.loads(done.out.splitlines()[-1])["state"] == state


def test_failure_exits_1_from_the_shell(esteira: Esteira, platform: Platform, photo: Path) -> None:
    platform.script = [{"state": "FAILED", "failure_kind": "INPUT", "finished_at": END}]

    done = esteira("run", "inspect", photo, "-w")

    assert done.returncode == 1
    assert "FAILED after 3.0 s: the input cannot be processed" in done.stdout
    assert "esteira retry" in done.stdout


def test_cost_is_said_at_the_end(command: Command, platform: Platform, photo: Path) -> None:
    spent = {"estimate_usd": "0.031", "actual_usd": "1234.5", "unpriced_attempts": 1}
    platform.script = [{"state": "SUCCEEDED", "finished_at": END, "cost": spent}]
    done = command("run", "inspect", photo, "--watch")
    assert "SUCCEEDED after 3.0 s · cost $1,234.50, 1 attempt without a price" in done.out


def test_without_watch_it_says_how_to_go_on(command: Command, platform: Platform, photo: Path) -> None:
    done = command("run", "inspect", photo)

    assert done.code == 0
    (job,) = platform.jobs.values()
    assert f"esteira watch {job['id'].replace('-', '')[-8:]}" in done.out
    assert job["state"] == "QUEUED"


def test_one_job_for_files_and_folders(command: Command, platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in ("b.txt", "sub/a.txt", ".hidden", ".git/config"):
        (folder / name).write_text(name)

    done = command("run", "inspect", folder, folder / "b.txt", "--name", "Mine", "--label", "a=b")

    assert done.code == 0, done.err
    (job,) = platform.jobs.values()
    assert [one["name"] for one in job["inputs"]] == ["b.txt", "a.txt"]
    assert (job["name"], job["labels"]) == ("Mine", {"a": "b"})


def test_many_files_keep_their_order(command: Command, platform: Platform, tmp_path: Path) -> None:
    names = [f"{number:03}.txt" for number in range(30)]
    for name in names:
        (tmp_path / name).write_text(name)
    platform.fail("PUT /uploads/*/parts/*", hang_up(2))

    done = command("run", "inspect", *[tmp_path / name for name in names])

    assert done.code == 0, done.err
    (job,) = platform.jobs.values()
    assert [one["name"] for one in job["inputs"]] == names


def test_download_fetches_the_results(command: Command, platform: Platform, photo: Path) -> None:
    result = platform.add_file("report.html", b"<p>")
    platform.script = [{"state": "SUCCEEDED", "finished_at": END, "results": [result]}]

    done = command("run", "inspect", photo, "--download", "out", "--json")

    assert done.code == 0, done.err
    assert Path("out/report.html").read_bytes() == b"<p>"
    assert json.loads(done.out)["state"] == "SUCCEEDED"


def test_params_are_read_by_their_type(command: Command, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b")
    given = ["sample_rows=500", "charts=no", "sizes=1,2", "sizes=3", "format=pdf"]

    done = command("run", "tabular-profile", tmp_path / "a.csv", *[f"-p{one}" for one in given])

    assert done.code == 0, done.err
    assert platform.bodies[0]["params"] == {
        "sample_rows": 500,
        "charts": False,
        "sizes": [1, 2, 3],
        "format": "pdf",
    }


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sample_rows=many", "sample_rows: 'many' does not fit; it takes a whole number from 100 to 1000"),
        ("sample_rows=5", "sample_rows: 5 does not fit"),
        ("charts=maybe", "charts: 'maybe' does not fit; it takes true or false"),
        ("format=docx", "format: 'docx' does not fit; it takes one of html, pdf"),
        ("sizes=1,x", "sizes: '1,x' does not fit; it takes a list, separated by commas, each a whole number"),
        ("sampel_rows=5", "no parameter sampel_rows. Did you mean sample_rows?"),
        ("sample_rows", "takes KEY=VALUE, not 'sample_rows'"),
    ],
)
def test_a_bad_param_is_told_before_anything_is_uploaded(
    command: Command, platform: Platform, tmp_path: Path, given: str, told: str
) -> None:
    (tmp_path / "a.csv").write_text("a,b")

    done = command("run", "tabular-profile", tmp_path / "a.csv", "-p", given)

    assert done.code == 2
    assert told in done.err
    assert not platform.uploads.all


def test_an_unknown_pipeline_is_told_with_the_known_ones(command: Command, photo: Path) -> None:
    done = command("run", "inspct", photo)

    assert done.code == 6
    assert "There is no pipeline inspct. Did you mean inspect? There are: inspect, tabular-profile." in done.err


def test_an_unknown_version_is_told_with_the_known_ones(command: Command, photo: Path) -> None:
    done = command("run", "tabular-profile@9", photo)

    assert "tabular-profile has no version 9. It has: 1.1.0, 1.0.0." in done.err


def test_a_missing_file_is_told(command: Command, platform: Platform) -> None:
    done = command("run", "inspect", "nowhere.jpg")

    assert done.code == 2
    assert "There is no file nowhere.jpg. The folder you are in is" in done.err
    assert platform.requests == []


def test_a_wrong_type_is_told_before_upload(command: Command, platform: Platform, photo: Path) -> None:
    done = command("run", "tabular-profile", photo)

    assert done.code == 2
    assert "looks like image/jpeg, and tabular-profile takes text/csv" in done.err
    assert not platform.uploads.all


def test_a_folder_leaves_out_what_does_not_fit(command: Command, platform: Platform, photo: Path) -> None:
    (photo.parent / "a.csv").write_text("a,b")

    done = command("run", "tabular-profile", photo.parent)

    assert done.code == 0, done.err
    assert "Left out 1 file that tabular-profile does not take: photo.jpg" in done.err
    assert platform.uploads.one().name == "a.csv"


@pytest.mark.parametrize(("sizes", "told"), [([101], "at most 100 B a file"), ([1, 1, 1], "at most 2 files")])
def test_limits_are_told_before_upload(command: Command, tmp_path: Path, sizes: list[int], told: str) -> None:
    paths = [tmp_path / f"{number}.csv" for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b"x" * size)

    done = command("run", "tabular-profile", *paths)

    assert done.code == 2
    assert told in done.err


def test_deadline_is_a_span_from_now(command: Command, platform: Platform, photo: Path) -> None:
    assert command("run", "inspect", photo, "--deadline", "2h").code == 0
    assert platform.bodies[0]["deadline_s"] == 7_200
    wrong = command("run", "inspect", photo, "--deadline", "soon")
    assert wrong.code == 2
    assert "soon is no span. Write 90s, 30m, 2h or 1d." in wrong.err
