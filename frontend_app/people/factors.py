"""Second factors: what django-allauth asks of us about them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orchestration.services.second_factor import FACTORS, must_have_second_factor

if TYPE_CHECKING:
    from orchestration.models import User

KEY_BYTES: Final = 32


class FactorAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("That did not fit. A code of the app holds for half a minute, and works once."),
        "cannot_delete_authenticator": _("You need a second factor here. Add another before you remove this one."),
    }

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _box().decrypt(encrypted_text).decode()

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        others = Authenticator.objects.filter(user=authenticator.user, type__in=FACTORS).exclude(pk=authenticator.pk)
        return others.exists() or not must_have_second_factor(user=authenticator.user)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # type: ignore[override]  # noqa: A002
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return gettext("Passkey") if number == 1 else gettext("Passkey %(number)s") % {"number": number}

    def _get_site_name(self) -> str:
        return "Esteira"


def _box() -> MultiFernet:
    """A copy of the table without the server's key tells no codes; earlier keys still open what they sealed."""
    return MultiFernet([_key(master) for master in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(master: str) -> Fernet:
    derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"esteira.second-factor").derive(master.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
