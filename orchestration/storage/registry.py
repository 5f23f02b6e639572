from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from django.conf import settings
from django.core.files.storage import storages
from django.utils.module_loading import import_string

from orchestration.storage.base import DirectStorage, Storage
from orchestration.storage.local import LocalStorage
from orchestration.storage.local_parts import LocalParts


def _local(backend: Any) -> Storage:
    return LocalStorage(Path(backend.location))


def _s3(backend: Any) -> Storage:
    # Imported where it is used: boto3 takes half a second that a laptop without it need not wait.
    adapter: Storage = import_string("orchestration.storage.s3.S3DirectStorage").of(backend, settings.S3_CHECKSUM)
    return adapter


# By the class that the alias names, or one that it is derived from.
ADAPTERS: Final = {
    "django.core.files.storage.filesystem.FileSystemStorage": _local,
    "storages.backends.s3.S3Storage": _s3,
}


@cache
def get_storage(alias: str) -> Storage:
    """The adapter for a django-storages alias."""
    backend = storages[alias]
    for cls in type(backend).__mro__:
        if make := ADAPTERS.get(f"{cls.__module__}.{cls.__qualname__}"):
            return make(backend)
    raise LookupError(f"no storage adapter for {type(backend).__name__} (alias {alias!r})")


def get_place(alias: str) -> LocalParts | DirectStorage:
    """Where an upload grows: in a folder of ours, or in a storage that clients send to themselves."""
    storage = get_storage(alias)
    return _parts(storage) if isinstance(storage, LocalStorage) else cast("DirectStorage", storage)


@cache
def _parts(storage: LocalStorage) -> LocalParts:
    return LocalParts(storage)


def get_direct(alias: str) -> DirectStorage | None:
    """The place where clients send to the storage themselves; None where they send to us."""
    place = get_place(alias)
    return None if isinstance(place, LocalParts) else place
