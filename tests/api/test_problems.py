"""Errors: one form, one table, and nothing of our insides (SEC-013)."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connection
from psycopg_pool import PoolTimeout

from api_app import database
from api_app.database import Busy, Lane
from api_app.errors import STATUS, answer
from orchestration import errors as domain
from orchestration.services import access
from tests.api.test_access import GA4GH, V1, ids, sent
from tests.factories import make_job

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

CANARY = "canary-3141592"


def every_error() -> list[type[domain.OrchestrationError]]:
    found, todo = [], [domain.OrchestrationError]
    while todo:
        cls = todo.pop()
        found.append(cls)
        todo += cls.__subclasses__()
    return found


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_domain_error_has_its_answer(cls: type[domain.OrchestrationError]) -> None:
    said = answer(cls(CANARY, secret=CANARY, end=5, errors=[]))
    assert said.media_type == "application/problem+json"
    assert 400 <= said.status_code < 600
    shown = bytes(said.body).decode()
    if said.status_code == 500:
        assert CANARY not in shown, "a bug's own words are for the log"
    else:
        assert f'"code": "{cls.code}"' in shown or said.status_code == 502
        assert "secret" not in shown


def test_table_holds_what_clients_are_promised() -> None:
    assert {cls.__name__: STATUS[cls] for cls in (domain.NotFound, domain.Forbidden, domain.Invalid)} == {
        "NotFound": 404,
        "Forbidden": 403,
        "Invalid": 422,
    }
    assert answer(domain.IllegalMove("x")).status_code == 500
    assert answer(domain.TooLarge()).status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("exc", [OperationalError(CANARY), PoolTimeout(CANARY), Busy(CANARY)])
def test_database_that_is_away_is_503_with_when_to_come_back(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, exc: Exception
) -> None:
    def away(**_: object) -> None:
        raise exc

    monkeypatch.setattr("api_app.auth.authenticate", away)
    said = ana("GET", "/me")
    assert (said.status_code, said.headers["retry-after"]) == (503, "1")
    assert said.json()["code"] == "unavailable"
    assert CANARY not in said.text or isinstance(exc, Busy)


@pytest.mark.django_db
def test_unknown_exception_is_logged_once_and_shown_never(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr("api_app.auth.authenticate", broken)
    said = ana("GET", "/me")
    assert (said.status_code, said.json()["code"]) == (500, "internal")
    assert CANARY not in said.text + str(said.headers)
    records = [r for r in caplog.records if r.exc_info and CANARY in str(r.exc_info[1])]
    assert len(records) == 1
    assert records[0].__dict__["request_id"] == said.headers["x-request-id"]


@pytest.mark.django_db
@pytest.mark.parametrize("route", V1 + GA4GH, ids=ids)
def test_route_that_breaks_shows_nothing_of_it(
    ana: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    route: tuple[str, str, str],
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError(CANARY)

    for where in ("api_app.auth.authenticate", "api_app.callers.authenticate"):
        monkeypatch.setattr(where, broken, raising=False)
    method, path, name = route
    said = ana.door.send(method, path, ana.token, **sent(name))
    assert said.status_code == 500
    assert CANARY not in said.text + str(said.headers)
    assert len([r for r in caplog.records if r.exc_info and CANARY in str(r.exc_info[1])]) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/nowhere", {}, 404, "not_found"),
        ("GET", "/jobs/", {}, 404, "not_found"),
        ("PUT", "/jobs", {"json": {}}, 405, "method_not_allowed"),
        ("POST", "/jobs", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type"),
        ("POST", "/jobs", {"content": b"{}"}, 415, "unsupported_media_type"),
        ("POST", "/jobs", {"content": b"a=b", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415,
         "unsupported_media_type"),
        ("POST", "/jobs", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "invalid"),
        ("POST", "/jobs", {"json": []}, 422, "invalid"),
        ("POST", "/jobs", {"json": {"name": "x" * 1_100_000}}, 413, "too_large"),
    ],
)  # fmt: skip
def test_refusals_have_one_form(
    ana: Visitor, method: str, path: str, options: dict[str, object], status: int, code: str
) -> None:
    said = ana(method, path, **options)
    assert said.status_code == status, said.text
    problem = said.json()
    assert said.headers["content-type"] == "application/problem+json"
    assert problem.keys() >= {"type", "title", "status", "detail", "code"}
    assert (problem["status"], problem["code"]) == (status, code)


@pytest.mark.django_db
def test_sentence_of_a_body_that_does_not_fit_says_what_is_wrong_where(ana: Visitor) -> None:
    said = ana("POST", "/uploads", json={"name": "a.bin", "size": -1, "nme": "x"})
    assert said.json()["detail"] == (
        "The request does not fit: size (Input should be greater than or equal to 0), "
        "nme (Extra inputs are not permitted)."
    )


@pytest.mark.django_db
def test_wrong_method_says_which_are_right(ana: Visitor) -> None:
    """Of all routes of the address, not of the first one that Starlette finds; and before the type of a body counts."""
    text: dict[str, Any] = {"content": b"x", "headers": {"Content-Type": "text/plain"}}
    for path, allowed in {
        "/jobs": "GET, POST",
        "/jobs/rerun": "GET, PATCH",
        "/files/x": "DELETE, GET, PUT",
        "/tokens:revoke-leaked": "POST",
    }.items():
        for options in (dict[str, Any](), text):
            said = ana("TRACE", path, **options)
            assert (said.status_code, said.headers["allow"]) == (405, allowed), path
    said = ana.door.send("TRACE", f"/ga4gh/tes/v1/tasks/{uuid4()}:cancel", ana.token)
    assert (said.status_code, said.headers["allow"]) == (405, "POST")
    said = ana("PUT", "/tus", headers={"Tus-Resumable": "1.0.0"})
    assert (said.status_code, said.headers["allow"]) == (405, "OPTIONS, POST")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", f"/files/{UUID(int=7)}/extend", "POST"),
        ("DELETE", "/uploads/config", "GET"),
        ("PATCH", "/webhooks", "GET, POST"),
    ],
)
def test_method_that_is_not_offered_is_told_so_and_not_taken_for_another_route(
    ana: Visitor, method: str, path: str, allowed: str
) -> None:
    said = ana(method, path, json={})
    assert (said.status_code, said.headers["allow"]) == (405, allowed)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "allowed"), [("/signing-keys", "GET"), ("/tokens:revoke-leaked", "POST")])
def test_what_needs_no_token_needs_none_to_hear_that_a_method_is_not_offered(
    door: Door, path: str, allowed: str
) -> None:
    said = door.send("DELETE", f"/api/v1{path}")
    assert (said.status_code, said.headers["allow"]) == (405, allowed)


@pytest.mark.django_db
def test_method_that_is_not_offered_is_told_so_also_under_a_key_that_is_used_up(
    ana: Visitor, owner: User, lab: Workspace
) -> None:
    key, path = {"Idempotency-Key": "once"}, f"/jobs/{make_job(owner, lab).pk}/cancel"
    ana.json("POST", path, 202, headers=key)
    said = ana("DELETE", path, headers=key)
    assert (said.status_code, said.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.django_db
def test_when_too_much_waits_the_next_hears_it_at_once(
    door: Door, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Lane("full", 1, waiting=0)
    release = threading.Event()
    monkeypatch.setattr("api_app.auth.in_db", full.run)
    monkeypatch.setattr(access, "find_workspace", lambda **_: release.wait(5))

    async def crowd() -> list[int]:
        holding = asyncio.ensure_future(full.run(release.wait, 5))
        await asyncio.sleep(0.05)
        said = await door.client.get("/api/v1/me", headers={"Authorization": f"Bearer {ana.token}"})
        release.set()
        await holding
        return [said.status_code, int(said.headers["retry-after"])]

    assert door.run(crowd()) == [503, 1]
    full.close()


@pytest.mark.django_db
def test_log_line_of_a_database_thread_carries_the_id_of_its_request(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def noisy(**_: object) -> None:
        logging.getLogger("somewhere.deep").warning("seen")

    monkeypatch.setattr("api_app.auth.authenticate", noisy)
    said = ana("GET", "/me")
    (record,) = [r for r in caplog.records if r.name == "somewhere.deep"]
    assert record.__dict__["request_id"] == said.headers["x-request-id"]


@pytest.mark.django_db
def test_text_that_cannot_be_stored_is_the_callers_fault(ana: Visitor) -> None:
    said = ana("GET", "/jobs?created_by=a%00b")
    assert (said.status_code, said.json()["code"]) == (422, "invalid")


@pytest.mark.django_db(transaction=True)
def test_thread_gives_its_connection_back_after_each_call_that_failed_too() -> None:
    lane = Lane("db", 1, waiting=4)

    def use() -> None:
        connection.ensure_connection()
        assert connection.connection is not None

    def fail() -> None:
        use()
        raise ValueError

    async def calls() -> None:
        await lane.run(use)
        with pytest.raises(ValueError):  # noqa: PT011  any will do
            await lane.run(fail)
        executor = lane._executor
        assert executor is not None
        assert await asyncio.wrap_future(executor.submit(lambda: connection.connection)) is None

    asyncio.run(calls())
    lane.close()


def test_places_are_given_back_whatever_happens() -> None:
    lane = Lane("small", 1, waiting=1)

    def fail() -> None:
        raise ValueError

    async def use() -> None:
        for _ in range(5):
            with pytest.raises(ValueError):  # noqa: PT011  any will do
                await lane.run(fail)
        waiting = threading.Event()
        first = asyncio.ensure_future(lane.run(waiting.wait, 5))
        second = asyncio.ensure_future(lane.run(waiting.wait, 5))
        await asyncio.sleep(0.05)
        with pytest.raises(Busy):
            await lane.run(waiting.wait, 5)
        second.cancel()
        await asyncio.sleep(0.01)
        third = asyncio.ensure_future(lane.run(int, "3"))
        waiting.set()
        assert await third == 3
        assert await first

    asyncio.run(use())
    lane.close()


def test_call_that_has_begun_is_waited_for_when_its_request_is_cancelled() -> None:
    lane = Lane("one", 1, waiting=1)
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(5)
        ended.set()

    async def use() -> None:
        task = asyncio.ensure_future(lane.run(work))
        await asyncio.to_thread(begun.wait, 5)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done(), "nobody may work beside the call"
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(use())
    lane.close()
    assert database.in_db is not None
