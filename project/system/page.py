"""The page: what is known at once, then each finding when it is there. No script is needed to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from orchestration.findings import ERROR, OK, SKIPPED, WARNING
from orchestration.models.audit import write_audit
from orchestration.states import AuditAction
from project.system import processes, setup
from project.system.looking import Busy, look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.http import HttpRequest

    from orchestration.findings import Finding
    from orchestration.models import User
    from project.system.looking import Found

MAY: Final = "orchestration.look_at_system"
PAGE: Final = "admin/system.html"
# Where in the page the findings come.
HERE: Final = SafeString("<!-- findings -->")


@require_http_methods(["GET", "HEAD", "POST"])
def system(request: HttpRequest) -> StreamingHttpResponse:
    """A POST looks at everything, as `manage.py doctor` does: that writes and deletes files, so it is in the log."""
    user = cast("User", request.user)
    if not user.has_perm(MAY):
        raise PermissionDenied
    is_looking = request.method == "POST"
    if is_looking:
        write_audit(AuditAction.EXAMINED, by=user, name="the platform")
    page = render_to_string(PAGE, _known(request, is_looking=is_looking), request)
    answer = StreamingHttpResponse(_sent(page, translation.get_language(), is_looking=is_looking))
    # Proxies that keep answers until they are whole would keep the first finding until the last.
    answer["X-Accel-Buffering"] = "no"
    return answer


def _known(request: HttpRequest, *, is_looking: bool) -> dict[str, Any]:
    migration, migrations = setup.last_migration()
    return {
        **admin.site.each_context(request),
        "title": _("System"),
        "is_looking": is_looking,
        "here": HERE,
        "processes": processes.processes(),
        "duties": processes.duties(),
        "versions": setup.versions(),
        "this": setup.this_process(),
        "migration": migration,
        "migrations": migrations,
        "settings": setup.shown_settings(),
    }


async def _sent(page: str, language: str | None, *, is_looking: bool) -> AsyncIterator[str]:
    head, _here, tail = page.partition(HERE)
    yield head
    if is_looking:
        said = Said(language)
        try:
            async for found in look():
                yield said.finding(found)
        except Busy:
            yield said.busy()
        else:
            yield said.end()
    yield tail


class Said:
    """Findings as HTML. Areas are lists below their names, which are opened and closed as they come and go."""

    def __init__(self, language: str | None) -> None:
        self._language = language or "en"
        self._area = ""
        self._bad: list[Found] = []
        self._warned = 0

    def finding(self, found: Found) -> SafeString:
        area, one = found
        is_new, is_first = area != self._area, not self._area
        self._area = area
        self._bad += [found] * (one.level == ERROR)
        self._warned += one.level == WARNING
        return self._part("finding", {"area": area, "one": one, "is_new": is_new, "is_first": is_first} | _mark(one))

    def end(self) -> SafeString:
        return self._part("end", {"bad": self._bad, "warned": self._warned})

    def busy(self) -> SafeString:
        return self._part("busy", {})

    def _part(self, name: str, context: dict[str, Any]) -> SafeString:
        with translation.override(self._language):
            return render_to_string(f"{PAGE}#{name}", context)


def _mark(one: Finding) -> dict[str, str]:
    """A word, and the colour of a state that is as good or bad."""
    return {
        OK: {"word": _("works"), "look": "SUCCEEDED"},
        WARNING: {"word": _("warning"), "look": "WAITING"},
        ERROR: {"word": _("error"), "look": "FAILED"},
        SKIPPED: {"word": _("not tried"), "look": "SKIPPED"},
    }[one.level]
