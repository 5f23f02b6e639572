"""Large files, to the platform and to object storage by the same code, through everything on the way."""

from pathlib import Path

import pytest

from api_app.client import Client, EsteiraError
from tests.client.fake_faults import Fault, answer, hang_up, lose_answer
from tests.client.fake_s3 import keeps_and_says, says
from tests.client.fake_server import TOKEN, Handler, Platform
from tests.client.fake_upload_rows import crc_text
from tests.client.large_files import BIG, MIB, big, numbers, small_parts, stored

__all__ = ["big", "small_parts"]  # fixtures
PART = "PUT /uploads/*/parts/*"


def test_parts_arrive_and_become_the_file(client: Client, platform: Platform, big: Path, transport: str) -> None:
    seen: list[tuple[str, int, int]] = []

    file = client.upload(big, path="photos/2026", workspace="lab", progress=lambda *step: seen.append(step))

    assert stored(platform) == BIG
    assert (file["name"], file["path"], file["crc64nvme"]) == (big.name, "photos/2026", crc_text(BIG))
    assert platform.uploads.one().workspace == "lab"
    assert numbers(platform) == [1, 2, 3, 4, 5]
    assert max(done for _, done, _ in seen) == len(BIG)
    assert {total for *_, total in seen} == {len(BIG)}


def test_the_token_stays_with_the_platform(client: Client, platform: Platform, big: Path, transport: str) -> None:
    client.upload(big)

    puts = [headers for method, _, headers in platform.requests + platform.s3 if method == "PUT"]
    assert len(puts) == 5
    assert all("authorization" not in headers and TOKEN not in str(headers) for headers in puts)
    assert all("cookie" not in headers for headers in puts)
    assert bool(platform.s3) == (transport == "s3")


def expired(transport: str) -> Fault:
    if transport == "app":
        return answer(403, "signature_expired")
    return says(403, "AccessDenied", "Request has expired")


def damaged(transport: str) -> Fault:
    return answer(400, "checksum_mismatch") if transport == "app" else says(400, "BadDigest")


def target(transport: str) -> str:
    return PART if transport == "app" else "S3 PUT"


def test_an_expired_address_is_signed_again(client: Client, platform: Platform, big: Path, transport: str) -> None:
    platform.fail(target(transport), expired(transport), expired(transport))

    client.upload(big)

    assert stored(platform) == BIG


def test_an_address_that_waited_long_is_signed_anew_before_a_byte_is_sent(
    client: Client, platform: Platform, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api_app.client.uploads.parts.FRESH_S", -1)

    client.upload(big)

    asked = [number for _, number, _, _ in platform.uploads.signed_in_order]
    assert sorted(asked) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "once ahead, and once more when its turn came"
    assert stored(platform) == BIG


def test_an_address_that_stays_expired_is_told(client: Client, platform: Platform, big: Path, transport: str) -> None:
    platform.fail(target(transport), *[expired(transport)] * 100)

    with pytest.raises(EsteiraError, match="was refused"):
        client.upload(big, max_parallel=1)


def test_damaged_bytes_are_read_and_sent_again(client: Client, platform: Platform, big: Path, transport: str) -> None:
    platform.fail(target(transport), *[damaged(transport)] * 3)
    seen: list[int] = []

    client.upload(big, max_parallel=1, progress=lambda _phase, done, _total: seen.append(done))

    assert stored(platform) == BIG
    assert max(seen) == seen[-1] == len(BIG), "what is sent twice counts once"


def test_bytes_that_stay_damaged_are_told_and_nothing_is_kept(
    client: Client, platform: Platform, big: Path, transport: str
) -> None:
    platform.fail(target(transport), *[damaged(transport)] * 100)

    with pytest.raises(EsteiraError, match="the file changed while it was sent") as caught:
        client.upload(big, max_parallel=1)

    assert caught.value.code == "file_changed"
    assert platform.uploads.one().state == "aborted"


@pytest.mark.parametrize(
    "fault",
    [
        answer(408, "too_slow"),
        answer(429, "too_many_requests", Retry_After="0"),
        answer(500, "internal"),
        answer(503, "unavailable"),
        answer(409, "part_busy", Retry_After="0"),
        hang_up(),
        hang_up(500_000),
        lose_answer,
    ],
)
def test_trouble_with_the_platform_passes(client: Client, platform: Platform, big: Path, fault: Fault) -> None:
    platform.fail(PART, fault, fault)

    client.upload(big)

    assert stored(platform) == BIG


@pytest.mark.parametrize(
    "fault",
    [
        says(503, "SlowDown"),
        says(500, "InternalError"),
        says(400, "RequestTimeout"),
        says(400, "ExpiredToken"),
        says(409, "OperationAborted"),
        says(404, "NoSuchUpload"),
        hang_up(500_000),
        lose_answer,
    ],
)
@pytest.mark.usefixtures("s3")
def test_trouble_with_the_storage_passes(client: Client, platform: Platform, big: Path, fault: Fault) -> None:
    platform.fail("S3 PUT", fault, fault)

    client.upload(big)

    assert stored(platform) == BIG


def test_a_part_whose_answer_was_lost_is_not_sent_twice(
    client: Client, platform: Platform, big: Path, transport: str
) -> None:
    platform.fail(target(transport), lose_answer)

    client.upload(big)

    assert stored(platform) == BIG
    assert numbers(platform) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("s3")
def test_what_is_there_already_counts(client: Client, platform: Platform, big: Path) -> None:
    platform.fail("S3 PUT", keeps_and_says(412, "PreconditionFailed"))

    client.upload(big)

    assert stored(platform) == BIG
    assert numbers(platform) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "call", ["GET /uploads/config", "POST /uploads", "POST /uploads/*/parts", "POST /uploads/*/complete"]
)
def test_calls_get_through(client: Client, platform: Platform, big: Path, call: str) -> None:
    client.me()
    platform.fail(call, hang_up(), answer(500), lose_answer, answer(408))

    client.upload(big)

    assert stored(platform) == BIG


