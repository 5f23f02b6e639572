"""Invitations into a workspace: sent by its managers, accepted once, by somebody who is here or comes by them."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from orchestration.errors import Conflict, Forbidden, Invalid, NotFound
from orchestration.models import Invitation, Membership, User, Workspace
from orchestration.models.audit import write_audit
from orchestration.models.invitation import UNUSED
from orchestration.services.access import find_workspace
from orchestration.services.letters import send_invitation
from orchestration.services.member_notices import tell_of_member
from orchestration.states import AuditAction, Role

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

DAYS: Final = 7
MOST_OF_A_WORKSPACE: Final = 200
"""Unused at once: whoever manages a workspace must not have us write to everybody."""
MOST_LINKS: Final = 20
"""Sent to one address by one invitation: the same."""
NOWHERE: Final = (
    "This invitation leads nowhere: it is older than a week, was used or taken back, is not all of it, or is of "
    "somebody who does not manage the workspace any more."
)


def invite(*, user: User, email: str, role: str, workspace: str = "") -> Invitation:
    """Somebody who was invited and did not come yet gets a new link; the one before ends. Raises Invalid, Conflict."""
    if user.service_of_id is not None:
        raise Forbidden("A service account cannot invite people. Ask a person who manages the workspace.")
    here = find_workspace(user=user, slug=workspace, role=Role.MANAGER)
    address = _address(email)
    as_role = known_role(role)
    if Membership.objects.filter(workspace=here, user__email__iexact=address).exists():
        raise Conflict(f"{address} is in {here.name} already.")
    with transaction.atomic(durable=True):
        # Two managers at once would each make one, or each see room for one more.
        Workspace.objects.select_for_update(no_key=True).get(pk=here.pk)
        unused = Invitation.objects.unused().filter(workspace=here)
        again = unused.filter(email=address)
        fields = {"role": as_role, "invited_by": user, "expires_at": Now() + timedelta(days=DAYS)}
        if again.filter(sends__gte=MOST_LINKS).exists():
            raise Conflict(f"{address} was sent {MOST_LINKS} links. Take the invitation back before you send another.")
        if again.update(sends=F("sends") + 1, **fields):
            invitation: Invitation = again.get()
        elif _recent(here) >= MOST_OF_A_WORKSPACE:
            raise Conflict(
                f"{MOST_OF_A_WORKSPACE} invitations are unused or were taken back within a day. Wait until some of "
                "them are accepted, or take some back and come again tomorrow."
            )
        else:
            invitation = Invitation.objects.create(workspace=here, email=address, **fields)
        send_invitation(invitation=invitation)
        _audit(AuditAction.INVITED, invitation, by=user, after={"role": as_role})
    invitation.refresh_from_db()
    _note("sent", invitation, by=user)
    return invitation


def _recent(here: Workspace) -> int:
    # Taken back, they have been mailed all the same: without these the limit would end where somebody takes back.
    counted = UNUSED | Q(revoked_at__gt=Now() - timedelta(days=1))
    return int(Invitation.objects.filter(counted, workspace=here).count())


def _address(email: str) -> str:
    try:
        validate_email(email.strip())
    except ValidationError as exc:
        raise Invalid("That is no mail address.") from exc
    address = email.strip().casefold()
    if len(address) > (Invitation._meta.get_field("email").max_length or 0):  # noqa: SLF001  as below
        raise Invalid("That mail address is too long: it may have 254 characters.")
    return address


def known_role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError as exc:
        raise Invalid(f"There is no role {role}; there are {', '.join(Role)}.") from exc


def find_invitation(*, key: str) -> Invitation:
    """By the link. Raises NotFound."""
    found: Invitation | None = Invitation.objects.by_key(key).select_related("workspace", "invited_by").first()
    if found is None or not _stands(found):
        raise NotFound(NOWHERE)
    return found


def _stands(invitation: Invitation) -> bool:
    """Whoever sent it could still do so: else a manager who is removed comes back by a link that she kept."""
    by: User | None = invitation.invited_by
    return by is not None and by.is_active and bool(invitation.workspace.lets(by, Role.MANAGER))


@transaction.atomic(durable=True)
def revoke_invitation(*, user: User, invitation_id: UUID) -> None:
    rows = Invitation.objects.visible_to(user).filter(pk=invitation_id)
    if not rows.unused().update(revoked_at=Now()):
        raise NotFound("There is no such invitation that you may take back.")
    _audit(AuditAction.INVITATION_REVOKED, rows.select_related("workspace").get(), by=user)
    log.info("invitation revoked", extra={"invitation_id": str(invitation_id), "by": str(user.pk)})


@transaction.atomic(durable=True)
def accept(*, user: User, key: str) -> Workspace:
    """By somebody who is signed in, whatever her address: she has the link. Raises NotFound, Conflict, Forbidden."""
    if user.service_of_id is not None:
        raise Forbidden("A service account belongs to one workspace.")
    return _join(user, key)


def accept_as_new(*, key: str, username: str, password: str) -> tuple[User, Workspace]:
    """By somebody new, whose address the link has proven. Raises NotFound, Conflict, Invalid."""
    invitation = find_invitation(key=key)
    if User.objects.filter(email__iexact=invitation.email).exists():
        raise Conflict(f"There is an account with the address {invitation.email}. Sign in to it, then accept.")
    user = User(username=username.strip(), email=invitation.email)
    _check(user, password)
    user.set_password(password)
    try:
        with transaction.atomic(durable=True):
            user.save(force_insert=True)
            write_audit(
                AuditAction.ACCOUNT_CREATED, by=user, about=user, name=user.username, after={"by": "invitation"}
            )
            return user, _join(user, key)
    except IntegrityError as exc:
        raise Conflict(f"Somebody is called {user.username} already. Choose another name.") from exc


def _check(user: User, password: str) -> None:
    if "@" in user.username:
        raise Invalid("A user name has no @: with it are mail addresses and service accounts.")
    try:
        User._meta.get_field("username").clean(user.username, user)  # noqa: SLF001  Django's public API in spite of it
        validate_password(password, user)
    except ValidationError as exc:
        raise Invalid(" ".join(exc.messages)) from exc
    if User.objects.filter(username__iexact=user.username).exists():
        raise Conflict(f"Somebody is called {user.username} already. Choose another name.")


def _join(user: User, key: str) -> Workspace:
    # Two with the same link: the second waits here and finds it used.
    rows = Invitation.objects.by_key(key).select_for_update(of=("self",)).select_related("workspace", "invited_by")
    invitation = rows.first()
    if invitation is None or not _stands(invitation):
        raise NotFound(NOWHERE)
    here: Workspace = invitation.workspace
    _, is_new = Membership.objects.get_or_create(workspace=here, user=user, defaults={"role": invitation.role})
    if not is_new:
        raise Conflict(f"You are in {here.name} already.")
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=Now(), accepted_by=user)
    tell_of_member("joined", here, user, by=user, role=invitation.role)
    _note("accepted", invitation, by=user)
    after = {"role": invitation.role, "invitation": invitation.pk, "by": "invitation"}
    write_audit(AuditAction.MEMBER_ADDED, by=user, workspace=here, about=user, name=user.username, after=after)
    return here


def _audit(action: AuditAction, invitation: Invitation, *, by: User, **said: Any) -> None:
    write_audit(action, by=by, workspace=invitation.workspace, about=invitation, name=invitation.email, **said)


def _note(what: str, invitation: Invitation, *, by: User) -> None:
    extra = {"invitation_id": str(invitation.pk), "workspace": str(invitation.workspace_id), "by": str(by.pk)}
    log.info("invitation %s", what, extra=extra | {"role": invitation.role})
