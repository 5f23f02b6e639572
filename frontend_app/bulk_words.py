"""How an action on many jobs is spoken of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from orchestration.states import BulkAction, BulkOutcome

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from orchestration.models import BulkOperation


@dataclass(frozen=True, slots=True)
class Said:
    """`short` stands on a button of the list, `act` on the one that begins it."""

    icon: str
    title: StrOrPromise
    short: StrOrPromise
    doing: StrOrPromise
    means: StrOrPromise
    ask: Any
    act: Any
    nothing: StrOrPromise

    def question(self, number: int) -> str:
        return str(self.ask % {"count": number, "shown": intcomma(number)})

    def button(self, number: int) -> str:
        return str(self.act % {"count": number, "shown": intcomma(number)})


BULK: Final = {
    BulkAction.CANCEL: Said(
        icon="slash",
        title=gettext_lazy("Cancel jobs"),
        short=gettext_lazy("Cancel"),
        doing=gettext_lazy("Canceling …"),
        means=gettext_lazy("What runs is stopped; results of finished steps are kept."),
        ask=ngettext_lazy("Cancel %(shown)s job?", "Cancel %(shown)s jobs?", "count"),
        act=ngettext_lazy("Cancel %(shown)s job", "Cancel %(shown)s jobs", "count"),
        nothing=gettext_lazy("No job to cancel"),
    ),
    BulkAction.RETRY: Said(
        icon="retry",
        title=gettext_lazy("Retry jobs"),
        short=gettext_lazy("Retry"),
        doing=gettext_lazy("Retrying …"),
        means=gettext_lazy("Each goes on from its failed steps; good outputs stay."),
        ask=ngettext_lazy("Retry %(shown)s job?", "Retry %(shown)s jobs?", "count"),
        act=ngettext_lazy("Retry %(shown)s job", "Retry %(shown)s jobs", "count"),
        nothing=gettext_lazy("No job to retry"),
    ),
    BulkAction.RERUN: Said(
        icon="again",
        title=gettext_lazy("Rerun failed items"),
        short=gettext_lazy("Rerun failed items"),
        doing=gettext_lazy("Rerunning failed items …"),
        means=gettext_lazy("Only failed items run again, and the steps that need them."),
        ask=ngettext_lazy(
            "Rerun the failed items of %(shown)s job?", "Rerun the failed items of %(shown)s jobs?", "count"
        ),
        act=ngettext_lazy("Rerun failed items of %(shown)s job", "Rerun failed items of %(shown)s jobs", "count"),
        nothing=gettext_lazy("No job with failed items"),
    ),
    BulkAction.RESUBMIT: Said(
        icon="plus",
        title=gettext_lazy("Run jobs anew"),
        short=gettext_lazy("Run anew"),
        doing=gettext_lazy("Running anew …"),
        means=gettext_lazy("Each becomes a new job over the same files."),
        ask=ngettext_lazy("Run %(shown)s job anew?", "Run %(shown)s jobs anew?", "count"),
        act=ngettext_lazy("Run %(shown)s job anew", "Run %(shown)s jobs anew", "count"),
        nothing=gettext_lazy("No job to run anew"),
    ),
    BulkAction.LABEL: Said(
        icon="edit",
        title=gettext_lazy("Label jobs"),
        short=gettext_lazy("Label"),
        doing=gettext_lazy("Labelling …"),
        means=gettext_lazy("Labels that are not named stay."),
        ask=ngettext_lazy("Label %(shown)s job?", "Label %(shown)s jobs?", "count"),
        act=ngettext_lazy("Label %(shown)s job", "Label %(shown)s jobs", "count"),
        nothing=gettext_lazy("No job to label"),
    ),
    BulkAction.PRIORITY: Said(
        icon="flow",
        title=gettext_lazy("Change the priority of jobs"),
        short=gettext_lazy("Priority"),
        doing=gettext_lazy("Changing priorities …"),
        means=gettext_lazy("Of what waits, the highest runs first. It counts at once."),
        ask=ngettext_lazy("Change the priority of %(shown)s job?", "Change the priority of %(shown)s jobs?", "count"),
        act=ngettext_lazy("Change %(shown)s job", "Change %(shown)s jobs", "count"),
        nothing=gettext_lazy("No job to give another priority"),
    ),
}
OUTCOMES: Final = {
    BulkOutcome.REFUSED: gettext_lazy("Refused"),
    BulkOutcome.DONE: gettext_lazy("Done"),
    BulkOutcome.SKIPPED: gettext_lazy("Left alone"),
}


def told(operation: BulkOperation) -> str:
    """What it is to do besides its action: labels, a priority; "" for the others."""
    params = operation.params
    if "priority" in params:
        return _("Priority %(number)s.") % {"number": params["priority"]}
    given = ", ".join(f"{key}={value}" for key, value in params.get("set", {}).items())
    gone = ", ".join(params.get("remove", []))
    said = [_("Labels set: %(labels)s.") % {"labels": given}] if given else []
    return " ".join([*said, *([_("Labels removed: %(labels)s.") % {"labels": gone}] if gone else [])])
