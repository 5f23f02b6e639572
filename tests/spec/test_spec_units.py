import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.spec.units import format_duration, format_size, parse_duration, parse_size, readable_size

quick = settings(database=None, deadline=None, max_examples=200)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("17", 17),
        (17, 17),
        (17.0, 17),
        ("1KiB", 1024),
        ("512MiB", 2**29),
        ("5GiB", 5 * 2**30),
        ("2TiB", 2**41),
    ],
)
def test_size_is_read(text: str | float, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", "GiB", "5GB", "5 GiB", "5gib", "1.5GiB", "-1", "+1", "\u0663GiB", "5GiB\n", "9" * 16]
)
def test_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write for example 512MiB"):
        parse_size(text)


@pytest.mark.parametrize("number", [-1, True, 1.5])
def test_number_that_is_no_size_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(number)


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [
        ("0s", 0),
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("3d", 259_200),
        ("1w", 604_800),
        ("5y", 5 * 365 * 86_400),
    ],
)
def test_duration_is_read(text: str, duration_s: int) -> None:
    assert parse_duration(text) == duration_s


@pytest.mark.parametrize(
    "text", ["", "s", "15", "15 m", "15min", "1h30m", "1.5h", "-1s", "\u0661s", "15m\n", "9" * 10 + "s"]
)
def test_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write for example 15m"):
        parse_duration(text)


def test_largest_exact_unit_is_written() -> None:
    assert [format_size(n) for n in (0, 1023, 1536 * 2**20, 2**30)] == ["0", "1023", "1536MiB", "1GiB"]
    assert [format_duration(n) for n in (0, 61, 5400, 86_400 * 14)] == ["0s", "61s", "90m", "2w"]


@quick
@given(st.integers(0, 10**15 - 1))
def test_sizes_come_back_exactly(size_bytes: int) -> None:
    assert parse_size(format_size(size_bytes)) == size_bytes


@quick
@given(st.integers(0, 10**9 - 1))
def test_durations_come_back_exactly(duration_s: int) -> None:
    assert parse_duration(format_duration(duration_s)) == duration_s


def test_size_is_rounded_for_people() -> None:
    sizes = (0, 1023, 1024, 123_456_789, 5 * 2**30, 2**50)

    wanted = ["0 bytes", "1023 bytes", "1 KiB", "117.7 MiB", "5 GiB", "1024 TiB"]
    assert [readable_size(size_bytes) for size_bytes in sizes] == wanted


def test_negative_quantity_has_no_text() -> None:
    with pytest.raises(ValueError, match="negative"):
        format_size(-1)
