"""The tokens and components that pages are made of, on one page that cannot fall behind: it is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404
from django.views.decorators.http import require_safe

from frontend_app.design_tokens import groups_of, icons_of
from frontend_app.http import Request, page
from frontend_app.words import FAILURES
from orchestration.states import AttemptState, FailureKind, JobState, WorkState

if TYPE_CHECKING:
    from django.http import HttpResponse

STATES: Final = tuple(dict.fromkeys(str(state) for kind in (JobState, AttemptState, WorkState) for state in kind))
LEADS_NOWHERE: Final = "There is no page at this address."


@require_safe
def design(request: Request) -> HttpResponse:
    if not (request.user.is_staff or settings.DEBUG):
        raise Http404(LEADS_NOWHERE)
    context = {
        "groups": groups_of(_sheet("tokens.css")),
        "icons": list(icons_of(_sheet("icons.css"))),
        "themes": ("light", "dark"),
        "states": [*STATES, "CANCELING"],
        "failure": FAILURES[FailureKind.INTERRUPTED],
    }
    return page(request, "frontend_app/design.html", context)


def _sheet(name: str) -> str:
    found = finders.find(f"frontend_app/{name}")
    if found is None:
        raise Http404(f"The sheet {name} is not among the static files.")
    return Path(found).read_text()