@pytest.mark.parametrize(
    ("status", "code"), [(403, "signature_invalid"), (507, "storage_full"), (413, "too_large"), (301, "moved")]
)
def test_a_no_is_told_at_once(client: Client, platform: Platform, big: Path, status: int, code: str) -> None:
    platform.fail(PART, *[answer(status, code, "So it is.")] * 100)

    with pytest.raises(EsteiraError, match="So it is") as caught:
        client.upload(big, max_parallel=1)

    assert caught.value.code == code
    assert len(platform.requests) < 10
    assert platform.uploads.one().state == "open", "what is sent so far is kept for another try"


def test_a_quota_is_told(client: Client, platform: Platform, big: Path) -> None:
    platform.fail("POST /uploads", answer(403, "quota_exceeded", "5 MiB are missing."))

    with pytest.raises(EsteiraError, match="5 MiB are missing") as caught:
        client.upload(big)

    assert caught.value.code == "quota_exceeded"


def test_retry_after_is_honoured(
    client: Client, platform: Platform, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("api_app.client.uploads.calls.Stubborn.sleep", lambda _self, pause_s: waited.append(pause_s))
    platform.fail(PART, answer(503, Retry_After="17"))

    client.upload(big)

    assert [pause for pause in waited if pause >= 17] == [17.0]


def end(state: str) -> Fault:
    """The upload ends behind the client's back."""

    def fault(handler: Handler) -> bool:
        handler.platform.uploads.one().state = state
        return False

    return fault


def test_an_upload_that_expired_is_begun_anew(client: Client, platform: Platform, big: Path, transport: str) -> None:
    platform.fail(target(transport), end("expired"))

    file = client.upload(big, max_parallel=1)

    assert platform.contents[file["id"]] == BIG
    assert [one.state for one in platform.uploads.all.values()] == ["expired", "complete"]


def test_an_upload_that_somebody_aborted_is_not(client: Client, platform: Platform, big: Path, transport: str) -> None:
    platform.fail(target(transport), end("aborted"))

    with pytest.raises(EsteiraError, match="is aborted") as caught:
        client.upload(big, max_parallel=1)

    assert caught.value.code == "upload_ended"
    assert len(platform.uploads.all) == 1


def test_a_slow_completion_is_waited_for(client: Client, platform: Platform, big: Path) -> None:
    platform.uploads.slow_completions = 1

    file = client.upload(big)

    assert platform.contents[file["id"]] == BIG


def test_parts_that_got_lost_are_sent_again(client: Client, platform: Platform, big: Path) -> None:
    def lose(handler: Handler) -> bool:
        del handler.platform.uploads.one().parts[2], handler.platform.uploads.one().parts[4]
        return False

    platform.fail("POST /uploads/*/complete", lose)

    client.upload(big)

    assert stored(platform) == BIG
    assert numbers(platform) == [1, 2, 2, 3, 4, 4, 5]


def test_no_more_connections_than_asked_for_and_few_addresses_ahead(
    client: Client, platform: Platform, tmp_path: Path
) -> None:
    for number in range(4):
        (tmp_path / str(number)).write_bytes(bytes([number]) * 6 * MIB)

    outcomes = client.upload_many([tmp_path / str(number) for number in range(4)], max_parallel=3)

    assert all(outcome.file for outcome in outcomes)
    assert 2 <= platform.uploads.sending.most <= 3
    assert max(platform.uploads.ahead) <= 2 * 3
