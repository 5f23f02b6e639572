"""manage.py reseal: encrypt anew, under the present secret key, what an earlier one encrypted; then that one may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from frontend_app.people.factors import FactorAdapter
from orchestration.errors import WebhookSecretLost
from orchestration.models import WebhookSecret
from orchestration.webhooks.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterator

SEALED: Final = ("secret", "seed", "migrated_codes")
"""Of a second factor: an app's seed, that of recovery codes, and codes of another installation."""


class Command(BaseCommand):
    help = "Encrypt webhooks' secrets and second factors anew, so that ESTEIRA_SECRET_KEY_FALLBACKS may be emptied."

    def handle(self, **_: Any) -> None:
        lost = 0
        for what, rows, again in (
            ("secrets of webhooks", WebhookSecret.objects.all(), _webhook),
            ("second factors", Authenticator.objects.all(), _factor),
        ):
            done = 0
            for row in _each(rows):
                try:
                    done += again(row)
                except (InvalidToken, WebhookSecretLost):
                    lost += 1
            self.stdout.write(f"{done} {what} sealed anew.")
        if lost:
            raise CommandError(
                f"{lost} can be opened by none of the keys: they were lost before. Leave the fallbacks as they are if"
                " one is missing there; else rotate these webhooks' secrets, and remove these second factors."
            )


def _each(rows: models.QuerySet[Any]) -> Iterator[Any]:
    """Locked one by one: a code that is used meanwhile must not be given back."""
    for key in list(rows.values_list("pk", flat=True)):
        with transaction.atomic():
            if row := rows.select_for_update().filter(pk=key).first():
                yield row


def _webhook(row: WebhookSecret) -> int:
    again = seal(unseal(row.sealed, row.endpoint_id), row.endpoint_id)
    return WebhookSecret.objects.filter(pk=row.pk).update(sealed=again)


def _factor(row: Authenticator) -> int:
    data = dict(row.data)
    for name in SEALED:
        if isinstance(data.get(name), str):
            data[name] = _anew(data[name])
        elif isinstance(data.get(name), list):
            data[name] = [_anew(one) for one in data[name]]
    if data == row.data:
        return 0
    return Authenticator.objects.filter(pk=row.pk).update(data=data)


def _anew(sealed: str) -> str:
    adapter = FactorAdapter()
    return adapter.encrypt(adapter.decrypt(sealed))
