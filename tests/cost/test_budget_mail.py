"""Managers are mailed when a part of the budget is used, and when all of it is: once each."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orchestration.execution.budget_notice import tell_managers
from orchestration.models import BudgetNotice, User
from tests.cost.test_budgets import ended, hourly, with_budget
from tests.orchestration.conftest import office, one_office

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable
    from orchestration.models import Workspace
    from tests.orchestration.post_office import PostOffice

__all__ = ["office", "one_office"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(manager: User) -> User:
    User.objects.filter(pk=manager.pk).update(email="mara@example.org")
    return manager


def test_managers_hear_of_a_part_and_of_the_whole_and_of_each_once(
    priced: PriceTable, office: PostOffice, owner: User, manager: User, lab: Workspace
) -> None:
    User.objects.filter(pk=owner.pk).update(email="ana@example.org")
    with_budget(lab, Decimal(10))
    ended(hourly(owner, lab), "7.9")
    assert tell_managers() == 0

    ended(hourly(owner, lab), "0.5")
    assert [tell_managers(), tell_managers()] == [1, 0]
    (letter,) = office.letters
    assert (letter["to"], letter["subject"]) == (
        "mara@example.org",
        (f"Esteira: 84 % of the budget of Lab for {BudgetNotice.objects.get().month:%B %Y} is used"),
    )
    text = letter.get_content()
    assert "Spent: $8.40" in text
    assert "When all of it is used: New jobs are refused" in text

    ended(hourly(owner, lab), "2")
    assert [tell_managers(), tell_managers()] == [1, 0]
    assert "is used up" in office.letters[-1]["subject"]
    assert "Jobs under way go on." in office.letters[-1].get_content()


def test_of_a_budget_that_was_raised_they_hear_again(
    priced: PriceTable, office: PostOffice, owner: User, manager: User, lab: Workspace
) -> None:
    with_budget(lab, Decimal(10), mode="warn")
    ended(hourly(owner, lab), "12")
    tell_managers()
    with_budget(lab, Decimal(20), mode="warn")
    assert tell_managers() == 0
    ended(hourly(owner, lab), "5")

    assert tell_managers() == 1
    assert "this budget only warns" in office.letters[-1].get_content()


def test_server_that_does_not_take_it_is_asked_again(
    priced: PriceTable, office: PostOffice, owner: User, manager: User, lab: Workspace
) -> None:
    with_budget(lab, Decimal(10))
    ended(hourly(owner, lab), "12")
    office.refuses["DATA"] = "451 not now"
    assert tell_managers() == 0
    assert not BudgetNotice.objects.exists()
    office.refuses.clear()

    assert tell_managers() == 1
    assert len(office.letters) == 1


def test_workspace_that_nobody_manages_or_wants_to_hear_of_has_no_notice(
    priced: PriceTable, office: PostOffice, owner: User, manager: User, lab: Workspace
) -> None:
    User.objects.filter(pk=manager.pk).update(mail_on="never")
    with_budget(lab, Decimal(10))
    ended(hourly(owner, lab), "12")

    assert tell_managers() == 0
    assert not BudgetNotice.objects.exists()
