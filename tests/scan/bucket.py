"""A bucket whose objects lie in the folder of the tests, with the tags that a scanner of the storage writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import StorageRejected, StorageUnavailable
from orchestration.execution import examine
from orchestration.storage import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from orchestration.models import File
    from orchestration.storage.local import LocalStorage

BUCKET: Final = "uploads-of-the-tests"
PREFIX: Final = "below/here/"
ACCOUNT: Final = "111122223333"


class Bucket:
    """Of DirectStorage what the examination asks: bytes, and the tag of one version."""

    bucket = BUCKET
    is_shut = False
    """Nobody may read an object that is infected: a policy of the bucket."""

    def __init__(self, folder: LocalStorage) -> None:
        self._folder = folder
        self.tags: dict[tuple[str, str], str] = {}
        self.is_down = False
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._folder, name)

    def open(self, key: str, version: str = "") -> Any:
        self.reads += 1
        if self.is_shut and self.tags.get((key, version)) == "THREATS_FOUND":
            raise StorageRejected
        return self._folder.open(key, version)

    def scan_tag(self, key: str, version: str = "") -> str:
        if self.is_down:
            raise StorageUnavailable
        return self.tags.get((key, version), "")

    def key_of(self, object_key: str) -> str:
        return object_key.removeprefix(PREFIX)

    def tag(self, file: File, status: str) -> None:
        self.tags[file.key, file.version] = status


def in_place_of_the_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    bucket = Bucket(registry.get_storage("uploads"))  # type: ignore[arg-type]
    for module in (registry, examine):
        monkeypatch.setattr(module, "get_storage", lambda _: bucket)
    yield bucket
