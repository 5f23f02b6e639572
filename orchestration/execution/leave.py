"""Jobs whose submitter may not run them any more: whoever was removed, became a viewer or was switched off meanwhile.

Asked when a job is admitted and when it is handed over (SEC-044), not when somebody goes: she may be back by then.
What runs already goes on. It is the workspace's, whose members may cancel it.
"""

from __future__ import annotations

import logging
from typing import Final

from django.db.models.functions import Now

from orchestration.execution.advance import advance
from orchestration.models import Job
from orchestration.models.moves import write_events
from orchestration.states import EventKind

log = logging.getLogger(__name__)

WHY: Final = "Whoever set it going may not run jobs in this workspace any more."


def refuse(job: Job) -> None:
    """CANCELED, as by a cancel, and nothing of it runs. Part of the caller's transaction, which has the job locked."""
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=Now())
    write_events([job.event(EventKind.JOB, old=job.state, new=job.state, reason=WHY)])
    by = job.ordered_by or job.created_by_id
    log.warning("job refused", extra={"job_id": str(job.pk), "workspace": str(job.workspace_id), "user_id": str(by)})
    advance(job.pk)
