"""API tokens: made, asked for at every call, rotated, revoked. Their form: `token_format`."""

from __future__ import annotations

import ipaddress
import logging
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Least, Now
from django.utils import timezone

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound, SecondFactorNeeded
from orchestration.models import ApiToken, User, Workspace
from orchestration.models.audit import write_audit
from orchestration.models.ready import Ready
from orchestration.services.access import find_workspace
from orchestration.services.second_factor import FACTORS
from orchestration.services.token_format import TYPO, digest, is_well_formed, new_token, public_part
from orchestration.states import AuditAction, TokenKind

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

log = logging.getLogger(__name__)

LACKS: Final = (
    "A workspace of yours asks its members for a second factor, and you have none. Set one up in the browser, under "
    "Your account: then this token works again."
)

SCOPES: Final = ("read", "upload", "run", "admin")
MAX_DAYS: Final = 366
OVERLAP_HOURS: Final = 24
LONGEST_OVERLAP_HOURS: Final = 168


@transaction.atomic(durable=True)
def issue(
    *,
    user: User,
    name: str,
    scopes: tuple[str, ...] = SCOPES[:3],
    days: int = 90,
    workspace: str = "",
    by: User | None = None,
) -> tuple[ApiToken, str]:
    """The row and the token itself, which is shown this once. With a `workspace` it opens that one alone.

    `by` is a manager, where it is a service account's.

    Raises Invalid, NotFound.
    """
    if not name.strip():
        raise Invalid("Give the token a name, so that you know it again.")
    if unknown := set(scopes) - set(SCOPES):
        raise Invalid(f"Unknown scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}.")
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(f"A token lasts 1 to {MAX_DAYS} days.")
    made = _create(
        user=user,
        name=name.strip()[:200],
        scopes=list(scopes),
        expires_at=Now() + timedelta(days=days),
        workspace=_place(user, workspace),
    )
    after = {"scopes": list(scopes), "expires_at": made[0].expires_at}
    _audit(AuditAction.TOKEN_CREATED, made[0], by=by or user, after=after)
    return made


def _place(user: User, slug: str) -> Workspace | None:
    """Whoever is held to one workspace makes tokens for that one only."""
    if user.service_of is not None:
        return user.service_of
    return find_workspace(user=user, slug=slug) if slug or user.bound_to else None


def _create(*, user: User, **fields: object) -> tuple[ApiToken, str]:
    kind = TokenKind.PERSONAL if user.service_of_id is None else TokenKind.SERVICE
    token = new_token(kind)
    row = ApiToken.objects.create(
        user=user, kind=kind, public_id=public_part(token), secret_hash=digest(token), **fields
    )
    row.refresh_from_db()
    return row, token


def authenticate(*, token: str, address: str = "") -> ApiToken | None:
    """The token's row with its user, if it is valid now and the user may still act. `address` is where it came from."""
    row = valid_token(token=token)
    if row is None:
        return None
    _note_use(row, address)
    return _held(row)


def valid_token(*, token: str) -> ApiToken | None:
    """The row with its user, of one that has not ended. This lets nobody in, and is no use of it."""
    found = VALID_TOKEN(public_id=public_part(token)) if is_well_formed(token) else ()
    return found[0] if found and _is_of(found[0], token) else None


def find_valid(*, token_id: UUID) -> ApiToken | None:
    """Of somebody who has shown it: whether it is still good."""
    row = _valid().filter(pk=token_id).first()
    return None if row is None else _held(row)


def _held(row: ApiToken) -> ApiToken:
    """From here on the user is held to the token's workspace: `visible_to` and `role_of` look at it.

    Raises SecondFactorNeeded: what a workspace asks of its members before they see a page of it, it asks here too.
    """
    if row.__dict__["lacks_second_factor"]:
        raise SecondFactorNeeded(LACKS)
    row.user.bound_to = row.workspace_id
    return row


def _valid() -> QuerySet[ApiToken]:
    asked = {"lacks_second_factor": _lacks_second_factor()}
    return ApiToken.objects.valid().select_related("user").annotate(**asked)


def _lacks_second_factor() -> Q:
    asking = Workspace.objects.filter(memberships__user=OuterRef("user"), needs_second_factor=True)
    has_one = User.objects.filter(pk=OuterRef("user"), authenticator__type__in=FACTORS)
    # Whoever has no password here is asked for more where she signs in; so is no program.
    where = Q(Exists(asking.filter(pk=OuterRef("workspace")))) | Q(Exists(asking), workspace__isnull=True)
    return where & ~Q(Exists(has_one)) & ~Q(user__password__startswith=UNUSABLE_PASSWORD_PREFIX)


VALID_TOKEN: Final = Ready(lambda public_id: _valid().filter(public_id=public_id), public_id=str)


def _by_secret(rows: QuerySet[ApiToken], token: str) -> ApiToken | None:
    row = rows.filter(public_id=public_part(token)).first()
    return row if row is not None and _is_of(row, token) else None


