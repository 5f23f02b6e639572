"""Addresses in what runners are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from orchestration.engines.leasing import piece_of_holder
from orchestration.engines.registry import get_engine
from orchestration.errors import Invalid

if TYPE_CHECKING:
    from orchestration.models import Attempt


def for_runner(url: str, attempt: Attempt) -> str:
    """The address itself. Raises Invalid for a folder of this machine when the attempt runs on another one."""
    is_folder = url.startswith("file:")
    if is_folder and piece_of_holder(attempt.leased_by) is not None and get_engine(settings.ENGINE).is_elsewhere:
        raise Invalid(
            "Steps run on other machines, and this file lies in a folder of this one. Set ESTEIRA_STORAGE=s3."
        )
    return url
