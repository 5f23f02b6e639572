from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from frontend_app import log_text
from orchestration.execution.old_logs import expire_logs
from orchestration.models import Attempt, User, Workspace
from orchestration.services import logs
from orchestration.services.logs import STORAGE, log_key
from orchestration.storage.registry import get_storage
from tests.factories import make_job
from tests.frontend.ask import browser, fetch

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    job = make_job(owner, lab, state="RUNNING")
    item = job.steps.get().items.get()
    return Attempt.objects.create(job=job, item=item, step="nothing", run=1, number=1)


def write(attempt: Attempt, data: bytes, offset: int = 0) -> None:
    get_storage(STORAGE).append(log_key(attempt), offset, data)


def end(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(state="SUCCEEDED", finished_at=timezone.now())


def read(user: User, attempt: Attempt, offset: str = "") -> tuple[str, str, str]:
    response = browser(user).get(f"/attempts/{attempt.pk}/log/", {"offset": offset} if offset else {})
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    return response.content.decode(), response["Esteira-Log-End"], response["Esteira-Log-Complete"]


def test_log_grows_by_whole_lines(owner: User, attempt: Attempt) -> None:
    write(attempt, "um\ndois — incompl".encode())
    assert read(owner, attempt) == ("um\n", "3", "false")
    assert read(owner, attempt, "3") == ("", "3", "false")
    write(attempt, b"eto\n", 3 + len("dois — incompl".encode()))
    assert read(owner, attempt, "3")[0] == "dois — incompleto\n"


def test_last_line_without_an_end_comes_when_the_attempt_has_ended(owner: User, attempt: Attempt) -> None:
    write(attempt, b"one\ntwo")
    end(attempt)
    assert read(owner, attempt, "4") == ("two", "7", "true")


def test_terminal_codes_and_controls_are_taken_out(owner: User, attempt: Attempt) -> None:
    write(attempt, b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x00\x08 50%\r100%\r\nend\xff\n")
    assert read(owner, attempt)[0] == "red x\ufffd\ufffd 50%\n100%\nend\ufffd\n"


def test_text_that_would_run_backwards_is_marked(owner: User, attempt: Attempt) -> None:
    write(attempt, "a\u202etxt.exe\n".encode())
    assert read(owner, attempt)[0] == "a\ufffdtxt.exe\n"


def test_markup_in_a_log_is_text_on_the_page(owner: User, attempt: Attempt) -> None:
    write(attempt, b"<script>alert(1)</script>\n")
    html = browser(owner).get(f"/attempts/{attempt.pk}/").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_long_log_begins_near_its_end_and_with_a_whole_line(
    owner: User, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_app.views.attempts.TAIL", 25)
    write(attempt, b"".join(b"line %02d\n" % n for n in range(50)))
    assert read(owner, attempt)[0] == "line 47\nline 48\nline 49\n"


def test_line_without_end_is_cut_into_pieces(owner: User, attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_text, "CHUNK", 10)
    write(attempt, b"x" * 25)
    assert read(owner, attempt, "0")[:2] == ("x" * 10, "10")


@pytest.mark.parametrize("offset", ["-5", "x", "9" * 30, "1e3", "999999"])
def test_bad_offset_does_no_harm(owner: User, attempt: Attempt, offset: str) -> None:
    write(attempt, b"one\n")
    assert read(owner, attempt, offset)[1] == "4"


def test_whole_log_can_be_downloaded_as_it_is(owner: User, attempt: Attempt) -> None:
    write(attempt, b"\x1b[1mraw\x1b[0m\n")
    got = fetch(owner, f"/attempts/{attempt.pk}/log/download/")
    assert got.body == b"\x1b[1mraw\x1b[0m\n"
    assert got.headers["Content-Disposition"] == 'attachment; filename="nothing-0-run1-try1.log"'
    assert got.headers["Content-Length"] == str(len(got.body))


def test_log_of_nothing_is_empty(owner: User, attempt: Attempt) -> None:
    assert read(owner, attempt) == ("", "0", "false")
    assert fetch(owner, f"/attempts/{attempt.pk}/log/download/").body == b""


def test_page_says_that_a_log_was_deleted_by_its_date(owner: User, lab: Workspace, attempt: Attempt) -> None:
    long_ago = timezone.now() - timedelta(days=3_000)
    write(attempt, b"old news\n")
    Attempt.objects.filter(pk=attempt.pk).update(state="SUCCEEDED", finished_at=long_ago, log_size=9)
    type(attempt.job).objects.filter(pk=attempt.job_id).update(state="SUCCEEDED", finished_at=long_ago)
    page = browser(owner)
    assert "old news" in page.get(f"/attempts/{attempt.pk}/").content.decode()
    expire_logs()
    html = page.get(f"/attempts/{attempt.pk}/").content.decode()
    assert "because its date had come" in html
    assert "old news" not in html
    assert "Logs deleted" in page.get(f"/jobs/{attempt.job_id}/").content.decode()


def test_stranger_downloads_no_log(stranger: User, attempt: Attempt) -> None:
    assert fetch(stranger, f"/attempts/{attempt.pk}/log/download/").status == 404


def numbered(user: User, attempt: Attempt, **query: str | int) -> tuple[str, str, str]:
    response = browser(user).get(f"/attempts/{attempt.pk}/log/", query)
    return response.content.decode(), response["Esteira-Log-Line"], response["Esteira-Log-Start"]


def test_end_of_a_log_knows_the_number_of_its_first_line(
    owner: User, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontend_app.views.attempts.TAIL", 25)
    write(attempt, b"".join(b"line %02d\n" % n for n in range(1, 51)))
    assert numbered(owner, attempt) == ("line 48\nline 49\nline 50\n", "48", "376")
    html = browser(owner).get(f"/attempts/{attempt.pk}/").content.decode()
    assert 'data-log-line="48"' in html
    assert "Earlier lines are left out" in html


def test_log_is_read_from_a_line_by_its_number(owner: User, attempt: Attempt) -> None:
    write(attempt, b"one\r\ntwo\rthree\n\nfive\n")
    for line, said in enumerate(["one", "two", "three", "", "five"], start=1):
        text, first, _ = numbered(owner, attempt, line=line)
        assert (text.split("\n")[0], first) == (said, str(line))
    assert numbered(owner, attempt, line=0) == numbered(owner, attempt, line=1)
    assert numbered(owner, attempt, line=99)[1] == "1", "no such line: the end, which begins with the first here"
    assert numbered(owner, attempt, line="x")[1] == "1"
    assert numbered(owner, attempt, offset=5)[1] == "", "whoever goes on has counted"


def test_lines_are_counted_over_the_edges_of_blocks(
    owner: User, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"a\r\nbb\r\n\r\r\nccc\n"
    write(attempt, data)
    end(attempt)
    for size in range(1, len(data) + 1):
        monkeypatch.setattr(logs, "MAX_READ", size)
        found = [logs.offset_of_line(attempt=attempt, line=line) for line in range(1, 7)]
        assert found == [0, 3, 7, 8, 10, 14], size
        assert logs.lines_before(attempt=attempt, offset=10) == 4, size
        assert logs.offset_of_line(attempt=attempt, line=7) is None


def test_log_of_nothing_but_carriage_returns_is_read_block_by_block(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step writes what it likes: each of these once made a copy of all before it, for hours."""
    monkeypatch.setattr(logs, "MAX_READ", 1 << 10)
    data = b"\r" * 5_000 + b"\nend"
    write(attempt, data)
    blocks = list(logs._blocks(attempt, until=len(data)))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= (1 << 10) + 1
    assert logs.lines_before(attempt=attempt, offset=len(data)) == 5_000
    assert logs.lines_before(attempt=attempt, offset=5_000) == 5_000
    assert logs.offset_of_line(attempt=attempt, line=5_001) == len(data) - 3
    assert logs.offset_of_line(attempt=attempt, line=1_025) == 1_024


def test_lines_far_in_are_not_counted(owner: User, attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two gigabytes would be read for a number."""
    monkeypatch.setattr(logs, "COUNTED", 10)
    monkeypatch.setattr(log_text, "TAIL", 8)
    monkeypatch.setattr("frontend_app.views.attempts.TAIL", 8)
    write(attempt, b"".join(b"%02d\n" % n for n in range(50)))
    assert numbered(owner, attempt)[:2] == ("48\n49\n", "")
    assert numbered(owner, attempt, line=3)[:2][1] == "3"
    assert numbered(owner, attempt, line=40)[1] == ""
