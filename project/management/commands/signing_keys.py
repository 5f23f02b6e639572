from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from orchestration.errors import NotFound
from orchestration.services.manifests import public_keys, revoke_key

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from orchestration.models import SigningKey


class Command(BaseCommand):
    help = "List the keys that have signed manifests here, or revoke one that somebody else may have."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--revoke", metavar="KEY", help="its id, or the first letters of it")
        parser.add_argument("--reason", default="", help="why, in words that people are shown")

    def handle(self, *_: Any, revoke: str | None, reason: str, **__: Any) -> None:
        if revoke is not None:
            if not reason:
                raise CommandError("Say why: --reason 'the server was stolen'. Whoever verifies is shown it.")
            try:
                revoke_key(key_id=revoke, reason=reason)
            except NotFound as exc:
                raise CommandError(str(exc)) from exc
        for key in public_keys():
            self.stdout.write(f"{key.pk}  {_state(key)}")


def _state(key: SigningKey) -> str:
    if key.revoked_at:
        return f"revoked {key.revoked_at:%Y-%m-%d}: {key.revoked_reason}"
    return f"retired {key.retired_at:%Y-%m-%d}" if key.retired_at else f"signs since {key.created_at:%Y-%m-%d}"
