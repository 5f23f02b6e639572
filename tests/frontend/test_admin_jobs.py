"""What administrators do to jobs: ticked ones or all of a filter, looked at, confirmed, and in the audit log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from frontend_app.admin import counting
from orchestration.models import AuditEntry, BulkOperation, Job
from tests.factories import make_file, make_job, make_user
from tests.frontend.ask import browser
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.test import Client

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

AT = "/admin/orchestration/job/"


@pytest.fixture
def root(people: object) -> Client:
    return browser(make_user("root", is_staff=True, is_superuser=True))


def confirmed(client: Client, sent: Mapping[str, object], q: str = "", **more: str) -> str:
    """The preview's own form is sent on, with what it carries."""
    at = f"{AT}?q={q}" if q else AT
    html = client.post(at, sent).content.decode()
    carried = dict(re.findall(r'type="hidden" name="(expected|key)" value="([^"]*)"', html))
    return str(client.post(at, {**sent, **carried, "sure": "yes", **more})["Location"])


def test_ticked_jobs_are_shown_first_and_acted_on_when_confirmed(root: Client, owner: User, lab: Workspace) -> None:
    waiting, done = make_job(owner, lab, name="first"), make_job(owner, lab, state="SUCCEEDED", name="second")
    sent = {"action": "cancel_jobs", "_selected_action": [str(waiting.pk), str(done.pk)]}
    html = root.post(AT, sent).content.decode()
    assert "<b>1 job.</b>" in html
    assert "1 more was chosen" in html
    assert not BulkOperation.objects.exists()
    assert confirmed(root, sent).startswith("/bulk/")
    operation = BulkOperation.objects.get()
    assert (operation.action, operation.total, operation.created_by.username) == ("cancel", 1, "root")
    entry = AuditEntry.objects.get(action="jobs.acted_on")
    assert (entry.actor, entry.after["action"], entry.after["ids"]) == ("root", "cancel", [str(waiting.pk)])


def test_all_that_fit_the_filter_are_acted_on(root: Client, owner: User, lab: Workspace) -> None:
    for _ in range(3):
        make_job(owner, lab, name="night")
    make_job(owner, lab, name="day")
    sent = {"action": "cancel_jobs", "_selected_action": ["x"], "select_across": "1"}
    confirmed(root, sent, q="name:night")
    assert BulkOperation.objects.get().total == 3
    assert AuditEntry.objects.get(action="jobs.acted_on").after["filter"] == "name:night"


def test_all_without_a_filter_is_refused(root: Client, owner: User, lab: Workspace) -> None:
    make_job(owner, lab)
    sent = {"action": "cancel_jobs", "_selected_action": ["x"], "select_across": "1"}
    assert "Choose jobs by" in root.post(AT, sent, follow=True).content.decode()
    assert not BulkOperation.objects.exists()


def test_another_number_than_was_confirmed_is_refused(root: Client, owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="night")
    sent = {"action": "cancel_jobs", "_selected_action": ["x"], "select_across": "1", "sure": "yes", "expected": "2"}
    html = root.post(f"{AT}?q=name:night", sent, follow=True).content.decode()
    assert "It is 1 jobs now, and 2 were expected" in html
    assert not BulkOperation.objects.exists()


def test_priority_is_asked_for_and_set(root: Client, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    sent: dict[str, object] = {"action": "change_priority", "_selected_action": [str(job.pk)]}
    assert 'name="priority"' in root.post(AT, sent).content.decode()
    confirmed(root, sent, priority="-5")
    assert BulkOperation.objects.get().params == {"priority": -5}


def test_retry_and_rerun_are_offered_and_begin(root: Client, owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    for action, name in (("retry", "retry_jobs"), ("rerun", "rerun_jobs")):
        confirmed(root, {"action": name, "_selected_action": [str(job.pk)]})
        assert BulkOperation.objects.latest("id").action == action


def test_list_speaks_the_filter_language_and_counts_no_further_than_it_must(
    root: Client, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MOST_COUNTED", 2)
    for _ in range(3):
        make_job(owner, lab, name="night")
    html = root.get(f"{AT}?q=name:night").content.decode()
    assert "more than 2: a filter finds the others" in html
    assert "?q=state%3Afailed%2Ctimed-out" in html
    assert "colour is no filter" in root.get(f"{AT}?q=colour:red").content.decode()


def test_attempts_lead_to_their_logs(root: Client, owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    html = root.get(f"{AT}{job.pk}/change/").content.decode()
    (at,) = re.findall(r'<a href="(/attempts/[0-9a-f-]+/)">nothing\[0\] run 1 try 1</a>', html)
    assert root.get(at).status_code == 200


def test_preview_runs_no_action_for_staff_who_may_only_look(owner: User, lab: Workspace) -> None:
    clerk = make_user("clerk", is_staff=True)
    assert browser(clerk).post(AT, {"action": "cancel_jobs", "_selected_action": ["x"]}).status_code == 403
    assert Job.objects.count() == 0
