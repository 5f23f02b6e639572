"""One of everything that the API can name, in a workspace of its own, and the people who come to it.

Its ids take the place of those in the document's examples, so that what the document shows is really there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from django.utils import timezone

from api_app.examples import ids
from orchestration.ids import new_id
from orchestration.models import Attempt, BulkItem, BulkOperation, Invitation, Item, Notification, User
from orchestration.services.pipelines import publish_built_ins
from orchestration.services.runner import append_log, issue_token
from orchestration.services.service_accounts import create_service_account
from orchestration.services.shares import Terms, create_share
from orchestration.services.tokens import issue
from orchestration.services.uploads.create import Wanted, create_upload
from orchestration.services.webhook_deliveries import send_test
from orchestration.services.webhooks import create_webhook
from tests.api.door import token_of
from tests.api.test_archives import result
from tests.factories import join, make_file, make_job, make_workspace
from tests.orchestration.play import holder

if TYPE_CHECKING:
    from orchestration.models import Job

CALLERS: Final = ("owner", "teammate", "stranger", "anonymous")


@dataclass(frozen=True, slots=True)
class World:
    slug: str
    tokens: dict[str, str]
    """By caller; of nobody there is none."""
    runner: str
    """The token of an attempt that runs."""
    ids: dict[str, str]
    """From what stands in the examples to what is there."""

    def fitted(self, document: dict[str, Any]) -> dict[str, Any]:
        """The document with this world's things as its examples."""
        text = json.dumps(document)
        for shown, real in self.ids.items():
            text = text.replace(f'"{shown}"', f'"{real}"').replace(f"esteira:{shown}", f"esteira:{real}")
        fitted: dict[str, Any] = json.loads(text)
        for path in fitted["paths"].values():
            for operation in path.values():
                _without_key(operation)
        return fitted


def _without_key(operation: dict[str, Any]) -> None:
    """The key of the example would be the same in a thousand different requests, all but the first refused for it."""
    for one in operation.get("parameters", ()):
        if one["name"] == "idempotency-key":
            del one["example"]


def person(name: str) -> User:
    # No password: hashing one for each of many worlds is slow, and nobody signs in.
    return User.objects.create(username=name)


def make_world() -> World:
    publish_built_ins()
    mark = uuid4().hex[:12]
    lab, elsewhere = make_workspace(f"lab-{mark}"), make_workspace(f"far-{mark}")
    owner, teammate, stranger = (person(f"{name}-{mark}") for name in CALLERS[:3])
    join(owner, lab, "manager")
    join(teammate, lab)
    join(stranger, elsewhere, "manager")
    file = make_file(lab, owner, "penguins.csv")
    job = make_job(owner, lab, inputs=[file], state="SUCCEEDED")
    running = make_job(owner, lab, state="RUNNING")
    live = attempt_of(running)
    report = result(job, "report.html")
    webhook, _ = create_webhook(user=owner, url="https://hooks.example/esteira", workspace=lab.slug)
    operation = BulkOperation.objects.create(created_by=owner, action="cancel", total=1)
    BulkItem.objects.create(operation=operation, job=job, run=1)
    ends = timezone.now() + timedelta(days=7)
    invitation = Invitation.objects.create(
        workspace=lab, email=f"ida-{mark}@example.org", role="viewer", invited_by=owner, expires_at=ends
    )
    about = {"job": str(job.pk), "name": "nightly", "pipeline": "noop"}
    told = Notification.objects.create(user=owner, workspace=lab, kind="job.failed", group=mark, data=about)
    wanted = Wanted(name="big.tif", size=5_000)
    found = {
        ids.FILE: file.pk,
        ids.RESULT: report.pk,
        ids.JOB: job.pk,
        ids.NEW_JOB: running.pk,
        ids.ATTEMPT: attempt_of(job, state="SUCCEEDED").pk,
        ids.UPLOAD: create_upload(user=owner, wanted=wanted, workspace=lab.slug)[0].pk,
        ids.BULK: operation.pk,
        ids.SHARE: create_share(user=owner, job=job, terms=Terms(days=1))[0].pk,
        ids.TOKEN: issue(user=owner, name="to end")[0].pk,
        ids.WEBHOOK: webhook.pk,
        ids.DELIVERY: send_test(endpoint=webhook).pk,
        ids.WORKSPACE: lab.pk,
        ids.ACCOUNT: create_service_account(user=owner, name="robot", workspace=lab.slug).pk,
        ids.MEMBER: teammate.pk,
        ids.INVITATION: invitation.pk,
        ids.NOTIFICATION: told.pk,
        "lab": lab.slug,
    }
    people = dict(zip(CALLERS, (owner, teammate, stranger), strict=False))
    return World(
        slug=lab.slug,
        tokens={name: token_of(user) for name, user in people.items()},
        runner=issue_token(live.pk, live.fence),
        ids={shown: str(real) for shown, real in found.items()},
    )


def attempt_of(job: Job, state: str = "RUNNING") -> Attempt:
    """With a line in its log."""
    now = timezone.now()
    attempt = Attempt.objects.create(
        pk=new_id(),
        job=job,
        item=Item.objects.filter(step_run__job=job)[0],
        step="nothing",
        run=1,
        number=1,
        state="RUNNING",
        fence=1,
        leased_by="here:test",
        lease_until=now + timedelta(hours=1),
        started_at=now,
    )
    append_log(holder=holder(attempt), offset=0, data=b"Reading penguins.csv\n")
    if state != "RUNNING":
        Attempt.objects.filter(pk=attempt.pk).update(state=state, finished_at=now, exit_code=0)
    return attempt
