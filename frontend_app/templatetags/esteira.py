"""What templates say the same way everywhere: states, sizes, times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from frontend_app import words
from frontend_app.navigation import lit
from orchestration.cost.wording import dollars
from orchestration.states import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.template import Context
    from django.utils.safestring import SafeString

    from orchestration.models import File

register = template.Library()

register.filter("size", words.size_words)
register.filter("type_word", words.type_word)
register.filter("check_word", words.check_word)
register.filter("failure", words.failure_of)
register.filter("waiting", words.waiting_sentence)
register.filter("said", words.job_said)
register.filter("day", words.day)
register.filter("days_left", words.days_left)
register.filter("file_event", words.file_event)
register.filter("dollars", dollars)
register.filter("duration", words.duration_words)


@register.simple_tag
def chip(state: str, *, is_canceling: bool = False, failure_kind: str = "") -> SafeString:
    """The state as a word with its colour; colour is never the only sign.

    An attempt that was interrupted is said to be so, calmly: machines come and go, and it is tried again.
    """
    shown = "CANCELING" if is_canceling else state
    if failure_kind == FailureKind.INTERRUPTED:
        shown = FailureKind.INTERRUPTED
    return format_html('<span class="chip" data-state="{}">{}</span>', shown, words.state_word(shown))


@register.simple_tag
def icon(name: str) -> SafeString:
    """A shape of icons.css beside a word; it says nothing by itself."""
    return format_html('<i class="icon" data-icon="{}" aria-hidden="true"></i>', name)


@register.simple_tag(takes_context=True)
def nav(context: Context, name: str, title: str) -> SafeString:
    """An entry of the bar, lit on its own page and on those below it."""
    match = context["request"].resolver_match
    current = lit(match.url_name or "" if match else "", name)
    said = format_html(' aria-current="{}"', current) if current else ""
    return format_html('<a href="{}"{}>{}</a>', reverse(name), said, title)


@register.simple_tag
def when(at: datetime | None) -> SafeString | str:
    """UTC here; the page's script says it in the reader's own time."""
    if at is None:
        return "—"
    utc = at.astimezone(UTC)
    stamp = utc.isoformat(timespec="seconds").replace("+00:00", "Z")
    return format_html('<time datetime="{}">{}</time>', stamp, f"{utc:%Y-%m-%d %H:%M} UTC")


@register.simple_tag
def took(start: datetime | None, end: datetime | None) -> SafeString | str:
    """How long it took; a clock that the page's script keeps running when it has not ended."""
    if start is None:
        return "—"
    if end is not None:
        return words.took(start, end)
    stamp = start.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return format_html('<span data-since="{}">since {} UTC</span>', stamp, f"{start:%H:%M}")


@register.filter
def type_words(media_types: Iterable[str]) -> str:
    """`CSV, TSV and Excel`, each once."""
    names = list(dict.fromkeys(words.type_word(t) for t in media_types))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@register.simple_tag
def kept(file: File, *, in_full: bool = False) -> SafeString:
    """How long, in words: it is on hold, goes soon, or has a date."""
    if file.hold:
        return format_html('<span class="held">{}</span>', "On hold" if in_full else "on hold")
    left = (file.expires_at - datetime.now(UTC)).days
    is_soon = left < settings.EXPIRY_WARNING_DAYS
    if in_full:
        said = f"{'Will be deleted on' if is_soon else 'Kept until'} {words.day(file.expires_at)}"
    else:
        said = f"{'goes' if is_soon else 'until'} {words.day(file.expires_at)}"
    form = '<span class="soon">{}</span>' if is_soon else "{}"
    return format_html(form, said)


@register.filter
def as_json(value: Any) -> str:
    """For an attribute that a script reads: the pages have no inline scripts, not even of data."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.filter
def word(state: str) -> str:
    return words.state_word(state)


@register.filter
def basis(estimate: str) -> str:
    """What an estimate of cost rests on."""
    return words.COST_BASES.get(estimate, "")


@register.filter
def percent(share: float) -> int:
    return int(share * 100)


@register.filter
def tail(identifier: Any) -> str:
    """The end of an id: a UUIDv7 begins with the time, the same for everything of one minute."""
    return str(identifier).replace("-", "")[-8:]


@register.filter
def prose(text: str) -> SafeString:
    """Paragraphs, with what stands in backticks as code: that much of Markdown our docstrings use."""
    return format_html_join("", "<p>{}</p>", ((_with_code(one),) for one in text.split("\n\n") if one.strip()))


def _with_code(text: str) -> SafeString:
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", said) if at % 2 else said,) for at, said in pieces)
    )
