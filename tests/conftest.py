from __future__ import annotations

import gc
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from tests.emptying import empty_quickly
from tests.factories import join, make_job, make_user, make_workspace
from tests.groups import group, name_groups
from tests.read_once import read_once

if TYPE_CHECKING:
    from orchestration.models import Job, User, Workspace


def pytest_configure() -> None:
    gc.disable()  # until all tests are collected, which makes much and drops little
    # A run that was started in the background ignores Ctrl-C, and so would every process it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Argon2 is slow on purpose; here it would be most of the run. One test checks the real setting.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    read_once()
    # In the test's own thread, which alone sees what its transaction has written.
    settings.HAND_OVERS_AT_ONCE = 1
    settings.WEBHOOK_SENDERS = 1
    empty_quickly()


def pytest_collection_finish() -> None:
    # Ten thousand tests and all they import stay to the end: no collection needs to walk them again.
    gc.freeze()
    gc.enable()


@dataclass(frozen=True, slots=True)
class People:
    owner: User
    teammate: User
    stranger: User
    lab: Workspace
    elsewhere: Workspace


@pytest.fixture
def people(db: None) -> People:
    """Three people: the owner, a teammate of the same workspace, and a stranger."""
    lab, elsewhere = make_workspace("lab"), make_workspace("elsewhere")
    owner, teammate, stranger = make_user("ana"), make_user("bruno"), make_user("eva")
    join(owner, lab)
    join(teammate, lab)
    join(stranger, elsewhere)
    return People(owner, teammate, stranger, lab, elsewhere)


@pytest.fixture
def owner(people: People) -> User:
    return people.owner


@pytest.fixture
def teammate(people: People) -> User:
    return people.teammate


@pytest.fixture
def stranger(people: People) -> User:
    return people.stranger


@pytest.fixture
def user() -> User:
    """Alone in her workspace; for tests that commit, as those of whole processes do."""
    user = make_user()
    join(user, make_workspace())
    return user


@pytest.fixture
def job(user: User) -> Job:
    return make_job(user, user.memberships.get().workspace)


@pytest.fixture
def manager(lab: Workspace) -> User:
    user = make_user("mara")
    join(user, lab, "manager")
    return user


@pytest.fixture
def viewer(lab: Workspace) -> User:
    user = make_user("vera")
    join(user, lab, "viewer")
    return user


@pytest.fixture
def lab(people: People) -> Workspace:
    return people.lab


@pytest.hookimpl(tryfirst=True)  # pytest-xdist looks at the groups in the same hook, and would look first
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    group(items)
    if config.getoption("loadgroup", default=False):
        name_groups(items)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--campaign", default="short", choices=["short", "full"], help="how much of a long campaign to run"
    )
    parser.addoption("--fuzz-minutes", type=float, default=10, help="of tests/fuzz with --campaign=full")
    parser.addoption("--fuzz-as", nargs="+", default=(), help="only as these callers; else as all four in turn")
    parser.addoption("--write-openapi", action="store_true", help="write docs/openapi.json anew")
    parser.addoption("--break-openapi", action="store_true", help="also where clients will break")


@pytest.fixture(scope="session")
def campaign(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--campaign"))
