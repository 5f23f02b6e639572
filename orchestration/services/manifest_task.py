"""The Celery task that signs manifests; apart from the others, because what it signs is said by services."""

from __future__ import annotations

from celery import shared_task

from orchestration.services import manifests


@shared_task(name="esteira.sign_manifests")
def sign_manifests() -> None:
    manifests.sign_due()