def _is_of(row: ApiToken, token: str) -> bool:
    return secrets.compare_digest(bytes(row.secret_hash), digest(token))


def _note_use(row: ApiToken, address: str) -> None:
    """At most one write a minute for each token."""
    minute = timedelta(minutes=1)
    if row.last_used_at is None or timezone.now() - row.last_used_at > minute:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - minute)
        rows = ApiToken.objects.filter(stale, pk=row.pk)
        seen, known = _ip(address), row.last_used_ip
        with transaction.atomic():
            if rows.update(last_used_at=Now(), last_used_ip=seen) and known and seen and seen != known:
                _audit(AuditAction.TOKEN_MOVED, row, by=row.user, before={"address": known}, after={"address": seen})


def _ip(address: str) -> str | None:
    """None for what is none, such as the end of a Unix socket; PostgreSQL would refuse it, and a zone."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return None


@transaction.atomic(durable=True)
def rotate(
    *, user: User, token_id: UUID, by: ApiToken | None = None, overlap_hours: int = OVERLAP_HOURS
) -> tuple[ApiToken, str]:
    """A new token that may do the same, and its text, shown this once. The old one works for the overlap, no longer.

    `by` is the token that asks, if one does. Raises Invalid, Conflict, Forbidden, NotFound.
    """
    if not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
        raise Invalid(f"The old token may work for 0 to {LONGEST_OVERLAP_HOURS} hours more.")
    # Two at once would each make a successor.
    rows = ApiToken.objects.visible_to(user).select_for_update(of=("self",)).select_related("user", "workspace")
    old = rows.filter(pk=token_id).first()
    if old is None:
        raise NotFound("You have no such token.")
    if by is not None:
        _may_rotate(by, old)
    if not ApiToken.objects.valid().filter(pk=old.pk).exists():
        raise Conflict("This token has ended. Make a new one.")
    if ApiToken.objects.filter(replaces=old).exists():
        raise Conflict("This token was rotated before. Rotate the one that took its place.")
    # A token must not prolong itself: who has found one would keep it for ever.
    keeps_end = by is not None and "admin" not in by.scopes
    end = old.expires_at if keeps_end else Now() + (old.expires_at - old.created_at)
    made = _create(
        user=old.user, name=old.name, scopes=old.scopes, expires_at=end, workspace=old.workspace, replaces=old
    )
    until = Least("expires_at", Now() + timedelta(hours=overlap_hours))
    ApiToken.objects.filter(pk=old.pk).update(expires_at=until)
    _note("rotated", old, overlap_hours=overlap_hours)
    after = {"successor": made[0].start, "overlap_hours": overlap_hours}
    _audit(AuditAction.TOKEN_ROTATED, old, by=user, after=after)
    return made


def _may_rotate(by: ApiToken, old: ApiToken) -> None:
    if by.pk != old.pk and "admin" not in by.scopes:
        raise Forbidden("This token may rotate only itself; others need the scope `admin`.")
    if beyond := set(old.scopes) - set(by.scopes):
        raise Forbidden(f"A token cannot make one that may do more: {', '.join(sorted(beyond))}.")


@transaction.atomic(durable=True)
def revoke(*, user: User, token_id: UUID, by: User | None = None) -> None:
    """Of a token that `user` may see; `by` an administrator, where one does it for her."""
    mine = ApiToken.objects.visible_to(user).filter(pk=token_id)
    if not mine.filter(revoked_at__isnull=True).update(revoked_at=Now()):
        raise NotFound("You have no such token.")
    _audit(AuditAction.TOKEN_REVOKED, mine.select_related("user", "workspace").get(), by=by or user)


@transaction.atomic(durable=True)
def revoke_leaked(*, token: str, address: str = "") -> None:
    """By anybody who has it: that is the proof. Any number of times. Raises Invalid, NotFound."""
    if not is_well_formed(token):
        raise Invalid(TYPO)
    row = _by_secret(ApiToken.objects.all(), token)
    if row is None:
        raise NotFound("No token of this platform has this text. Is it of another one?")
    if ApiToken.objects.filter(pk=row.pk, revoked_at__isnull=True).update(revoked_at=Now(), revoked_why="leaked"):
        _note("reported as leaked", row, address=address)
        _audit(AuditAction.TOKEN_REVOKED, row, by=None, after={"why": "leaked"})


def _audit(action: AuditAction, row: ApiToken, *, by: User | None, **said: Any) -> None:
    name = f"{row.name} ({row.start}) of {row.user.username}"
    write_audit(action, by=by, workspace=row.workspace or row.user.service_of, about=row, name=name, **said)


def _note(what: str, row: ApiToken, **more: object) -> None:
    log.info("token %s", what, extra={"user_id": str(row.user_id), "token_id": str(row.pk), **more})
