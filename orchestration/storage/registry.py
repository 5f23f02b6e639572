from functools import cache
from pathlib import Path
from typing import cast

from django.core.files.storage import FileSystemStorage, storages

from orchestration.storage.base import DirectStorage, Storage
from orchestration.storage.local import LocalStorage
from orchestration.storage.local_parts import LocalParts


@cache
def get_storage(alias: str) -> Storage:
    """The adapter for a django-storages alias."""
    backend = storages[alias]
    if isinstance(backend, FileSystemStorage):
        return LocalStorage(Path(backend.location))
    raise LookupError(f"no storage adapter for {type(backend).__name__} (alias {alias!r})")


def get_place(alias: str) -> LocalParts | DirectStorage:
    """Where an upload grows: in a folder of ours, or in a storage that clients send to themselves."""
    storage = get_storage(alias)
    return LocalParts(storage) if isinstance(storage, LocalStorage) else cast("DirectStorage", storage)


def get_direct(alias: str) -> DirectStorage | None:
    """The place where clients send to the storage themselves; None where they send to us."""
    place = get_place(alias)
    return None if isinstance(place, LocalParts) else place
