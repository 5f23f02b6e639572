"""What the audit log tells of people's accounts, wherever they are signed in to or changed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestration.errors import Forbidden
from orchestration.models import User
from orchestration.models.audit import write_audit
from orchestration.states import AuditAction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.errors import OrchestrationError
    from orchestration.models import ApiToken


def note_account(action: AuditAction, *, user: User, how: str = "") -> None:
    write_audit(action, by=user, about=user, name=user.username, after={"how": how} if how else None)


def note_failed_sign_in(*, login: str) -> None:
    """Only of an account that is there: what else stands in the field may be somebody's password."""
    field = "email__iexact" if "@" in login else "username__iexact"
    user = User.objects.filter(**{field: login}).first() if login else None
    write_audit(AuditAction.SIGN_IN_FAILED, by=None, about=user, name=user.username if user else "")


@contextmanager
def refusals_noted(*, user: User, what: str) -> Iterator[None]:
    """Of a page. In a transaction of its own: the one that was refused is undone."""
    try:
        yield
    except Forbidden as exc:
        note_refusal(user=user, what=what, exc=exc)
        raise


def note_refusal(*, user: User, what: str, exc: OrchestrationError, token: ApiToken | None = None) -> None:
    """What a role, a quota or a budget does not allow, or the token she came with. `what` is a method and a route."""
    write_audit(
        AuditAction.REFUSED, by=user, workspace=(token and token.workspace) or user.service_of,
        about=token, name=str(token or ""),
        after={"what": what, "code": exc.code, "why": str(exc)},
    )  # fmt: skip
