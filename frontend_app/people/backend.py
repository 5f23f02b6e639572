"""Whose password it is: as django-allauth finds people, but also those whose rows are older than its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend

from orchestration.models import User

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


class Backend(AuthenticationBackend):
    def _authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002  allauth's signature
        **credentials: Any,
    ) -> AbstractBaseUser | None:
        # What is typed comes as both. Asked of each, a password would take twice as long for addresses of accounts,
        # and so tell which there are (SEC-023): everybody's is looked at once.
        logins = {str(login) for name in ("username", "email") if (login := credentials.get(name))}
        people = [one for login in logins for one in people_of(login)]
        password = str(credentials["password"])
        return next((one for one in dict.fromkeys(people) if self._check_password(one, password)), None)


def people_of(login: str) -> list[User]:
    """Whom somebody may mean who types this."""
    return list(dict.fromkeys([*_addressed(login), *_named(login)]))


def _addressed(login: str) -> list[User]:
    """Also in upper case, where allauth does not look: administrators enter addresses as people write them."""
    found = User.objects.filter(email__iexact=login).order_by("pk")
    return [one for one in found if one.email.lower() == login.lower()]


def _named(login: str) -> list[User]:
    """Of names that differ only by case, which older versions let in, allauth would take none at all."""
    found = User.objects.filter(username__iexact=login)
    alike = [one for one in found if one.username.lower() == login.lower()]
    return [one for one in alike if one.username == login] or (alike if len(alike) == 1 else [])
