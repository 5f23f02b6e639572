"""Every page in a language in which each translated string is marked: words without a mark went past gettext.

New pages come in by themselves, from the table of addresses; what a page shows of people's own data is named below.
"""

from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.core.signing import Signer
from django.urls import URLResolver, get_resolver
from django.utils import timezone, translation
from django.utils.translation import trans_real

from orchestration import sentences
from orchestration.execution import post_text
from orchestration.execution.budget_notice import tell_managers
from orchestration.execution.mail import tell
from orchestration.execution.mail_form import UNSUBSCRIBE
from orchestration.execution.post import deliver
from orchestration.execution.webhook_notice import tell_of_webhooks
from orchestration.models import (
    Attempt,
    File,
    Item,
    Job,
    Letter,
    Membership,
    Notification,
    StepRun,
    WebhookEndpoint,
)
from orchestration.services.bulk import Choice, begin_bulk
from orchestration.services.invitations import invite
from orchestration.services.job_lists import save_filter
from orchestration.services.service_accounts import create_service_account
from orchestration.services.shares import Terms, create_share
from orchestration.services.webhook_deliveries import send_test
from orchestration.services.webhooks import create_webhook
from orchestration.states import BulkAction, BulkOutcome, NotificationKind, Role
from project.translations import messages
from tests.cost.conftest import priced, table
from tests.cost.test_budgets import ended, hourly, with_budget
from tests.factories import join, make_file, make_job, make_user
from tests.frontend.ask import browser
from tests.orchestration.conftest import office, one_office
from tests.orchestration.post_office import addressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from orchestration.cost.table import PriceTable
    from orchestration.models import User, Workspace
    from tests.orchestration.post_office import PostOffice

__all__ = ["office", "one_office", "priced", "table"]  # fixtures
pytestmark = pytest.mark.django_db

OPEN, CLOSE = "⟦", "⟧"
SAID_IN: Final = ("aria-label", "title", "placeholder", "alt", "data-confirm", "data-text", "data-yes", "data-label")
VOID: Final = {"input", "br", "img", "link", "meta", "hr", "path", "rect", "line", "circle"}
NOT_WORDS: Final = {"script", "style", "code", "kbd", "pre", "bdi", "time", "option"}
"""Code, people's data, and choices such as time zones: those of ours are looked at by `test_choices_are_marked`."""
DATA: Final = re.compile(
    # People, places and things of these tests; names of formats, products and units; states as filters write them.
    r"est_…|https://hooks\.example/esteira|\b(?:ana[23]?|bruno|lab|Lab|noop|nothing|scan|csv|table|hooks?|example|test|robot|robot@lab|reviewers|"
    r"webhook|job|succeeded|"
    r"Esteira|API|OpenAPI|JSON|ZIP|SHA|CSV|Parquet|UTC|KiB|MiB|GiB|B|s|min|h|d|ms|v|"
    r"text|yaml|pipeline\.yaml|https?|org|read|run|upload|admin|x|e|Do|nothing1|PNG|English|Português|Brasil)\b"
)
SKIPPED: Final = {
    "design": "is for those who build pages",
    "api-docs": "is the API's own document, which is in English",
    "file-preview": "is somebody's file",
    "file-content": "is somebody's file",
    "job-results-zip": "are somebody's files",
    "job-new-params": "is a part of a page, for a pipeline that is named",
    "shared-file": "is somebody's file",
    "shared-zip": "are somebody's files",
    "attempt-log-download": "is a step's own words",
    "attempt-log": "is a step's own words",
}


