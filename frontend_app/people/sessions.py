"""Where somebody is signed in, and ending it from afar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from allauth.usersessions.models import UserSession
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

    from frontend_app.http import Request

# In this order: Edge says that it is Chrome too, and Chrome that it is Safari.
BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Session:
    """As a page shows it; never its key, which is what signs in."""

    pk: int
    browser: str
    ip: str
    since: datetime
    is_current: bool


def note_session(request: HttpRequest) -> None:
    """For those that did not begin at the sign-in page, where django-allauth does it."""
    UserSession.objects.create_from_request(request)


def sessions_of(request: Request) -> list[Session]:
    """The newest first. One that began before sessions were noted is noted now."""
    if not UserSession.objects.filter(session_key=request.session.session_key).exists():
        note_session(request)
    found = UserSession.objects.purge_and_list(request.user)
    return sorted((_shown(one, request) for one in found), key=lambda one: one.since, reverse=True)


def _shown(one: UserSession, request: Request) -> Session:
    is_current = one.session_key == request.session.session_key
    return Session(one.pk, browser_of(one.user_agent), one.ip, one.created_at, is_current)


def browser_of(user_agent: str) -> str:
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return (
        _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
        if browser and system
        else browser or system or _("Unknown browser")
    )


def end_sessions(request: Request, *, only: int | None) -> int:
    """All of this person's but the one that asks, or the one named; how many there were."""
    others = [one for one in UserSession.objects.purge_and_list(request.user) if not one.is_current()]
    ended = [one for one in others if only is None or one.pk == only]
    for one in ended:
        one.end()
    return len(ended)
