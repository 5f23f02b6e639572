"""The sizes that the pipelines promise, with their real bounds. Minutes each, so not in the quick run."""

from pathlib import Path

import pytest

from tests.pipelines import make_big
from tests.pipelines.step_contract import Job

GIB = 1024**3


@pytest.mark.slow
def test_large_csv_passes_within_bounds(tmp_path: Path, campaign: str) -> None:
    """A gibibyte in two, which is promised; a quarter of it in one: there is a share that does not grow."""
    size, bound = (GIB, 2 * GIB) if campaign == "full" else (GIB // 4, GIB)
    table = tmp_path / "orders.csv"
    rows = make_big.make_csv(table, size)
    job = Job(tmp_path / "job", "tabular-profile")

    ended = job.item("convert", table)
    assert ended.code == 0, ended.log
    assert ended.json("orders.profile.json")["rows"] == rows
    assert ended.peak_memory_bytes < bound


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thousands_of_images_make_one_gallery(tmp_path: Path, campaign: str) -> None:
    count = 2_000 if campaign == "full" else 200
    job = Job(tmp_path / "job", "image-set")
    for number, image in enumerate(make_big.make_images(tmp_path / "images", count)):
        assert job.item("resize", image, number, is_measured=False).code == 0

    ended = job.gather("sheet")
    assert ended.code == 0, ended.log
    assert ended.text("gallery.html").count("<img ") == count
    assert (ended.outputs / "gallery.html").stat().st_size < 16 * 1024**2
    assert ended.peak_memory_bytes < GIB // 2
