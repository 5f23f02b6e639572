"""How a mail of news is made: plain text, the same in simple HTML, and a way out of it in one click (RFC 8058).

Its words are the reader's: her language, her clock.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation
from django.utils.html import urlize
from django.utils.translation import gettext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import User

AUTOMATIC: Final = {"Auto-Submitted": "auto-generated"}
"""Nobody's holiday answer is wanted (RFC 3834)."""
UNSUBSCRIBE: Final = "esteira.unsubscribe"
"""The salt of the links that end somebody's mail, which is all that they do: so they need no end themselves."""
_PAGE: Final = (
    '<!doctype html><html lang="{}"><head><meta charset="utf-8"></head><body>'
    '<div style="font:15px/1.5 system-ui,sans-serif;max-width:44rem;white-space:pre-wrap">{}</div></body></html>'
)


@contextmanager
def speaking_to(user: User | None) -> Iterator[None]:
    """As her account says; to whom we do not know, as the platform speaks."""
    language = (user and user.language) or settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(user.clock if user else None):
        yield


def message(subject: str, text: str, user: User) -> EmailMultiAlternatives:
    """In the language that is active."""
    link = f"{settings.PUBLIC_URL}/unsubscribe/{signing.Signer(salt=UNSUBSCRIBE).sign(user.pk.hex)}/"
    headers = {
        **AUTOMATIC,
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    made = EmailMultiAlternatives(subject, text, to=[user.email], headers=headers)
    # Names of files and jobs are in it, as whoever made them wrote them.
    spoken = translation.get_language() or settings.LANGUAGE_CODE
    made.attach_alternative(_PAGE.format(spoken, urlize(text, autoescape=True)), "text/html")
    return made


def because_you_manage() -> str:
    return gettext("You are mailed because you manage this workspace.")
