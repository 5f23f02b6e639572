"""What a page shows, as far as it is the same for several people.

It is drawn without a request, so nothing of one person can be in it; what differs between people is in the key.
Times are drawn in UTC: each page says them at its reader's clock.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from django.template.loader import render_to_string
from django.utils import timezone, translation

from frontend_app.views.home import now_in
from frontend_app.views.job_parts import LIVE
from frontend_app.views.jobs import live_context
from frontend_app.words import language
from orchestration.models import Event, Workspace
from orchestration.services.whole import whole_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID


class Shown(Protocol):
    """Equal ones are drawn together."""

    @property
    def topic(self) -> str:
        """Of the events that change it."""
        ...

    def has_changed(self, seen: int) -> bool:
        """Since it was drawn with all events up to the one with id `seen`."""
        ...

    def draw(self) -> str:
        """Its live parts as they are now; "" of what is no longer there."""
        ...


@dataclass(frozen=True, slots=True)
class JobShown:
    """`run`: whose timeline, None for the last; `may_act`: with what a submitter may do to it."""

    job_id: UUID
    workspace_id: UUID
    run: int | None
    may_act: bool
    language: str

    @property
    def topic(self) -> str:
        return f"job.{self.job_id}"

    def has_changed(self, seen: int) -> bool:
        return Event.objects.filter(job_id=self.job_id, id__gt=seen).exists()

    def draw(self) -> str:
        with _in(self.language):
            whole = whole_or_none(job_id=self.job_id, parts=LIVE, language=language())
            if whole is None:
                return ""
            context = live_context(whole, self.run, self.may_act)
            return render_to_string("frontend_app/jobs/detail.html#live", context)


@dataclass(frozen=True, slots=True)
class HomeShown:
    workspace_id: UUID
    language: str

    @property
    def topic(self) -> str:
        return f"workspace.{self.workspace_id}"

    def has_changed(self, seen: int) -> bool:
        """Of any workspace: there is no index by which its own would be found."""
        return Event.objects.filter(id__gt=seen).exists()

    def draw(self) -> str:
        with _in(self.language):
            here = Workspace.objects.filter(pk=self.workspace_id).first()
            return render_to_string("frontend_app/home.html#live", now_in(here)) if here else ""


@contextmanager
def _in(code: str) -> Iterator[None]:
    with translation.override(code), timezone.override(None):
        yield
