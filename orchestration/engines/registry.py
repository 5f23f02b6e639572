from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from orchestration.engines.base import Engine


@cache
def get_engine(name: str) -> Engine:
    """Adding an engine is one module and one row in settings.ENGINES."""
    engine: Engine = import_string(settings.ENGINES[name])()
    return engine
