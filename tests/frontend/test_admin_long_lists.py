"""Lists of the admin over tables of millions: nothing sorts or searches through all of them, and the page says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frontend_app.admin import long_list
from orchestration.models import AuditEntry, Job, User, Workspace
from orchestration.services import audit
from orchestration.services.files import delete_file
from tests.factories import make_file, make_job, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

AT = "/admin/orchestration"
SAID = "looked for among the newest 2 only"


@pytest.fixture
def root(people: object) -> Client:
    return browser(make_user("root", is_staff=True, is_superuser=True))


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_list, "NEWEST", 2)


@pytest.mark.usefixtures("_few")
@pytest.mark.parametrize("q", ["ni", "name:gh", "priority:0", "name:t state:waiting"])
def test_what_no_index_finds_is_looked_for_among_the_newest_jobs(
    root: Client, owner: User, lab: Workspace, q: str
) -> None:
    jobs = [make_job(owner, lab, name=f"night {at}") for at in range(3)]
    html = root.get(f"{AT}/job/", {"q": q}).content.decode()
    assert SAID in html
    assert [f"night {at}" in html for at in range(3)] == [False, True, True]
    assert len(jobs) == 3


@pytest.mark.usefixtures("_few")
def test_what_an_index_finds_is_looked_for_among_all_jobs(root: Client, owner: User, lab: Workspace) -> None:
    oldest, *_ = [make_job(owner, lab, name=f"night {at}") for at in range(3)]
    for q in (
        str(oldest.pk),
        "night",
        "name:nig",
        "state:waiting",
        "workspace:lab",
        f"owner:{owner.username}",
        "created:>-1d",
    ):
        html = root.get(f"{AT}/job/", {"q": q}).content.decode()
        assert "night 0" in html, q
        assert "looked for among" not in html, q


def test_no_list_says_so_where_all_were_looked_through(root: Client, owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="night")
    html = root.get(f"{AT}/job/", {"q": "night"}).content.decode()
    assert "night" in html
    assert "looked for among" not in html


def test_no_list_is_sorted_by_a_column(root: Client, owner: User, lab: Workspace) -> None:
    for name in ("b", "a", "c"):
        make_job(owner, lab, name=f"night-{name}")
    with CaptureQueriesContext(connection) as asked:
        html = root.get(f"{AT}/job/", {"o": "2"}).content.decode()
    assert html.index("night-c") < html.index("night-a") < html.index("night-b")
    assert 'ORDER BY "orchestration_job"."name"' not in "".join(one["sql"] for one in asked.captured_queries)
    assert "?o=" not in html


def test_files_are_found_by_name_id_and_digest(root: Client, owner: User, lab: Workspace) -> None:
    mine = make_file(lab, owner, name="plate.csv", sha256="ab" * 32)
    make_file(lab, owner, name="other.txt", sha256="cd" * 32)
    for q in ("plate", str(mine.pk), "AB" * 32):
        html = root.get(f"{AT}/file/", {"q": q}).content.decode()
        assert "plate.csv" in html, q
        assert "other.txt" not in html, q


@pytest.mark.usefixtures("_few")
def test_files_of_a_name_are_looked_for_among_the_newest(root: Client, owner: User, lab: Workspace) -> None:
    oldest, *_ = [make_file(lab, owner, name=f"plate {at}", sha256=f"{at:064x}") for at in range(3)]
    html = root.get(f"{AT}/file/", {"q": "plate"}).content.decode()
    assert SAID in html
    assert "plate 0" not in html
    for asked in (
        {"q": f"{0:064x}"},
        {"q": str(oldest.pk)},
        {"workspace__id__exact": str(lab.pk)},
        {"life": "current"},
    ):
        html = root.get(f"{AT}/file/", asked).content.decode()
        assert "plate 0" in html, asked
        assert "looked for among" not in html, asked


@pytest.mark.usefixtures("_few")
def test_unusual_files_are_found_however_old_they_are(root: Client, owner: User, lab: Workspace) -> None:
    make_file(lab, owner, name="held", hold=True)
    make_file(lab, owner, name="broken", scan_state="quarantined", damaged_at=timezone.now())
    delete_file(user=owner, file=make_file(lab, owner, name="thrown away"))
    for _ in range(3):
        make_file(lab, owner, name="usual")
    for asked, name in (
        ("hold__exact=1", "held"),
        ("scan_state__exact=quarantined", "broken"),
        ("damaged_at__isempty=0", "broken"),
        ("life=deleted", "thrown away"),
    ):
        html = root.get(f"{AT}/file/?{asked}").content.decode()
        assert name in html, asked
        assert "looked for among" not in html, asked
    plans = {
        "file_unusual": ("hold", "scan_state = 'quarantined'", "damaged_at IS NOT NULL"),
        "file_gone": ("deleted_at IS NOT NULL AND purged_at IS NOT NULL",),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for index, wanted in plans.items():
            for condition in wanted:
                cursor.execute(
                    f"EXPLAIN SELECT id FROM orchestration_file WHERE {condition} ORDER BY id DESC LIMIT 50"  # noqa: S608  ours
                )
                assert index in str(cursor.fetchall()), condition


def test_entries_of_the_audit_log_are_found_by_whole_words(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    eva = make_user("edda")
    lab = Workspace.objects.create(slug="cells", name="Cells")
    AuditEntry.objects.create(action="file.deleted", actor_id=eva.pk, actor="edda", subject_id="s-1", request_id="r-1")
    AuditEntry.objects.create(action="member.added", workspace_id=lab.pk, workspace="cells", subject_id="s-2")
    gone = AuditEntry.objects.create(action="account.deleted", actor="somebody gone")

    def found(q: str) -> set[str]:
        html = root.get(f"{AT}/auditentry/", {"q": q}).content.decode()
        return {one for one in ("file.deleted", "member.added", "account.deleted") if f">{one}<" in html}

    assert found("Edda") == found("r-1") == found("s-1") == found("file.") == {"file.deleted"}
    assert found("cells") == found("s-2") == {"member.added"}
    assert found("Somebody gone") == {"account.deleted"}
    assert found("edd") == set()
    monkeypatch.setattr(audit, "LOOKED_THROUGH", 0)
    assert found("Somebody gone") == set()
    assert gone.pk


def test_newest_of_what_was_looked_for_come_first(root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    eva = make_user("edda")
    made = [AuditEntry.objects.create(action="file.deleted", actor_id=eva.pk, actor="edda").pk for _ in range(5)]
    entries = audit.find_entries(AuditEntry.objects.all(), "edda", most=3)
    assert sorted(entries.values_list("pk", flat=True)) == made[-3:]


@pytest.mark.parametrize("model", ["workspace", "user"])
def test_what_has_jobs_is_not_deleted_and_they_are_not_listed(
    root: Client, owner: User, lab: Workspace, model: str
) -> None:
    for at in range(3):
        make_job(owner, lab, name=f"night {at}")
    one = lab if model == "workspace" else owner
    html = root.get(f"{AT}/{model}/{one.pk}/delete/").content.decode()
    assert "<li>Jobs</li>" in html
    assert "night" not in html
    sent = {"action": "delete_selected", "_selected_action": [str(one.pk)], "post": "yes"}
    assert "night" not in root.post(f"{AT}/{model}/", sent).content.decode()
    root.post(f"{AT}/{model}/{one.pk}/delete/", {"post": "yes"})
    assert type(one).objects.filter(pk=one.pk).exists()
    assert Job.objects.count() == 3


def test_what_nothing_forbids_is_deleted(root: Client, people: object) -> None:
    empty = Workspace.objects.create(slug="empty", name="Empty")
    root.post(f"{AT}/workspace/{empty.pk}/delete/", {"post": "yes"})
    assert not Workspace.objects.filter(pk=empty.pk).exists()
