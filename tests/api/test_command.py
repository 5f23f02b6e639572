"""Commands of the client against the whole application: share, files, webhooks, service-accounts, api."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.models import File, ShareLink, WebhookEndpoint
from tests.api.commanding import Run, commanding
from tests.api.door import token_of
from tests.api.test_archives import result
from tests.factories import make_file, make_job

if TYPE_CHECKING:
    from orchestration.models import Job, User, Workspace
    from tests.api.door import Door

pytestmark = pytest.mark.django_db
URL = "https://hooks.example/esteira"


@pytest.fixture
def ana(door: Door, owner: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return commanding(door, token_of(owner), monkeypatch, capsys)


@pytest.fixture
def mara(door: Door, manager: User, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A manager of lab."""
    return commanding(door, token_of(manager), monkeypatch, capsys)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    job = make_job(owner, lab, state="SUCCEEDED", name="March")
    result(job, "a.txt")
    result(job, "b.txt")
    return job


def answer(told: tuple[int, str, str]) -> Any:
    code, out, err = told
    assert code == 0, err
    (line,) = out.splitlines()
    return json.loads(line)


def test_link_is_made_listed_and_revoked(ana: Run, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = ana("share", "create", job.pk, "--days", 3, "--file", "a.txt", "--name", "for Eva")
    assert code == 0, err
    share = ShareLink.objects.get()
    assert out.startswith("http")
    assert f"/s/{share.pk}/?key=" in out, "the link alone is on stdout"
    assert f"esteira share revoke {share.pk}" in err
    assert "for Eva" in ana("share", "list", job.pk)[1]
    (listed,) = answer(ana("share", "list", job.pk, "--json"))
    assert (listed["id"], listed["has_password"]) == (str(share.pk), False)
    assert "The link for Eva is revoked." in ana("share", "revoke", share.pk)[1]
    assert "revoked" in ana("share", "list", job.pk)[1]

    monkeypatch.setattr("sys.stdin", io.StringIO("open sesame\n"))
    assert answer(ana("share", "create", "last", "--password-stdin", "--json"))["has_password"]


def test_link_to_what_is_not_there_is_told(ana: Run, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ana("share", "create", job.pk, "--file", "c.txt")[::2] == (
        6,
        f"Error: The job has no result c.txt. See them: esteira show {job.pk}\n",
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert ana("share", "create", job.pk, "--password-stdin")[0] == 2
    assert ana("share", "revoke", job.pk)[0] == 6
    assert not ShareLink.objects.exists()


def test_file_is_found_by_name_or_part_of_its_id(ana: Run, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "sales.csv")
    make_file(lab, owner, "twice.csv")
    make_file(lab, owner, "twice.csv", b"other")

    for text in ("sales.csv", str(file.pk), file.pk.hex[-8:], file.pk.hex[-8:].upper()):
        assert answer(ana("files", "show", text, "--json"))["id"] == str(file.pk)
    code, _, err = ana("files", "show", "twice.csv")
    assert (code, "twice.csv fits 2 files; give the id:" in err) == (2, True)
    assert ana("files", "show", "none.csv")[0] == 6
    assert "sales.csv" in ana("files")[1]
    assert file.sha256 in ana("files", "show", "sales.csv")[1]


def test_file_is_extended_deleted_and_brought_back(ana: Run, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "sales.csv")
    assert "sales.csv is kept until" in ana("files", "extend", "sales.csv", "--days", 700)[1]
    assert ana("files", "extend", "sales.csv")[0] == 2, "neither --days nor --until"

    assert ana("files", "delete", "sales.csv")[0] == 2, "nobody to ask"
    assert "sales.csv is deleted." in ana("files", "delete", "sales.csv", "--yes")[1]
    (deleted,) = answer(ana("files", "--deleted", "--json"))
    assert deleted["id"] == str(file.pk)
    assert "sales.csv is back." in ana("files", "undelete", "sales.csv")[1]
    assert answer(ana("files", "--deleted", "--json")) == []


def test_hold_is_for_managers_and_one_refusal_stops_no_other(ana: Run, mara: Run, owner: User, lab: Workspace) -> None:
    make_file(lab, owner, "a.csv")
    code, out, err = mara("files", "hold", "none.csv", "a.csv", "--reason", "audit", "--json")
    assert code == 6
    assert [one["hold"] for one in json.loads(out)] == [True]
    told = json.loads(err)
    assert (told["file"], told["code"], told["exit_code"]) == ("none.csv", "not_found", 6)
    assert mara("files", "unhold", "a.csv")[0] == 0
    assert not File.objects.get().hold


def test_file_is_fetched(ana: Run, owner: User, lab: Workspace, tmp_path: Any) -> None:
    make_file(lab, owner, "a.csv", b"a,b\n")
    assert answer(ana("files", "download", "a.csv", "-o", tmp_path, "--json")) == [str(tmp_path / "a.csv")]
    assert (tmp_path / "a.csv").read_bytes() == b"a,b\n"


def test_webhook_is_made_tried_and_repeated(mara: Run) -> None:
    code, out, err = mara("webhooks", "create", URL, "--kind", "job.failed", "--description", "CI")
    assert (code, out.startswith("whsec_")) == (0, True), err
    hook = WebhookEndpoint.objects.get()
    assert (hook.kinds, hook.description) == (["job.failed"], "CI")

    sent = answer(mara("webhooks", "test", URL, "--json"))
    assert sent["kind"] == "webhook.test"
    assert sent["id"] in mara("webhooks", "deliveries", hook.pk, "--state", "waiting")[1]
    assert answer(mara("webhooks", "replay", URL, sent["id"], "--json"))["id"] == sent["id"]
    assert "0 messages on the way again." in mara("webhooks", "replay", URL, "--since", "2026-01-01")[1]
    assert mara("webhooks", "rotate-secret", URL, "--overlap", 0)[1].startswith("whsec_")
    assert "is off." in mara("webhooks", "disable", URL)[1]
    assert answer(mara("webhooks", "--json"))[0]["enabled"] is False
    assert "is on." in mara("webhooks", "enable", URL)[1]
    assert mara("webhooks", "delete", URL)[0] == 2, "nobody to ask"
    assert answer(mara("webhooks", "delete", URL, "--yes", "--json")) == {"deleted": str(hook.pk)}


def test_service_account_is_made_gets_a_token_and_is_switched_off(mara: Run) -> None:
    code, out, err = mara("service-accounts", "create", "nightly", "--role", "viewer")
    assert (code, "nightly@lab is made." in out) == (0, True), err
    assert "nightly@lab" in mara("service-accounts")[1]
    code, token, err = mara("service-accounts", "token", "nightly", "cron", "--scope", "read", "--days", 7)
    assert (code, token.startswith("est")) == (0, True), err
    (kept,) = answer(mara("service-accounts", "tokens", "nightly@lab", "--json"))
    assert (kept["name"], kept["scopes"]) == ("cron", ["read"])
    assert mara("service-accounts", "edit", "nightly")[0] == 2, "nothing to change"
    edited = answer(mara("service-accounts", "edit", "nightly", "--off", "--role", "submitter", "--json"))
    assert (edited["enabled"], edited["role"]) == (False, "submitter")


def test_ordinary_member_is_refused(ana: Run) -> None:
    code, _, err = ana("service-accounts", "create", "nightly")
    assert (code, err.startswith("Error: ")) == (7, True)


def test_api_asks_whatever_is_asked(ana: Run, job: Job) -> None:
    assert json.loads(ana("api", "get", "/api/v1/me")[1])["user"] == "ana"
    assert answer(ana("api", "GET", "jobs", "-f", "limit=1", "-f", "q=state:succeeded", "--json"))["items"]
    assert answer(ana("api", "PATCH", f"jobs/{job.pk}", "-f", "name=April, again", "--json"))["name"] == "April, again"
    assert answer(ana("api", "PATCH", f"jobs/{job.pk}", "-f", "name=NaN", "--json"))["name"] == "NaN"
    code, out, err = ana("api", "GET", "jobs/nowhere")
    assert (code, out, err.startswith("Error: ")) == (7, "", True)


def test_api_sends_a_file_and_goes_over_pages(
    ana: Run, owner: User, lab: Workspace, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        make_file(lab, owner, f"{number}.csv", b"%d" % number)
    lines = ana("api", "GET", "files", "-f", "limit=2", "--paginate")[1].splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["2.csv", "1.csv", "0.csv"]

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"from a pipe")))
    sent = ana("api", "PUT", "files/new.txt", "--body", "-", "--type", "application/octet-stream", "--json")
    assert answer(sent)["size"] == 11
    assert ana("api", "POST", "jobs", "--body", tmp_path / "none.json")[0] == 2
    assert "is no list with pages" in ana("api", "GET", "me", "--paginate")[2]
    content = f"files/{answer(sent)['id']}/content"
    assert "is no list with pages" in ana("api", "GET", content, "--paginate")[2]
    assert ana("api", "POST", "jobs", "--paginate")[0] == 2
    assert ana("api", "POST", "jobs", "--body", "-", "-f", "a=b")[0] == 2


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example/x", "//elsewhere.example/x", "../../admin/", "/api/v1/../x"]
)
def test_api_takes_the_token_nowhere_else(ana: Run, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_app.client.transport.Transport.send", lambda *_, **__: pytest.fail("it was sent"))
    code, _, err = ana("api", "GET", path)
    assert (code, "is an address" in err or "leads out" in err) == (2, True)
