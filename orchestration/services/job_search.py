"""The one filter language of jobs: in the web, in the admin, over REST and on the command line (docs/filters.md)."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.utils import timezone

from orchestration.errors import Invalid
from orchestration.ids import first_id, uuid_or_none
from orchestration.models import PipelineVersion, User, Workspace
from orchestration.search import Term, parse, quoted, wrong
from orchestration.states import JOB_FINISHED, JOB_UNFINISHED, FailureKind, JobState, WaitingReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.db.models import QuerySet

    from orchestration.models import Job

_WITHOUT_INDEX: Final = frozenset({"priority", "started"})
_WORDS: Final = frozenset({"", "name"})
_INDEXED_LETTERS: Final = 3
"""So many of a word in a row, or more, are what its index is of (trigrams)."""
_SEVERAL_STATES: Final = {
    "open": Q(state__in=JOB_UNFINISHED),
    "ended": Q(state__in=JOB_FINISHED),
    "canceling": Q(state__in=JOB_UNFINISHED, cancel_requested_at__isnull=False),
}
_OPERATORS: Final = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}
_COMPARED: Final = re.compile(r"(?P<operator>[<>]=?)?(?P<value>.+)", re.DOTALL)
_AWAY: Final = re.compile(r"(?P<sign>[+-])(?P<number>[0-9]{1,4})(?P<unit>[smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
CLOCKS_ARE_OFF: Final = timedelta(hours=1)
"""At most: ids are made by the clock of a process, times by that of the database."""
WHEN: Final = (
    "a day like 2026-11-29, a time like 2026-11-29T08:00Z, -7d for seven days ago, or +2h for in two hours"
    " (s, m, h, d, w)"
)


def find_jobs(jobs: QuerySet[Job], text: str, *, user: User) -> QuerySet[Job]:
    """Those that fit every term. Raises Invalid with the place in `text` and what to do."""
    for term in parse(text):
        fits = reduce(operator.or_, (_of(term, value, user) for value in term.values))
        jobs = jobs.exclude(fits) if term.is_not else jobs.filter(fits)
    return jobs


def reads_on(text: str) -> bool:
    """Whether a term is of what no index over all workspaces finds, so that all jobs are read where few fit."""
    try:
        terms = parse(text)
    except Invalid:
        return False
    found = [_has_index(term) for term in terms if not term.is_not]
    # What is left when some are taken away may be few as well, unless an index has chosen before.
    return not all(found) or (len(found) < len(terms) and not found)


def _has_index(term: Term) -> bool:
    if term.key in _WORDS:
        return all(len(value) >= _INDEXED_LETTERS for value in term.values)
    return term.key not in _WITHOUT_INDEX


def _of(term: Term, value: str, user: User) -> Q:
    condition = _KEYS.get(term.key)
    if condition is None:
        raise wrong(
            term.at,
            f"{term.key} is no filter. There are {', '.join(sorted(filter(None, _KEYS)))}. "
            "To look for it as text, put it in double quotes.",
        )
    return condition(term, value, user)


def _text(_term: Term, value: str, _user: User) -> Q:
    if job_id := uuid_or_none(value):
        return Q(pk=job_id)
    return (
        _named(value)
        | _one_of_these("pipeline_version", PipelineVersion.objects.filter(pipeline__name__icontains=value))
        | _by(value)
    )


def _named(value: str) -> Q:
    """The index is of names that are not empty, which has to be said."""
    named = Q(name__icontains=value)
    return named & ~Q(name="") if value else named


def _by(username: str) -> Q:
    return _one_of_these("created_by", User.objects.filter(username=username))


def _one_of_these(field: str, rows: QuerySet[Any]) -> Q:
    """Their ids are asked for ahead: how many jobs have these PostgreSQL knows, of what it joins it does not."""
    return Q(**{f"{field}__in": list(rows.values_list("pk", flat=True))})


def _name(_term: Term, value: str, _user: User) -> Q:
    return _named(value)


def _state(term: Term, value: str, _user: User) -> Q:
    if (several := _SEVERAL_STATES.get(value.lower())) is not None:
        return several
    return Q(state=_one_of(term, value, JobState, *_SEVERAL_STATES))


def _pipeline(_term: Term, value: str, _user: User) -> Q:
    name, _, version = value.partition("@")
    versions = PipelineVersion.objects.filter(pipeline__name=name)
    return _one_of_these("pipeline_version", versions.filter(version=version) if version else versions)


def _label(_term: Term, value: str, _user: User) -> Q:
    key, is_given, wanted = value.partition("=")
    has_it = Q(labels__contains={key: wanted}) if is_given else Q(labels__has_key=key)
    return has_it & ~Q(labels={})  # said in so many words, as the index is of these alone


def label_filter(key: str, value: str) -> str:
    """What finds the jobs with this label; "" for one that cannot be written as a term."""
    if "=" in key:
        return ""
    return f"label:{quoted(f'{key}={value}' if value else key)}"


def _owner(_term: Term, value: str, user: User) -> Q:
    return Q(created_by=user) if value == "me" else _by(value)


def _priority(term: Term, value: str, _user: User) -> Q:
    compared, number = _compared(value)
    if not re.fullmatch(r"-?[0-9]{1,4}", number):
        raise wrong(term.at, f"{value} is no priority. Write a number from -100 to 100, or >0 for all above it.")
    return Q(**{f"priority__{compared or 'exact'}": int(number)})


def _time(field: str) -> Callable[[Term, str, User], Q]:
    def condition(term: Term, value: str, _user: User) -> Q:
        begin, is_span, end = value.partition("..")
        if is_span:
            return Q(**{f"{field}__gte": _moment(term, begin)[0], f"{field}__lt": _moment(term, end)[1]})
        compared, given = _compared(value)
        first, after = _moment(term, given)
        if not compared:
            if first == after:
                raise wrong(term.at, f"Write {term.key}:>{given} for later than that, or {term.key}:<{given}.")
            return Q(**{f"{field}__gte": first, f"{field}__lt": after})
        if first != after and compared in {"gt", "lte"}:  # a whole day is over when the next one begins
            return Q(**{f"{field}__gte": after}) if compared == "gt" else Q(**{f"{field}__lt": after})
        return Q(**{f"{field}__{compared}": first})

    return condition


def _created(term: Term, value: str, user: User) -> Q:
    """Ids are in the order of creation, and have the index that the time has not."""
    found = _time("created_at")(term, value, user)
    for name, at in list(found.children):  # type: ignore[misc]
        try:
            if name in {"created_at__gte", "created_at__gt"}:
                found &= Q(pk__gte=first_id(at - CLOCKS_ARE_OFF))
            else:
                found &= Q(pk__lt=first_id(at + CLOCKS_ARE_OFF))
        except OverflowError:  # at an end of all time, beyond which is no id to look for
            continue
    return found


def _moment(term: Term, value: str) -> tuple[datetime, datetime]:
    """When it begins and when it is over, in UTC: the same for a moment, a day apart for a day."""
    if away := _AWAY.fullmatch(value):
        moment = timezone.now() + timedelta(**{_UNITS[away["unit"]]: int(away["sign"] + away["number"])})
        return moment, moment
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        return moment, moment + timedelta(days=1) if _DAY.fullmatch(value) else moment
    except (ValueError, OverflowError) as exc:
        raise wrong(term.at, f"{value or 'Nothing'} is no time. Write {WHEN}.") from exc


def _compared(value: str) -> tuple[str, str]:
    found = _COMPARED.fullmatch(value)
    if found is None:
        return "", value
    return _OPERATORS.get(found["operator"] or "", ""), found["value"]


def _one_of(term: Term, value: str, known: Iterable[str], *more: str) -> str:
    by_name = {str(one).lower(): str(one) for one in known}
    found = by_name.get(value.lower().replace("-", "_"))
    if found is None:
        names = ", ".join([*(name.replace("_", "-") for name in by_name), *more])
        raise wrong(term.at, f"{value} is no {term.key}. There are {names}.")
    return found


def _known(field: str, known: Iterable[str]) -> Callable[[Term, str, User], Q]:
    return lambda term, value, _user: Q(**{field: _one_of(term, value, known)})


def _workspace(_term: Term, value: str, _user: User) -> Q:
    return _one_of_these("workspace", Workspace.objects.filter(slug=value))


_KEYS: Final[dict[str, Callable[[Term, str, User], Q]]] = {
    "": _text,
    "state": _state,
    "pipeline": _pipeline,
    "label": _label,
    "owner": _owner,
    "workspace": _workspace,
    "name": _name,
    "failure": _known("failure_kind", FailureKind),
    "waiting": _known("waiting_reason", WaitingReason),
    "priority": _priority,
    "created": _created,
    "started": _time("started_at"),
    "finished": _time("finished_at"),
    "deadline": _time("deadline"),
}
