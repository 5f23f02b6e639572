"""Jobs whose submitter may not run them any more: whoever was removed, became a viewer or was switched off meanwhile.

Asked when a job is admitted and when it is handed over (SEC-044), not when somebody goes: she may be back by then.
What runs already goes on. It is the workspace's, whose members may cancel it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db.models import OuterRef, Q
from django.db.models.functions import Coalesce, Now

from orchestration.execution.advance import advance
from orchestration.models import Job, User
from orchestration.models.moves import write_events
from orchestration.states import EventKind, Role

if TYPE_CHECKING:
    from django.db.models import QuerySet

log = logging.getLogger(__name__)

WHY: Final = "Whoever set it going may not run jobs in this workspace any more."


def with_leave() -> QuerySet[User]:
    """Of the job of an outer query: whoever set its run going, if she is switched on and may run jobs there now."""
    here = Q(memberships__workspace=OuterRef("workspace"), memberships__role__in=[Role.SUBMITTER, Role.MANAGER])
    by = Coalesce(OuterRef("ordered_by"), OuterRef("created_by"))
    return User.objects.filter(here | Q(is_superuser=True), pk=by, is_active=True)


def refuse(job: Job) -> None:
    """CANCELED, as by a cancel, and nothing of it runs. Part of the caller's transaction, which has the job locked."""
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=Now())
    write_events([job.event(EventKind.JOB, old=job.state, new=job.state, reason=WHY)])
    by = job.ordered_by or job.created_by_id
    log.warning("job refused", extra={"job_id": str(job.pk), "workspace": str(job.workspace_id), "user_id": str(by)})
    advance(job.pk)
