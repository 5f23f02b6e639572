"""Reading the audit log: by its workspace's managers and by administrators, as a page, as a stream, and to prove it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, Max, OuterRef, Q
from django.db.models.functions import Coalesce

from orchestration.errors import Conflict, Forbidden, Invalid
from orchestration.execution.audit_anchors import anchors
from orchestration.models import AuditEntry, AuditSeal, User, Workspace
from orchestration.models.audit import NO_DIGEST, AuditEntryQuerySet, write_audit
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from orchestration.execution.audit_anchors import Anchor

AT_ONCE: Final = 1_000
LOOKED_THROUGH: Final = 100_000
DIGEST_LETTERS: Final = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: of a workspace, from a time on and before another, with these words at the start of the action."""

    workspace: Workspace | None = None
    since: datetime | None = None
    until: datetime | None = None
    action: str = ""

    def of(self, entries: AuditEntryQuerySet) -> AuditEntryQuerySet:
        if self.workspace:
            entries = entries.filter(workspace_id=self.workspace.pk)
        if self.since:
            entries = entries.filter(at__gte=self.since)
        if self.until:
            entries = entries.filter(at__lt=self.until)
        return entries.filter(action__startswith=self.action) if self.action else entries


def entries_of(*, user: User, wanted: Wanted) -> AuditEntryQuerySet:
    """The newest first."""
    visible: AuditEntryQuerySet = AuditEntry.objects.visible_to(user)
    return wanted.of(visible).order_by("-id")


def find_entries(entries: QuerySet[AuditEntry], text: str, *, most: int) -> QuerySet[AuditEntry]:
    """By a whole user name, workspace, request id or id of what it is about, or by how an action begins.

    The newest `most` of each: found one by one, as together no index finds them. Names of users and workspaces that
    are gone are looked for among the newest LOOKED_THROUGH entries.
    """
    wanted = text.strip()
    if not wanted:
        return entries
    people = User.objects.filter(username__iexact=wanted).values_list("pk", flat=True)
    places = Workspace.objects.filter(slug__iexact=wanted).values_list("pk", flat=True)
    last = AuditEntry.objects.aggregate(last=Coalesce(Max("pk"), 0))["last"]
    ways = [
        *(Q(actor_id=person) for person in people),
        *(Q(workspace_id=place) for place in places),
        *(Q(action=action) for action in AuditAction if action.startswith(wanted.lower())),
        Q(request_id=wanted) & ~Q(request_id=""),
        Q(subject_id=wanted) & ~Q(subject_id=""),
        Q(pk__gt=last - LOOKED_THROUGH) & (Q(actor__iexact=wanted) | Q(workspace__iexact=wanted)),
    ]
    found = {pk for way in ways for pk in entries.filter(way).order_by("-id").values_list("pk", flat=True)[:most]}
    return entries.filter(pk__in=sorted(found)[-most:])


def export(*, user: User, wanted: Wanted) -> Iterator[str]:
    """JSON Lines in the order of their ids. That somebody took them is an entry itself. Raises Forbidden."""
    workspace = wanted.workspace
    if not user.sees_all and (workspace is None or not _manages(user, workspace)):
        raise Forbidden("Only a manager of the workspace takes its audit log.")
    after = {
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
        "action": wanted.action,
    }
    write_audit(AuditAction.AUDIT_EXPORTED, by=user, workspace=workspace, after=after)
    return stream(wanted)


def stream(wanted: Wanted) -> Iterator[str]:
    """For whoever has the machine. Many lines at a time: of millions, no more than these are in memory."""
    entries: AuditEntryQuerySet = wanted.of(AuditEntry.objects.all()).order_by("id")
    last = 0
    while found := list(entries.filter(pk__gt=last)[:AT_ONCE]):
        yield "".join(json.dumps(entry.told()) + "\n" for entry in found)
        last = found[-1].pk


def _manages(user: User, workspace: Workspace) -> bool:
    return bool(Workspace.objects.managed_by(user).filter(pk=workspace.pk).exists())


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` says what is wrong at the first place where anything is; "" where the chain holds.

    `anchor` is the last seal that holds. `unsealed` entries are in no chain yet; `oldest` of them is from then.
    """

    sealed: int
    anchor: str
    broken: str
    unsealed: int
    oldest: datetime | None


def verify(*, anchor: str = "", kept: Sequence[Anchor] = ()) -> Verdict:
    """`anchor`, as an earlier look or the log has said it, and those in `kept` must lie on the chain.

    Raises Invalid for a text that is none.
    """
    noted = _noted(anchor, kept)
    sealed, digest, broken = 0, NO_DIGEST, ""
    for seal, entry in _chain():
        broken = _wrong(seal, entry, sealed + 1, digest)
        if not broken and (other := noted.get(seal.position, {}).keys() - {seal.digest}):
            by = noted[seal.position][min(other)]
            broken = f"seal {seal.position} is not the one that was noted{by}: the chain was written anew"
        if broken:
            break
        sealed, digest = seal.position, seal.digest
    if not broken and noted and (last := max(noted)) > sealed:
        by = next(iter(noted[last].values()))
        broken = f"the chain ends at seal {sealed}, and seal {last} was noted{by}: its end was cut off"
    left = AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))
    oldest = left.order_by("at").values_list("at", flat=True).first()
    return Verdict(sealed, f"{sealed}:{digest}", broken, left.count(), oldest)


def _wrong(seal: AuditSeal, entry: AuditEntry | None, expected: int, previous: str) -> str:
    if seal.position != expected:
        return f"seal {expected} is missing"
    if entry is None:
        return f"entry {seal.entry_id} is missing, which seal {seal.position} is over"
    if entry.digest(previous) != seal.digest:
        return f"entry {entry.pk} ({entry.action}) or its seal {seal.position} was changed"
    return ""


def _chain() -> Iterator[tuple[AuditSeal, AuditEntry | None]]:
    last = 0
    while seals := list(AuditSeal.objects.filter(position__gt=last).order_by("position")[:AT_ONCE]):
        entries = AuditEntry.objects.in_bulk([seal.entry_id for seal in seals])
        for seal in seals:
            yield seal, entries.get(seal.entry_id)
        last = seals[-1].position


def kept_anchors(*, but: Collection[int] = ()) -> list[Anchor]:
    """Those in the storage, without numbers that somebody vouches for. Raises Conflict where one was taken away."""
    found = []
    for number, one in enumerate(anchors(), start=1):
        if number in but:
            continue
        if one is None:
            raise Conflict(f"Anchor {number} is missing in the storage of results, and later ones are there.")
        found.append(one)
    return found


def _noted(anchor: str, kept: Sequence[Anchor]) -> dict[int, dict[str, str]]:
    """By position: each digest that was noted, and how it is called."""
    noted: dict[int, dict[str, str]] = {}
    for one in kept:
        noted.setdefault(one.position, {})[one.digest] = f" as anchor {one.number} ({one.at})"
    if anchor:
        position, digest = _read(anchor)
        noted.setdefault(position, {})[digest] = ""
    return noted


def _read(anchor: str) -> tuple[int, str]:
    position, _, digest = anchor.partition(":")
    if not (position.isascii() and position.isdigit() and len(digest) == DIGEST_LETTERS):
        raise Invalid("An anchor is a number, a colon and 64 letters of a digest, as `audit verify` prints it.")
    return int(position), digest
