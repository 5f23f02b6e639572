"""Whether people may still see what they watch: asked for all of them at once, each time before something is sent.

The rules are not said again here. What a permission rests on is noted before it is asked for in full; as long as none
of that has changed it stands, and where anything has, the person is asked for in full again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allauth.mfa.models import Authenticator
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.db.models.functions import JSONObject, Now

from orchestration.models import Membership, User
from orchestration.services.second_factor import FACTORS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    type Grounds = tuple[object, ...]


class Person(NamedTuple):
    session_key: str
    user_id: UUID


def grounds_of(people: Iterable[Person]) -> dict[Person, Grounds]:
    """Of those who are signed in. Two queries, however many they are."""
    wanted = set(people)
    sessions = Session.objects.filter(session_key__in={one.session_key for one in wanted}, expire_date__gt=Now())
    signed_in = dict(sessions.values_list("session_key", "session_data"))
    users = _of_users({one.user_id for one in wanted})
    return {
        one: (signed_in[one.session_key], *users[one.user_id])
        for one in wanted
        if one.session_key in signed_in and one.user_id in users
    }


def _of_users(ids: set[UUID]) -> dict[UUID, Grounds]:
    mine = Membership.objects.filter(user=OuterRef("pk")).order_by("pk")
    users = User.objects.filter(pk__in=ids).annotate(
        roles=ArraySubquery(mine.values(role_in=JSONObject(workspace="workspace_id", role="role"))),
        must_have=Exists(mine.filter(workspace__needs_second_factor=True)),
        has_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)),
    )
    rests_on = ("password", "is_active", "is_staff", "is_superuser", "roles", "must_have", "has_factor")
    return {user_id: tuple(rest) for user_id, *rest in users.values_list("pk", *rests_on)}
