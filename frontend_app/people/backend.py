"""Whose password it is: as django-allauth finds people, but also those whose rows are older than its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.auth_backends import AuthenticationBackend

from orchestration.models import User

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.base_user import AbstractBaseUser


class Backend(AuthenticationBackend):
    def _authenticate_by_email(self, email: str, password: str) -> AbstractBaseUser | None:
        # allauth looks for the address in lower case alone; administrators enter it as people write it.
        wanted = email.lower()
        found = User.objects.filter(email__iexact=email).order_by("pk") if email else ()
        return self._whose([one for one in found if one.email.lower() == wanted], password)

    def _authenticate_by_username(self, username: str, password: str) -> AbstractBaseUser | None:
        # Of names that differ only by case, which older versions let in, allauth would take none at all.
        wanted = username.lower()
        found = [one for one in User.objects.filter(username__iexact=username) if one.username.lower() == wanted]
        exact = [one for one in found if one.username == username]
        return self._whose(exact or (found if len(found) == 1 else ()), password)

    def _whose(self, users: Iterable[User], password: str) -> AbstractBaseUser | None:
        return next((one for one in users if self._check_password(one, password)), None)
