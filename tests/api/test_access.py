"""Who may call what: every route there is, against nobody, a cookie, a token without the scope, and a stranger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from fastapi.routing import iter_route_contexts

from api_app.auth import OPEN, SCOPE
from api_app.main import app
from tests.api.door import ALL_SCOPES, token_of
from tests.factories import make_job

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


def routes() -> list[tuple[str, str, str]]:
    """(method, path with made-up ids, name) of every route of the API."""
    found = []
    for context in iter_route_contexts(app.routes):
        path, route = context.path or "", context.name or ""
        if route in {"PutPart", "Tus"}:  # doors of their own: test_upload_resource.py, test_tus.py
            continue
        for name in (
            "job_id",
            "file_id",
            "attempt_id",
            "token_id",
            "account_id",
            "upload_id",
            "bulk_id",
            "share_id",
            "webhook_id",
            "member_id",
            "invitation_id",
            "notification_id",
            "delivery_id",
            "run_id",
            "task_id",
        ):
            path = path.replace(f"{{{name}}}", str(uuid4()))
        path = path.replace("{name}", "noop").replace("{file_id:path}", "noop").replace("{slug}", "lab")
        found += [(method, path, route) for method in sorted(context.methods or ())]
    return found


ROUTES = routes()
V1 = [r for r in ROUTES if r[1].startswith("/api/v1") and r[2] not in OPEN]
GA4GH = [r for r in ROUTES if r[1].startswith("/ga4gh/") and r[2] not in OPEN]


BODIES = {
    "submit_job": {"pipeline": "noop"},
    "submit_jobs": {"jobs": [{"pipeline": "noop"}]},
    "edit_job": {"name": "x"},
    "create_share": {"days": 1},
    "download_files": {"ids": [str(uuid4())]},
    "create_token": {"name": "x"},
    "rotate_token": {},
    "create_service_account": {"name": "x"},
    "edit_service_account": {"enabled": True},
    "create_service_token": {"name": "x"},
    "edit_member": {"role": "viewer"},
    "create_invitation": {"email": "ida@example.org"},
    "edit_notification": {"read": True},
    "read_notifications": {},
    "edit_notification_settings": {},
    "extend_file": {"days": 1},
    "hold_file": {"reason": "x"},
    "create_upload_batch": {"uploads": [{"name": "a", "size": 1}]},
    "sign_upload_parts": {"parts": [{"number": 1, "crc64nvme": "rosUhgp5mIg="}]},
    "sign_upload_batch": {"parts": [{"id": str(uuid4()), "number": 1, "crc64nvme": "rosUhgp5mIg="}]},
    "complete_upload_batch": {"ids": [str(uuid4())]},
    "preview_bulk": {"action": "cancel", "ids": [str(uuid4())]},
    "create_task": {"executors": [{"image": "x", "command": ["true"]}]},
    "begin_bulk": {"action": "cancel", "ids": [str(uuid4())]},
    "create_webhook": {"url": "https://hooks.example/esteira"},
    "edit_webhook": {"enabled": False},
}
UUID4 = re.compile(r"[0-9a-f]{8}-")
RUN = {"workflow_url": "esteira:noop", "workflow_type": "ESTEIRA", "workflow_type_version": "1.0"}


def sent(name: str) -> dict[str, object]:
    """The body of a request that would be good."""
    if name == "begin_run":
        return {"data": RUN}
    return {"json": BODIES[name]} if name in BODIES else {}


def ids(route: tuple[str, str, str]) -> str:
    return f"{route[0]} {route[2]}"


def test_all_routes_are_known() -> None:
    assert len(V1) + len(GA4GH) == len(SCOPE) + 2  # two more by HEAD
    assert len(ROUTES) == len(V1) + len(GA4GH) + 6 + len(OPEN)  # of the runner, and of anybody
    assert {name for _, _, name in V1 + GA4GH} == set(SCOPE), "a route without a row in SCOPE, or a row without a route"


@pytest.mark.parametrize("route", [r for r in ROUTES if r[2] not in OPEN], ids=ids)
def test_nobody_and_a_cookie_get_401(door: Door, owner: User, route: tuple[str, str, str]) -> None:
    method, path, _ = route
    assert door.send(method, path, json={}).status_code == 401
    browser = Client()
    browser.force_login(owner)
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}", "Origin": "http://localhost"}
    answer = door.send(method, path, headers=headers)
    assert answer.status_code == 401
    its_own = path.startswith("/ga4gh/wes/")
    assert answer.headers["content-type"] == ("application/json" if its_own else "application/problem+json")


@pytest.mark.parametrize("route", V1 + GA4GH, ids=ids)
def test_token_without_the_scope_gets_403(door: Door, owner: User, route: tuple[str, str, str]) -> None:
    method, path, name = route
    without = tuple(scope for scope in ALL_SCOPES if scope != SCOPE[name])
    answer = door.send(method, path, token_of(owner, without), **sent(name))
    assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("route", [r for r in V1 + GA4GH if UUID4.search(r[1])], ids=ids)
def test_id_that_is_not_there_is_404(ana: Visitor, route: tuple[str, str, str]) -> None:
    method, path, name = route
    assert ana.door.send(method, path, ana.token, **sent(name)).status_code == 404


def test_job_of_another_workspace_is_as_good_as_missing(eva: Visitor, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    for method, _, name in V1:
        verb = {"show_job": "", "cancel_job": "/cancel", "retry_job": "/retry", "resubmit_job": "/resubmit",
                "rerun_items": "/rerun-items", "list_events": "/events", "list_attempts": "/attempts",
                "list_results": "/results", "download_results": "/results.zip",
                "show_manifest": "/manifest", "list_shares": "/shares"}.get(name)  # fmt: skip
        if verb is not None and method != "HEAD":
            real = eva(method, f"/jobs/{job.pk}{verb}").json()
            missing = eva(method, f"/jobs/{uuid4()}{verb}").json()
            assert real == missing, name
            assert real["status"] == 404
    live = {"Accept": "text/event-stream"}
    assert eva("GET", f"/jobs/{job.pk}/events", headers=live).status_code == 404
    assert eva("GET", f"/jobs/{job.pk}?wait=60").status_code == 404


def test_id_that_is_no_uuid_is_refused(ana: Visitor) -> None:
    assert ana("GET", "/jobs/1%20OR%201=1").status_code == 422


def test_openapi_is_for_token_holders_and_names_operations_by_their_function(ana: Visitor, door: Door) -> None:
    spec = ana.json("GET", "/openapi.json")
    operations = {op["operationId"] for path in spec["paths"].values() for op in path.values()}
    assert {"submit_job", "list_events", "append_log"} <= operations
    for path in ("/api/docs", "/api/redoc", "/api/openapi.json", "/docs", "/redoc", "/openapi.json", "/metrics"):
        assert door.send("GET", path).status_code in {401, 404, 302}, path
        assert ana.door.send("GET", path, ana.token).status_code in {404, 302}, path
