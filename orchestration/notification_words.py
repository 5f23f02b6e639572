"""What notifications say, and where they lead, in the language and at the clock of whoever reads.

Pure: from their facts alone.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

from django.utils.translation import gettext, gettext_lazy, ngettext

from orchestration.figures import calendar_day, day, money, size_words, whole
from orchestration.sentences import said
from orchestration.states import BulkAction, NotificationKind, WaitingReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type Facts = Mapping[str, Any]


class Said(NamedTuple):
    title: str
    detail: str
    path: str
    """Of the page that shows more."""


KINDS: Final = {
    NotificationKind.JOB_FAILED: gettext_lazy("My job failed"),
    NotificationKind.JOB_ENDED: gettext_lazy("My job ended well"),
    NotificationKind.JOB_WAITS: gettext_lazy("My job waits for something that time does not mend"),
    NotificationKind.BULK_DONE: gettext_lazy("My bulk operation is done"),
    NotificationKind.FILE_TROUBLE: gettext_lazy("A file was quarantined or is damaged"),
    NotificationKind.FILES_GOING: gettext_lazy("My files will be deleted soon"),
    NotificationKind.BUDGET: gettext_lazy("The budget is nearly used up"),
    NotificationKind.QUOTA: gettext_lazy("The storage is nearly full"),
    NotificationKind.WEBHOOK_OFF: gettext_lazy("A webhook was given up"),
    NotificationKind.MEMBERS: gettext_lazy("Somebody joined, left or has another role"),
}
WAITS_FOR: Final = {
    WaitingReason.QUOTA: gettext_lazy("the storage quota"),
    WaitingReason.IMAGE: gettext_lazy("an image that cannot be had"),
    WaitingReason.MISCONFIGURED: gettext_lazy("something that is set up wrongly"),
    WaitingReason.PLATFORM: gettext_lazy("the platform"),
}
ACTIONS: Final = {
    BulkAction.CANCEL: gettext_lazy("cancel"),
    BulkAction.RETRY: gettext_lazy("retry"),
    BulkAction.RESUBMIT: gettext_lazy("resubmit"),
    BulkAction.RERUN: gettext_lazy("rerun"),
    BulkAction.LABEL: gettext_lazy("label"),
    BulkAction.PRIORITY: gettext_lazy("priority"),
}


def say(kind: str, count: int, data: Facts, *, workspace: str) -> Said:
    """`workspace` is its slug: a list is of the workspace that was chosen last, unless its address says another."""
    told = _SAYS[NotificationKind(kind)](count, data)
    if not told.path.startswith(_LISTS):
        return told
    return told._replace(path=f"{told.path}{'&' if '?' in told.path else '?'}workspace={workspace}")


def _jobs(count: int, data: Facts, one: str, many: str, state: str) -> Said:
    if count == 1:
        return Said(one, "", f"/jobs/{data['job']}/")
    query = urlencode({"q": f"state:{state} pipeline:{data['pipeline']}"})
    return Said(many, gettext("The last one: %(name)s") % data, f"/jobs/?{query}")


def _failed(count: int, data: Facts) -> Said:
    many = ngettext("%(n)s job of %(pipeline)s failed", "%(n)s jobs of %(pipeline)s failed", count)
    return _jobs(count, data, gettext("%(name)s failed") % data, many % _with(count, data), "failed")


def _ended(count: int, data: Facts) -> Said:
    many = ngettext("%(n)s job of %(pipeline)s ended", "%(n)s jobs of %(pipeline)s ended", count)
    return _jobs(count, data, gettext("%(name)s has ended") % data, many % _with(count, data), "succeeded")


def _waits(count: int, data: Facts) -> Said:
    what = WAITS_FOR.get(data["reason"], data["reason"])
    one = gettext("%(name)s waits for %(what)s") % {"name": data["name"], "what": what}
    many = ngettext("%(n)s job waits for %(what)s", "%(n)s jobs wait for %(what)s", count)
    path = f"/jobs/{data['job']}/" if count == 1 else f"/jobs/?{urlencode({'q': 'state:waiting'})}"
    return Said(one if count == 1 else many % {"n": whole(count), "what": what}, said(data["detail"]), path)


def _bulk(_count: int, data: Facts) -> Said:
    total = data["total"]
    done = ngettext(
        "Bulk operation done: %(action)s, %(total)s job", "Bulk operation done: %(action)s, %(total)s jobs", total
    )
    title = done % {"action": ACTIONS.get(data["action"], data["action"]), "total": whole(total)}
    refused = ngettext("%(n)s job was refused", "%(n)s jobs were refused", data["refused"])
    detail = refused % {"n": whole(data["refused"])} if data["refused"] else ""
    return Said(title, detail, f"/bulk/{data['bulk']}/")


def _file_trouble(count: int, data: Facts) -> Said:
    is_damaged = data["what"] == "damaged"
    if count == 1:
        one = gettext("%(name)s is damaged") if is_damaged else gettext("%(name)s was quarantined")
        return Said(one % data, said(data["detail"]), f"/files/{data['file']}/")
    if is_damaged:
        many = ngettext("%(n)s file is damaged", "%(n)s files are damaged", count)
    else:
        many = ngettext("%(n)s file was quarantined", "%(n)s files were quarantined", count)
    return Said(many % _with(count, data), gettext("The last one: %(name)s") % data, "/files/?kind=upload")


def _going(count: int, data: Facts) -> Said:
    data = {**data, "day": day(datetime.fromisoformat(data["at"])) if "at" in data else _day_of_old(data["day"])}
    one = gettext("%(name)s will be deleted on %(day)s") % data
    many = ngettext("%(n)s file will be deleted soon", "%(n)s files will be deleted soon", count)
    detail = gettext("The first on %(day)s. Extend them to keep them longer.") % data
    if count == 1:
        return Said(one, gettext("Extend it to keep it longer."), f"/files/{data['file']}/")
    return Said(many % _with(count, data), detail, "/files/?going=soon")


def _budget(_count: int, data: Facts) -> Said:
    if data["percent"] >= _ALL:
        title = gettext("The budget of this month is used up")
    else:
        title = gettext("%(percent)s %% of the budget of this month is used") % data
    if "used_usd" in data:
        data = {"used": money(Decimal(data["used_usd"])), "budget": money(Decimal(data["budget_usd"]))}
    return Said(title, gettext("%(used)s of %(budget)s") % data, "/files/usage/")


def _quota(_count: int, data: Facts) -> Said:
    full = gettext("The storage is full: nothing more can be uploaded")
    title = full if data["percent"] >= _ALL else gettext("%(percent)s %% of the storage is used") % data
    if "used_bytes" in data:
        data = {"used": size_words(data["used_bytes"]), "quota": size_words(data["quota_bytes"])}
    return Said(title, gettext("%(used)s of %(quota)s") % data, "/files/usage/")


def _webhook(_count: int, data: Facts) -> Said:
    title = gettext("A webhook was switched off: %(url)s") % data
    return Said(title, said(data["why"]), f"/webhooks/{data['webhook']}/")


def _members(_count: int, data: Facts) -> Said:
    says = {
        "joined": gettext("%(username)s has joined, as %(role)s"),
        "changed": gettext("%(username)s is %(role)s now"),
        "left": gettext("%(username)s has left"),
        "removed": gettext("%(username)s was removed"),
    }
    is_own = data["what"] in {"joined", "left"} or not data["by"]
    told = {**data, "role": gettext(data["role"])} if data.get("role") else data
    return Said(says[data["what"]] % told, "" if is_own else gettext("by %(by)s") % data, "/members/")


def _day_of_old(text: str) -> str:
    """Of a notification that knows no more than the day."""
    return calendar_day(date.fromisoformat(text))


def _with(count: int, data: Facts) -> dict[str, Any]:
    return {**data, "n": whole(count)}


_ALL: Final = 100
_LISTS: Final = ("/jobs/?", "/files/?", "/files/usage/", "/members/")
_SAYS: Final[dict[NotificationKind, Callable[[int, Facts], Said]]] = {
    NotificationKind.JOB_FAILED: _failed,
    NotificationKind.JOB_ENDED: _ended,
    NotificationKind.JOB_WAITS: _waits,
    NotificationKind.BULK_DONE: _bulk,
    NotificationKind.FILE_TROUBLE: _file_trouble,
    NotificationKind.FILES_GOING: _going,
    NotificationKind.BUDGET: _budget,
    NotificationKind.QUOTA: _quota,
    NotificationKind.WEBHOOK_OFF: _webhook,
    NotificationKind.MEMBERS: _members,
}
