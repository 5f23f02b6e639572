"""Each is mailed in her own language and at her own clock, whoever else is told of the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone, translation

from orchestration.execution.budget_notice import tell_managers
from orchestration.execution.mail import tell
from orchestration.execution.notice import record_told
from orchestration.execution.notifying import tell as tell_people
from orchestration.execution.post import deliver
from orchestration.execution.quota_notice import tell_of_quotas
from orchestration.execution.webhook_notice import tell_of_webhooks
from orchestration.models import File, Notification, User, WebhookEndpoint, Workspace
from orchestration.notification_words import say
from orchestration.services.invitations import invite
from orchestration.services.notifications import choose
from orchestration.states import NotificationKind, Role
from tests.cost.conftest import priced, table
from tests.cost.test_budgets import ended, hourly, with_budget
from tests.factories import join, make_file, make_job, make_user
from tests.orchestration.post_office import addressed

if TYPE_CHECKING:
    from email.message import EmailMessage

    from orchestration.cost.table import PriceTable
    from tests.orchestration.post_office import PostOffice

__all__ = ["priced", "table"]  # fixtures
pytestmark = pytest.mark.django_db


@pytest.fixture
def rita(lab: Workspace) -> User:
    """A manager of another language and clock."""
    user = addressed(make_user("rita"), language="pt-br", time_zone="America/Sao_Paulo")
    join(user, lab, Role.MANAGER)
    return user


@pytest.fixture
def mara(manager: User) -> User:
    return addressed(manager)


def by_reader(office: PostOffice) -> dict[str, EmailMessage]:
    return {letter["To"].partition("@")[0]: letter for letter in office.letters}


def text_of(letter: EmailMessage) -> str:
    said: str = letter.get_content()
    return said.replace("\r\n", "\n")


def test_budget_is_told_to_each_manager_in_her_language(
    priced: PriceTable, office: PostOffice, owner: User, mara: User, rita: User, lab: Workspace
) -> None:
    with_budget(lab, Decimal(2_000))
    ended(hourly(owner, lab), "1700.50")
    assert tell_managers() == 1
    letters = by_reader(office)
    assert letters["mara"]["Subject"].startswith("Esteira: 85 % of the budget of Lab for ")
    assert "Spent: $1,700.50" in text_of(letters["mara"])
    assert letters["rita"]["Subject"].startswith("Esteira: 85 % do orçamento de Lab para ")
    assert " de 20" in letters["rita"]["Subject"], "the month too"
    said = text_of(letters["rita"])
    assert "Gasto: US$ 1.700,50" in said
    assert "Quando ele acabar: Novos jobs são recusados" in said
    assert "porque é gestor" in said


def test_webhook_is_told_to_each_manager_in_her_language(
    office: PostOffice, mara: User, rita: User, lab: Workspace
) -> None:
    WebhookEndpoint.objects.create(
        workspace=lab,
        created_by=mara,
        enabled_at=None,
        url="https://hooks.example/x",
        disabled_why="The receiver answers 410 Gone: it wants no more.",
    )
    assert tell_of_webhooks() == 1
    letters = by_reader(office)
    assert letters["mara"]["Subject"] == "Esteira: a webhook of Lab was switched off"
    assert letters["rita"]["Subject"] == "Esteira: um webhook de Lab foi desligado"
    assert "não envia mais para\n  https://hooks.example/x" in text_of(letters["rita"])
    assert "410" in text_of(letters["rita"])


def test_what_is_wrong_with_a_file_is_said_in_the_reader_s_language(
    office: PostOffice, mara: User, rita: User, lab: Workspace
) -> None:
    detail = "The job has already finished."  # any sentence of ours
    data = {"file": "x", "name": "a.csv", "what": "damaged", "detail": detail}
    tell_people(
        kind=NotificationKind.FILE_TROUBLE,
        workspace_id=lab.pk,
        people=[mara.pk, rita.pk],
        group="damaged",
        data=data,
        count=1_200,
    )
    Notification.objects.update(count=1)
    assert tell() == 2
    letters = by_reader(office)
    assert letters["rita"]["Subject"] == "Esteira: a.csv está danificado"
    assert detail in text_of(letters["mara"])
    assert detail not in text_of(letters["rita"])
    assert 'lang="pt-br"' in letters["rita"].get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert 'lang="en"' in letters["mara"].get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_why_a_job_failed_is_said_in_her_language(office: PostOffice, rita: User, lab: Workspace) -> None:
    make_job(
        rita, lab, state="FAILED", failure_kind="INPUT", failure_detail="The job has already finished.",
        finished_at=timezone.now(), name="scan",
    )  # fmt: skip
    assert tell() == 1
    assert "The job has already finished." not in text_of(office.letters[0])
    assert "O job já terminou." in text_of(office.letters[0])


def test_day_a_file_goes_is_that_of_her_clock(office: PostOffice, mara: User, rita: User, lab: Workspace) -> None:
    night = (datetime.now(UTC) + timedelta(days=5)).replace(hour=1, minute=0)
    files = [make_file(lab, user, "a.csv", expires_at=night) for user in (mara, rita)]
    File.objects.update(created_at=timezone.now() - timedelta(days=365))
    choose(user=rita, workspace=lab, changes={NotificationKind.FILES_GOING: (True, "at_once")})
    assert tell() == 2
    letters = by_reader(office)
    assert f" on {night.day} {night:%B}" in letters["mara"]["Subject"]
    assert f" em {(night - timedelta(days=1)).day} de " in letters["rita"]["Subject"]
    assert files


def test_day_a_file_goes_is_that_of_the_reader_s_clock_in_the_app_too(rita: User, lab: Workspace) -> None:
    night = (datetime.now(UTC) + timedelta(days=5)).replace(hour=1, minute=0)
    file = make_file(lab, rita, "a.csv", expires_at=night)
    File.objects.update(created_at=timezone.now() - timedelta(days=365))
    assert record_told([file.pk], by="page") == 1
    row = Notification.objects.get()
    with translation.override("pt-br"), timezone.override(rita.clock):
        said = say(row.kind, 1, row.data, workspace="lab").title
    assert said.startswith(f"a.csv será excluído em {(night - timedelta(days=1)).day} de ")
    del row.data["at"]
    with translation.override("pt-br"), timezone.override(rita.clock):
        said = say(row.kind, 1, row.data, workspace="lab").title
    assert said.startswith(f"a.csv será excluído em {night.day} de "), "of before it knew the hour"


def test_quota_is_told_in_the_figures_of_the_reader(rita: User, owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(quota_bytes=1_536)
    make_file(lab, owner, size=1_434)
    assert tell_of_quotas() == 1
    row = Notification.objects.get(user=rita)
    with translation.override("pt-br"):
        assert say(row.kind, 1, row.data, workspace="lab").detail == "1,4 KiB de 1,5 KiB"
    assert say(row.kind, 1, row.data, workspace="lab").detail == "1.4 KiB of 1.5 KiB"


@pytest.mark.parametrize(
    ("language", "subject"),
    [("", "Esteira: an invitation to Lab"), ("pt-br", "Esteira: um convite para Lab")],
)
def test_invited_person_who_has_an_account_is_spoken_to_as_it_says(
    office: PostOffice, mara: User, lab: Workspace, language: str, subject: str
) -> None:
    addressed(make_user("ida"), language=language)
    invite(user=mara, email="Ida@example.org", role="viewer", workspace="lab")
    assert deliver() == 1
    assert office.subjects == [subject]


def test_stranger_is_spoken_to_as_whoever_invites_her(office: PostOffice, rita: User, lab: Workspace) -> None:
    invite(user=rita, email="ida@example.org", role="viewer", workspace="lab")
    assert deliver() == 1
    assert office.subjects == ["Esteira: um convite para Lab"]
