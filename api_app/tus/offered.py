"""Whether the door is there at all."""

from django.conf import settings

from api_app.gate import TUS
from api_app.tus.v1 import EXTENSIONS
from api_app.upload_schemas import TusOut
from orchestration.services.uploads.redirect import sends_elsewhere


def is_offered() -> bool:
    """Tus cannot be led elsewhere: where files go to object storage, all their bytes would pass through us."""
    return settings.UPLOAD_TUS == "local" and not sends_elsewhere()


def tus_out() -> TusOut | None:
    return TusOut(url=TUS, extensions=list(EXTENSIONS)) if is_offered() else None
