"""What every storage does, wherever it keeps its bytes."""

from __future__ import annotations

import io
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from orchestration.ids import new_id

if TYPE_CHECKING:
    from orchestration.storage.base import Storage


def a_key() -> str:
    return f"{new_id()}/{new_id().hex[-2:]}/{new_id()}"


def put(storage: Storage, key: str, data: bytes) -> None:
    incoming = storage.receive(key)
    incoming.write(data)
    incoming.commit()


def test_bytes_come_back_as_they_went_in(storage: Storage) -> None:
    key, data = a_key(), random.Random(1).randbytes(700_001)
    put(storage, key, data)
    assert storage.size(key) == len(data)
    with storage.open(key) as source:
        assert source.read() == data


def test_reader_may_jump(storage: Storage) -> None:
    key, data = a_key(), random.Random(2).randbytes(900_000)
    put(storage, key, data)
    with storage.open(key) as source:
        assert source.read(10) == data[:10]
        source.seek(600_000)
        assert source.read(300_001) == data[600_000:]
        assert source.read(1) == b""
        source.seek(5)
        assert source.read(5) == data[5:10]
        assert source.seek(0, io.SEEK_END) == len(data)


def test_empty_object_is_an_object(storage: Storage) -> None:
    key = a_key()
    storage.receive(key).commit()
    assert storage.size(key) == 0
    with storage.open(key) as source:
        assert source.read() == b""


def test_nothing_is_there_before_commit_or_after_discard(storage: Storage) -> None:
    key = a_key()
    incoming = storage.receive(key)
    incoming.write(b"half")
    assert storage.size(key) is None
    incoming.discard()
    assert storage.size(key) is None


def test_object_is_never_overwritten(storage: Storage) -> None:
    key = a_key()
    put(storage, key, b"first")
    second = storage.receive(key)
    second.write(b"other")
    with pytest.raises(FileExistsError):
        second.commit()
    second.discard()
    with storage.open(key) as source:
        assert source.read() == b"first"


def test_missing_object_is_told_when_it_is_opened(storage: Storage) -> None:
    assert storage.size(a_key()) is None
    with pytest.raises(FileNotFoundError):
        storage.open(a_key())


def test_deleted_is_gone_and_absent_is_as_good_as_deleted(storage: Storage) -> None:
    key = a_key()
    put(storage, key, b"x")
    storage.delete(key)
    storage.delete(key)
    assert storage.size(key) is None


def test_old_keys_are_found_and_young_ones_are_not(storage: Storage) -> None:
    keys = {a_key() for _ in range(3)}
    for key in keys:
        put(storage, key, b"x")
    assert set(storage.keys_older_than(timedelta(seconds=-5))) == keys
    assert set(storage.keys_older_than(timedelta(hours=1))) == set()
