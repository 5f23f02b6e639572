"""Where the trace of a job can be looked at, for those who run the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from orchestration.tracing import Place

if TYPE_CHECKING:
    from orchestration.models import Job


def trace_link(job: Job) -> str:
    """Empty: nobody has said where, or nothing is kept of it."""
    place = Place.read(job.traceparent) if settings.TRACE_URL else None
    return settings.TRACE_URL.replace("{trace_id}", f"{place.trace_id:032x}") if place else ""
