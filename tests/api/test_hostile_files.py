"""What a file is called or claims to be decides nothing: not where it lies, not what runs it (SEC-050, SEC-051)."""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlencode

import pytest

from orchestration.execution.examine import examine_due
from orchestration.models import File, Job, Upload
from tests.api.hostile_files import BAD_NAMES, FILES, NAMES, Hostile
from tests.api.uploading import begin, complete, send
from tests.factories import publish_pipeline
from tests.frontend.ask import browser, fetch
from tests.scan.clamd import EICAR, SIGNATURE, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from orchestration.models import User
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db

KEY: Final = re.compile(r"[0-9a-f/-]+")
RUN: Final = ("text/html", "application/xhtml+xml", "image/svg+xml", "application/xml", "text/xml", "text/javascript")
ONLY_PNG = """\
pipeline: only-png
version: 1.0.0
title: Only PNG
accepts: {types: [image/png]}
steps:
  - name: only
    command: [only]
"""


def by_one_request(who: Visitor, name: str, data: bytes) -> Any:
    return who("POST", f"/uploads?{urlencode({'name': name}, errors='surrogatepass')}", content=data)


def by_header(who: Visitor, name: str, data: bytes) -> Any:
    named = f"attachment; filename*=UTF-8''{quote(name, safe='', errors='surrogatepass')}"
    return who("POST", "/uploads", content=data, headers={"Content-Disposition": named})


def by_json(who: Visitor, name: str, data: bytes) -> Any:
    return who("POST", "/uploads", json={"name": name, "size": len(data), "workspace": "lab"})


def by_tus(who: Visitor, name: str, data: bytes) -> Any:
    encoded = base64.b64encode(name.encode(errors="surrogatepass")).decode()
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {encoded}"}
    return who("POST", "/tus", headers=headers)


type Way = Callable[[Visitor, str, bytes], Any]
DOORS: Final[dict[str, Way]] = {
    "one request": by_one_request,
    "header": by_header,
    "resource": by_json,
    "tus": by_tus,
}
# No name at all is "upload" to tus, whose clients need not give one; half a surrogate in a query is read as U+FFFD.
GIVEN_OTHERWISE: Final = defaultdict(tuple, by_tus=("", " "), by_one_request=("\ud800",))
every_file = pytest.mark.parametrize("hostile", FILES, ids=lambda f: f"{f.name}-{f.is_really}")
every_door = pytest.mark.parametrize("by", DOORS.values(), ids=DOORS.keys())


def arrived(who: Visitor, hostile: Hostile) -> File:
    assert by_one_request(who, hostile.name, hostile.data).status_code == 201
    return File.objects.get()


@every_file
def test_type_is_that_of_the_bytes_by_every_door(ana: Visitor, hostile: Hostile) -> None:
    claimed = {"Content-Type": "image/png"}
    said = ana("POST", f"/uploads?{urlencode({'name': hostile.name})}", content=hostile.data, headers=claimed)
    assert said.json()["file"]["media_type"] == hostile.is_really
    upload = begin(ana, hostile.data, name=hostile.name, content_type="image/png")
    send(ana, upload, hostile.data)
    assert complete(ana, upload)["file"]["media_type"] == hostile.is_really


@every_file
def test_no_browser_runs_what_is_fetched_or_looked_at(ana: Visitor, owner: User, hostile: Hostile) -> None:
    file = arrived(ana, hostile)
    answer, page = ana("GET", f"/files/{file.pk}/content"), fetch(owner, f"/files/{file.pk}/content")
    assert answer.content == page.body == hostile.data
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert answer.headers["content-type"] not in RUN
    assert page.headers["content-type"] == "application/octet-stream"
    for headers in (answer.headers, page.headers):
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"
    shown = fetch(owner, f"/files/{file.pk}/preview")
    if shown.status == 200:
        policy = shown.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'")
        assert "script" not in policy


@every_file
def test_job_takes_what_the_file_is_and_not_what_it_is_called(ana: Visitor, hostile: Hostile) -> None:
    publish_pipeline(ONLY_PNG)
    file = arrived(ana, hostile)
    answer = ana("POST", "/jobs", json={"pipeline": "only-png", "inputs": [str(file.pk)], "workspace": "lab"})
    if hostile.is_really == "image/png":
        assert answer.status_code in {200, 201}, answer.text
    else:
        assert answer.status_code == 422
        assert f"is {hostile.is_really}; this pipeline accepts image/png" in answer.text
        assert not Job.objects.exists()


def test_infected_file_is_handed_to_nobody(ana: Visitor, owner: User, settings: Settings) -> None:
    settings.SCANNER = "clamd"
    with running() as settings.CLAMD:
        said = by_one_request(ana, "holiday.jpg", EICAR).json()["file"]
        assert (said["scan_state"], ana("GET", f"/files/{said['id']}/content").status_code) == ("received", 409)
        examine_due()
    answer = ana("GET", f"/files/{said['id']}/content")
    assert (answer.status_code, SIGNATURE in answer.json()["detail"]) == (409, True)
    page = fetch(owner, f"/files/{said['id']}/content")
    assert EICAR not in page.body


@every_door
def test_odd_name_is_kept_as_data_and_is_no_path(ana: Visitor, owner: User, by: Way) -> None:
    for name, kept in NAMES:
        assert by(ana, name, b"").status_code == 201, name
        file = File.objects.latest("id")
        assert file.name == kept
        assert KEY.fullmatch(file.key)
        page = browser(owner).get(f"/files/{file.pk}/").content.decode()
        assert escape(kept) in page
        assert "<img src=x" not in page
        assert sent_name(ana("GET", f"/files/{file.pk}/content").headers["content-disposition"]) == kept
        assert sent_name(fetch(owner, f"/files/{file.pk}/content").headers["Content-Disposition"]) == kept


def sent_name(disposition: str) -> str:
    """As a browser reads it (RFC 6266): in ASCII, on one line, the extended form first."""
    assert disposition.isascii()
    assert "\n" not in disposition
    extended = re.search(r"filename\*=[Uu][Tt][Ff]-8''([^;\s\"]+)", disposition)
    if extended:
        return unquote(extended[1])
    plain = re.fullmatch(r'attachment; filename="((?:[^"\\]|\\.)*)"', disposition)
    assert plain, disposition
    return re.sub(r"\\(.)", r"\1", plain[1])


@every_door
def test_name_that_fools_somebody_is_refused(ana: Visitor, by: Way) -> None:
    for name in BAD_NAMES:
        if name in GIVEN_OTHERWISE[by.__name__]:
            continue
        answer = by(ana, name, b"x")
        assert answer.status_code == 422, f"{name!r}: {answer.text}"
    assert not File.objects.exists()
    assert not Upload.objects.exists()


def test_batch_names_the_bad_names_and_makes_the_others(ana: Visitor) -> None:
    texts = [name for name in BAD_NAMES if len(name) <= 1024 and name != "\ud800"]
    asked = [{"name": name, "size": 1} for name in [*texts, "good.csv"]]
    said = ana.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": asked})["results"]
    assert [result["problem"]["status"] for result in said[:-1]] == [422] * len(texts)
    assert said[-1]["upload"]["name"] == "good.csv"


def test_twins_of_one_name_are_two_files(ana: Visitor) -> None:
    for name in ("cafe\u0301.csv", "caf\u00e9.csv"):
        assert by_one_request(ana, name, name.encode()).status_code == 201
    first, second = File.objects.all()
    assert (first.name, first.key != second.key) == (second.name, True)