class Text(HTMLParser):
    """What a reader is told, in order: text and the attributes that speak."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += [f"\n{value}\n" for name, value in attrs if name in SAID_IN and value and tag != "option"]
        self.said.append(" ")
        if tag not in VOID:
            # A text that names its own language is in none of ours.
            is_foreign = tag != "html" and any(name == "lang" for name, _ in attrs)
            self.inside.append("bdi" if is_foreign else tag)

    def handle_endtag(self, tag: str) -> None:
        self.said.append(" ")
        while self.inside and self.inside.pop() not in {tag, "bdi"}:
            pass

    def handle_data(self, data: str) -> None:
        if not NOT_WORDS & set(self.inside):
            self.said.append(data)


def unmarked(shown: str) -> list[str]:
    page = Text()
    page.feed(shown)
    depth, bare = 0, ""
    for letter in "".join(page.said):
        depth += (letter == OPEN) - (letter == CLOSE)
        bare += " " if depth or letter == CLOSE else letter
    pieces = (re.sub(r"[0-9a-f-]{8,}", "", DATA.sub("", one)) for one in re.split(r"\s{2,}|\n", bare))
    return [piece.strip() for piece in pieces if re.search(r"[^\W\d_]{2,}", piece)]


@pytest.fixture
def _marks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    translation.activate("pt-br")
    ours = {one.one for one in messages("django")}
    theirs = trans_real.gettext

    def mark(text: str, key: str = "") -> str:
        return f"{OPEN}{text}{CLOSE}" if (key or text) in ours or theirs(text) != text else text

    for name, said in {
        "gettext": mark,
        "ngettext": lambda one, many, n: mark(one if n == 1 else many, one),
        "pgettext": lambda _context, text: mark(text),
        "npgettext": lambda _context, one, many, n: mark(one if n == 1 else many, one),
    }.items():
        monkeypatch.setitem(vars(vars(translation)["_trans"]), name, said)
    sentences._said.cache_clear()
    yield
    sentences._said.cache_clear()
    translation.deactivate()


def paths(names: dict[str, str], resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Name and address of whatever can be looked at."""
    for one in (resolver or get_resolver("frontend_app.urls")).url_patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from paths(names, one, route)
        elif one.name:
            yield one.name, "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: names.get(found[1], "x"), route)


NEWS: Final[list[tuple[NotificationKind, dict[str, Any]]]] = [
    (NotificationKind.JOB_FAILED, {"name": "scan", "pipeline": "noop"}),
    (NotificationKind.JOB_WAITS, {"name": "scan", "reason": "image", "detail": "The job has already finished."}),
    (NotificationKind.BULK_DONE, {"bulk": "x", "action": "cancel", "total": 3, "refused": 1}),
    (NotificationKind.FILE_TROUBLE, {"name": "table.csv", "what": "damaged", "detail": ""}),
    (NotificationKind.FILES_GOING, {"name": "table.csv", "day": "2026-12-01"}),
    (NotificationKind.BUDGET, {"percent": 80, "used": "$8", "budget": "$10"}),
    (NotificationKind.QUOTA, {"percent": 100, "used": "8 GiB", "quota": "8 GiB"}),
    (NotificationKind.MEMBERS, {"what": "changed", "username": "ana", "role": "viewer", "by": "bruno"}),
]


def notify(user: User, workspace: Workspace, kind: NotificationKind, data: dict[str, Any]) -> Notification:
    return Notification.objects.create(user=user, workspace=workspace, kind=kind, group=kind, data=data)


@pytest.fixture
def names(owner: User, lab: Workspace) -> dict[str, str]:
    """Of one of each thing, by what addresses call it."""
    Membership.objects.filter(user=owner, workspace=lab).update(role=Role.MANAGER)
    file = make_file(lab, owner, name="table.csv")
    failed = make_job(owner, lab, inputs=[file], state="FAILED", failure_kind="INPUT", name="scan")
    make_job(owner, lab, inputs=[file], state="RUNNING", name="scan")
    make_job(owner, lab, inputs=[file], state="WAITING", waiting_reason="quota", name="scan")
    item = Item.objects.get(step_run=StepRun.objects.get(job=failed))
    attempt = Attempt.objects.create(job=failed, item=item, step="nothing", run=1, number=1)
    make_file(lab, owner, name="table.csv", kind="result", job=failed)
    hook, _ = create_webhook(user=owner, workspace="lab", url="https://example.org/hook", kinds=["job.failed"])
    share, url = create_share(user=owner, job=failed, terms=Terms(days=7, name="reviewers"))
    robot = create_service_account(user=owner, name="robot", workspace="lab", role="submitter")
    send_test(endpoint=WebhookEndpoint.objects.get(pk=hook.pk))
    saved = save_filter(user=owner, workspace=lab, name="scan", filter="csv")
    many, _ = begin_bulk(user=owner, action=BulkAction.RETRY, choice=Choice(ids=(failed.pk,)))
    many.items.update(outcome=BulkOutcome.REFUSED, detail="The job has already finished.")
    told = [notify(owner, lab, kind, facts | {"job": str(failed.pk), "file": str(file.pk)}) for kind, facts in NEWS]
    return {
        "job_id": str(failed.pk), "file_id": str(file.pk), "attempt_id": str(attempt.pk), "webhook_id": str(hook.pk),
        "delivery_id": str(hook.deliveries.get().pk), "share_id": str(share.pk), "account_id": str(robot.pk),
        "name": "noop", "step": "nothing", "index": "0", "action": "retry", "language": "en", "share": url,
        "filter_id": str(saved.pk), "bulk_id": str(many.pk), "notification_id": str(told[0].pk),
        "key": Signer(salt=UNSUBSCRIBE).sign(str(owner.pk)),
    }  # fmt: skip


