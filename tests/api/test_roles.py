"""Every operation as every caller: the answers are those of docs/roles.md, where none may be missing (SEC-041)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from django.db import transaction

from api_app.auth import OPEN, SCOPE
from api_app.main import app
from orchestration.models import Job, Membership, User, Workspace
from tests.api.asked import asked
from tests.api.door import ALL_SCOPES, token_of
from tests.api.tes_client import TASK
from tests.api.test_access import ROUTES
from tests.factories import join
from tests.fuzz.world import make_world, person
from tests.live.platform import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.api.asked import Asked
    from tests.api.door import Door
    from tests.fuzz.world import World

pytestmark = pytest.mark.django_db
LINE: Final = re.compile(r"\| `(\w+) (\S+)` \| (\w+) \| (\w*) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|")
MORE: Final = {
    **dict.fromkeys(("rotate_token", "revoke_token"), "of another token than itself: `admin` too"),
    **dict.fromkeys(("create_token", "create_service_token"), "the scopes that the new one is to have"),
}
"""Where the one scope is not enough, and what else is needed."""
ROLES: Final = ("viewer", "submitter", "manager")


class Row(NamedTuple):
    address: str
    scope: str
    viewer: str
    submitter: str
    manager: str
    others: str


TABLE: Final = {
    name: Row(f"{method} {path}", *cells)
    for method, path, name, *cells in LINE.findall((ROOT / "docs" / "roles.md").read_text())
}


def refuses_each(answer: httpx.Response) -> bool:
    results: list[dict[str, Any]] = answer.json().get("results", [])
    return bool(results) and all((one.get("problem") or {}).get("status") in {403, 404} for one in results)


def as_a_word(answer: httpx.Response) -> str:
    if answer.status_code in {401, 403, 404}:
        return {401: "401", 403: "no", 404: "404"}[answer.status_code]
    # A rule of the domain may refuse who is let in; what does not fit its form never came so far as to be asked.
    assert answer.status_code in {200, 201, 202, 204, 409, 422}, answer.text
    assert "The request does not fit" not in answer.text, answer.text
    return "each" if answer.status_code == 200 and "{" in answer.text[:1] and refuses_each(answer) else "yes"


@pytest.fixture
def world(allowed: None) -> World:
    return make_world()


@pytest.fixture
def lab(world: World) -> Workspace:
    found: Workspace = Workspace.objects.get(slug=world.slug)
    return found


@pytest.fixture
def requests(door: Door, world: World) -> list[Asked]:
    """TES knows its own tasks only."""
    task = door.send("POST", "/ga4gh/tes/v1/tasks", world.tokens["owner"], json=TASK)
    Job.objects.filter(pk=task.json()["id"]).update(workspace=Workspace.objects.get(slug=world.slug))
    found = asked(world)
    return [
        one._replace(url=re.sub("tasks/[^:/]+", f"tasks/{task.json()['id']}", one.url)) if "/tes/" in one.url else one
        for one in found
    ]


def member(lab: Workspace, role: str) -> User:
    """Who has made nothing."""
    user = person(role)
    join(user, lab, role)
    return user


def unlike(door: Door, requests: list[Asked], token: str, expected: Callable[[str, Row], set[str]]) -> list[str]:
    """Each is asked by itself: whatever it changes is taken back."""
    wrong = []
    for one in requests:
        before = transaction.savepoint_create()
        said = as_a_word(one.send(door, token))
        transaction.savepoint_rollback(before)
        wanted = expected(one.name, TABLE[one.name])
        if said not in wanted:
            wrong.append(f"{one.name}: {said}, not {' or '.join(sorted(wanted))}")
    return wrong


def meaning(cell: str) -> set[str]:
    return {"own": {"404", "each"}, "people": {"yes"}}.get(cell, {cell})


def test_table_has_every_operation_at_its_address_with_its_scope() -> None:
    assert set(TABLE) == {name for _, _, name in ROUTES}
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            row = TABLE[operation["operationId"]]
            assert row.address == f"{method.upper()} {path}"
            its_own = "attempt" if operation["tags"] == ["runner"] else ""
            assert row.scope == SCOPE.get(operation["operationId"], its_own), row.address


@pytest.mark.parametrize("role", ROLES)
def test_member_may_what_her_role_says(door: Door, requests: list[Asked], lab: Workspace, role: str) -> None:
    token = token_of(member(lab, role))
    assert unlike(door, requests, token, lambda _, row: meaning(getattr(row, role))) == []


def test_administrator_of_the_platform_counts_as_manager(door: Door, requests: list[Asked]) -> None:
    token = token_of(User.objects.create(username="root", is_superuser=True))
    # They name a file and no workspace, and of an administrator that is the oldest of all.
    # She is in none of them, so there is none to leave.
    rest = [one for one in requests if one.name not in {"submit_job", "begin_run", "create_task", "leave_workspace"}]
    assert unlike(door, rest, token, lambda _, row: meaning(row.manager)) == []


def test_service_account_manages_no_accounts(door: Door, requests: list[Asked], lab: Workspace, world: World) -> None:
    robot = User.objects.get(pk=world.ids["0199f5fe-3b4c-7d5e-8f60-718293a4b5c6"])
    Membership.objects.filter(user=robot).update(role="manager")
    token = token_of(robot)
    assert (
        unlike(
            door,
            requests,
            token,
            lambda _, row: {"no", "404"} if row.manager == "people" else meaning(row.manager),
        )
        == []
    )


def test_who_made_it_may_what_a_manager_may_and_what_is_her_own(
    door: Door, requests: list[Asked], world: World
) -> None:
    def expected(_: str, row: Row) -> set[str]:
        return {"no"} if row.scope == "attempt" else {"yes"}

    assert unlike(door, requests, world.tokens["owner"], expected) == []


def test_member_of_another_workspace_finds_nothing(door: Door, requests: list[Asked], world: World) -> None:
    assert unlike(door, requests, world.tokens["stranger"], lambda _, row: meaning(row.others)) == []


def test_nobody_is_asked_for_a_token(door: Door, requests: list[Asked]) -> None:
    assert unlike(door, requests, "", lambda name, _: {"yes"} if name in OPEN else {"401"}) == []


@pytest.mark.parametrize("scope", ALL_SCOPES)
def test_token_of_one_scope_may_what_needs_it_and_nothing_else(door: Door, requests: list[Asked], scope: str) -> None:
    token = token_of(User.objects.get(username__startswith="owner-"), (scope,))

    def expected(name: str, row: Row) -> set[str]:
        return {"yes"} if row.scope in {scope, ""} and name not in MORE else {"no"}

    assert unlike(door, requests, token, expected) == []
