"""What templates say the same way everywhere: states, sizes, times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from frontend_app import words
from frontend_app.navigation import lit
from orchestration import figures
from orchestration.sentences import said
from orchestration.states import FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.template import Context
    from django.utils.safestring import SafeString

    from orchestration.models import File, Job

register = template.Library()

register.filter("size", figures.size_words)
register.filter("type_word", words.type_word)
register.filter("check_word", words.check_word)
register.filter("failure", words.failure_of)
register.filter("waiting", words.waiting_sentence)
register.filter("in_short", words.job_said)
register.filter("day", figures.day)
register.filter("days_left", words.days_left)
register.filter("file_event", words.file_event)
register.filter("dollars", figures.money)
register.filter("duration", words.duration_words)
register.filter("said", said)
register.filter("role", words.role_word)
register.filter("event_kind", words.event_kind)
register.filter("file_kind", words.file_kind)
register.filter("file_kinds", words.file_kinds)
register.filter("files", words.files)
register.filter("jobs", words.jobs)
register.filter("at_most", words.at_most)
register.filter("days", words.days)
register.filter("downloads", words.downloads)


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
    """In the reader's zone, or UTC where she chose none; then the page's script says it in the browser's."""
    if at is None:
        return "—"
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    local = timezone.localtime(at)
    said_at = f"{formats.date_format(local, 'SHORT_DATETIME_FORMAT')} {local:%Z}"
    return format_html('<time datetime="{}">{}</time>', stamp, said_at)


@register.simple_tag
def took(start: datetime | None, end: datetime | None) -> SafeString | str:
    """How long it took; a clock that the page's script keeps running when it has not ended."""
    if start is None:
        return "—"
    if end is not None:
        return words.took(start, end)
    stamp = start.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    began = f"{timezone.localtime(start):%H:%M %Z}"
    return format_html('<span data-since="{}">{}</span>', stamp, _("since %(time)s") % {"time": began})


@register.filter
def type_words(media_types: Iterable[str]) -> str:
    """`CSV, TSV and Excel`, each once."""
    names = list(dict.fromkeys(words.type_word(t) for t in media_types))
    if len(names) == 1:
        return names[0]
    return _("%(several)s and %(last)s") % {"several": ", ".join(names[:-1]), "last": names[-1]}


@register.simple_tag
def kept(file: File, *, in_full: bool = False) -> SafeString:
    """How long, in words: it is on hold, goes soon, or has a date."""
    if file.hold:
        return format_html('<span class="held">{}</span>', _("On hold") if in_full else _("on hold"))
    left = (file.expires_at - datetime.now(UTC)).days
    is_soon = left < settings.EXPIRY_WARNING_DAYS
    if in_full:
        sentence = _("Will be deleted on %(day)s") if is_soon else _("Kept until %(day)s")
    else:
        sentence = _("goes %(day)s") if is_soon else _("until %(day)s")
    form = '<span class="soon">{}</span>' if is_soon else "{}"
    return format_html(form, sentence % {"day": figures.day(file.expires_at)})


@register.filter
def as_json(value: Any) -> str:
    """For an attribute that a script reads: the pages have no inline scripts, not even of data."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.filter
def plainly(value: Any) -> str:
    """A value of JSON as people say it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(plainly, value)) or "—"
    return "—" if value is None or value == "" else str(value)


@register.filter
def word(state: str) -> str:
    return words.state_word(state)


@register.filter
def basis(estimate: str) -> str:
    """What an estimate of cost rests on."""
    return str(words.COST_BASES.get(estimate, ""))


@register.filter
def percent(share: float) -> int:
    return int(share * 100)


@register.filter
def tail(identifier: Any) -> str:
    """The end of an id: a UUIDv7 begins with the time, the same for everything of one minute."""
    return str(identifier).replace("-", "")[-8:]


@register.filter
def called(job: Job) -> str:
    """What a job is called where it has no name: its pipeline and the end of its id."""
    return job.name or f"{job.pipeline_version.pipeline.name} {tail(job.pk)}"


@register.filter
def prose(text: str) -> SafeString:
    """Paragraphs, with what stands in backticks as code: that much of Markdown our docstrings use."""
    return format_html_join("", "<p>{}</p>", ((_with_code(one),) for one in text.split("\n\n") if one.strip()))


def _with_code(text: str) -> SafeString:
    pieces = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", said) if at % 2 else said,) for at, said in pieces)
    )