def look(client: Client, path: str) -> list[str]:
    answer = client.get(path, headers={"Accept-Language": "pt-BR"})
    if answer.status_code in {302, 405} or not answer.get("Content-Type", "").startswith("text/html"):
        return []
    return unmarked(answer.content.decode())


@pytest.mark.usefixtures("_marks")
def test_every_page_says_only_what_is_translated(names: dict[str, str], owner: User) -> None:
    client, seen = browser(owner), 0
    found: dict[str, list[str]] = {}
    for name, path in paths(names):
        if name not in SKIPPED:
            words = look(client, path)
            found |= {path: words} if words else {}
            seen += 1
    more = [
        "/jobs/?q=colour:red",
        "/jobs/?q=state:failed",
        "/jobs/?q=x",
        "/files/?going=soon",
        "/nothing/here/",
        "/unsubscribe/x/",
    ]
    more.append("/" + names["share"].split("/", 3)[3])
    found |= {path: words for path in more if (words := look(client, path))}
    assert found == {}, "Not marked with translate or gettext; if it is somebody's data, say so in a <bdi> or in DATA."
    assert seen > 60


@pytest.mark.usefixtures("_marks")
def test_pages_for_nobody_and_for_a_newcomer_say_only_what_is_translated(lab: Workspace, names: dict[str, str]) -> None:
    nobody, newcomer, viewer = browser(), browser(make_user("ana2")), make_user("ana3")
    join(viewer, lab, "viewer")
    found = {path: look(nobody, path) for name, path in paths(names) if name not in SKIPPED}
    found |= {f"newcomer {path}": look(newcomer, path) for path in ("/", "/jobs/", "/files/", "/account/")}
    found["viewer"] = look(browser(viewer), "/jobs/new/")
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.usefixtures("_marks")
def test_choices_are_marked(names: dict[str, str], owner: User) -> None:
    client = browser(owner)
    for path in ("/tokens/", "/members/", "/files/", f"/webhooks/{names['webhook_id']}/", "/jobs/new/"):
        page = client.get(path, headers={"Accept-Language": "pt-BR"}).content.decode()
        options = re.findall(r"<option[^>]*>([^<]*)</option>", page)
        assert options, path
        assert [one for one in options if OPEN not in one and not DATA.search(one)] == [], path


def test_word_without_a_mark_is_seen() -> None:
    assert unmarked(f"<p>{OPEN}Said{CLOSE} and <b>not said</b></p>") == ["and", "not said"]
    assert unmarked(f'<button title="Say it">{OPEN}Said <b>twice</b>{CLOSE}</button>') == ["Say it"]
    assert unmarked(f"<p>{OPEN}Said{CLOSE} <code>code</code> 12 MiB</p>") == []


@pytest.mark.usefixtures("_marks")
def test_every_mail_says_only_what_is_translated(
    priced: PriceTable, office: PostOffice, names: dict[str, str], owner: User, lab: Workspace
) -> None:
    addressed(owner, language="pt-br", mail_on="always")
    Notification.objects.update(mail="at_once", count=2)
    File.objects.update(expires_at=timezone.now() + timedelta(days=3), created_at=timezone.now() - timedelta(days=99))
    Job.objects.filter(pk=names["job_id"]).update(finished_at=timezone.now())
    make_job(owner, lab, state="CANCELED", finished_at=timezone.now(), name="scan")
    with_budget(lab, Decimal(1))
    ended(hourly(owner, lab), "1.5")
    gone = {"enabled_at": None, "disabled_why": "The job has already finished.", "told_at": None}
    WebhookEndpoint.objects.update(**gone)
    invite(user=owner, email="ida@example.org", role="viewer", workspace="lab")
    Letter.objects.create(kind="reset", address=owner.email)
    for about in post_text.NOTICES:
        Letter.objects.create(kind="notice", user=owner, about=about)
    sent = [tell(), tell_managers(), tell_of_webhooks(), deliver()]
    assert sent == [1, 1, 1, 2 + len(post_text.NOTICES)]
    found = {
        letter["Subject"]: words
        for letter in office.letters
        if (words := unmarked(html.escape(_bare(f"{letter['Subject']}\n{letter.get_content()}"))))
    }
    assert found == {}


def _bare(letter: str) -> str:
    """Without addresses and names: of a kind of failure, and of a pipeline of these tests."""
    return re.sub(r"https://\S+|\(INPUT\)|\bhourly\b", "", letter)
