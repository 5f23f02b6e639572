"""Small files that share a request where the platform takes that; whatever does not arrive so goes alone."""

import os
from pathlib import Path

import pytest

from api_app.client import Client
from api_app.client.uploads.outgoing import Outgoing, Watch
from tests.client import fake_uploads
from tests.client.fake_faults import Fault, answer, hang_up, lose_answer
from tests.client.fake_server import Handler, Platform
from tests.client.fake_upload_rows import MIB
from tests.client.test_upload_small import make, texts

BUNDLE = "POST /uploads:put"


@pytest.fixture(autouse=True)
def takes_bundles(platform: Platform) -> None:
    platform.uploads.bundle_max = 8 * MIB


class Total(Watch):
    """Bytes that are said to have gone out, of all files."""

    def __init__(self) -> None:
        self.sent: dict[int, int] = {}

    def moved(self, item: Outgoing, phase: str, done: int) -> None:
        if phase == "sending":
            self.sent[id(item)] = done


def test_three_hundred_files_take_two_requests(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 300)
    watch = Total()

    outcomes = client.upload_many(paths, watch=watch)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    assert sorted(platform.uploads.bundles) == [50, 250]
    assert not platform.calls("PUT", "")
    assert sum(watch.sent.values()) == sum(path.stat().st_size for path in paths)


def test_bundle_has_a_size_and_larger_files_go_alone(client: Client, platform: Platform, tmp_path: Path) -> None:
    paths = make(tmp_path, 10)
    for path in paths[::2]:
        path.write_bytes(os.urandom(200 << 10))
    paths[1].write_bytes(os.urandom(300 << 10))
    platform.uploads.bundle_max = 700 << 10

    outcomes = client.upload_many(paths)

    assert [platform.contents[one.file["id"]] for one in outcomes if one.file] == [path.read_bytes() for path in paths]
    assert len(platform.uploads.bundles) == 2
    assert sum(platform.uploads.bundles) == 9


def test_one_file_needs_no_bundle(client: Client, platform: Platform, tmp_path: Path) -> None:
    client.upload(*make(tmp_path, 1))
    assert platform.uploads.bundles == []


@pytest.mark.parametrize("fault", [hang_up(3), lose_answer, answer(503), answer(413), answer(404)])
def test_trouble_with_the_request_sends_each_alone(
    client: Client, platform: Platform, tmp_path: Path, fault: Fault
) -> None:
    paths = make(tmp_path, 10)
    platform.fail(BUNDLE, fault)
    watch = Total()

    outcomes = client.upload_many(paths, watch=watch)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    assert sum(watch.sent.values()) == sum(path.stat().st_size for path in paths)
    alone = [path for method, path, _ in platform.requests if method == "PUT"]
    assert len(alone) == 10


def test_only_what_did_not_arrive_goes_alone(
    client: Client, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, taken = make(tmp_path, 5), fake_uploads.take
    refused = iter([(400, "checksum_mismatch")])
    monkeypatch.setattr(fake_uploads, "take", lambda *asked: next(refused, None) or taken(*asked))

    outcomes = client.upload_many(paths)

    assert texts(platform, outcomes) == [path.read_text() for path in paths]
    assert len([path for method, path, _ in platform.requests if method == "PUT"]) == 1


def test_a_file_that_changes_meanwhile_is_refused_and_the_others_arrive(
    client: Client, platform: Platform, tmp_path: Path
) -> None:
    paths = make(tmp_path, 3)

    def change(handler: Handler) -> bool:
        paths[1].write_text("something else")
        return False

    platform.fail("POST /uploads:batch", change)

    outcomes = client.upload_many(paths)

    assert [outcome.fault and outcome.fault.code for outcome in outcomes] == [None, "file_changed", None]
