from __future__ import annotations

import re

import pytest
from django.core import signing

from orchestration.errors import Forbidden
from orchestration.models import User, Workspace
from orchestration.services import tickets
from tests.frontend.ask import browser

pytestmark = pytest.mark.django_db


def test_ticket_names_user_and_workspace(owner: User, lab: Workspace) -> None:
    assert tickets.read_ticket(tickets.issue_ticket(owner, lab)) == (owner, "lab")


def test_page_carries_a_ticket_that_works(owner: User) -> None:
    found = re.search(r'data-ticket="([^"]+)"', browser(owner).get("/jobs/new/").content.decode())
    assert found
    assert tickets.read_ticket(found[1]) == (owner, "lab")


@pytest.mark.parametrize(
    "ticket",
    ["", "x", "a:b:c", signing.dumps({"user": "x"}, salt="something else")],
    ids=["empty", "x", "parts", "other salt"],  # a signature holds the second it was made in, and workers collect apart
)
def test_forged_ticket_is_refused(owner: User, ticket: str) -> None:
    with pytest.raises(Forbidden):
        tickets.read_ticket(ticket)


def test_old_ticket_is_refused(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = tickets.issue_ticket(owner, lab)
    monkeypatch.setattr(tickets, "MAX_AGE_S", -1)
    with pytest.raises(Forbidden, match="open for too long"):
        tickets.read_ticket(ticket)


def test_ticket_of_a_user_who_may_no_longer_sign_in_is_refused(owner: User, lab: Workspace) -> None:
    ticket = tickets.issue_ticket(owner, lab)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    with pytest.raises(Forbidden):
        tickets.read_ticket(ticket)
