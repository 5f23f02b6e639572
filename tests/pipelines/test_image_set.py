"""Images become upright web sizes without metadata; hostile ones are refused before they are decoded."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.pipelines.corpus_files import CORPUS, family, is_sentence
from tests.pipelines.step_contract import Ended, Job

IMAGES = CORPUS / "images"
BROKEN = CORPUS / "broken" / "images"
REFUSALS = {
    "broken.png": "header is damaged",
    "crash-0c7e0e8e11ce787078f00b5b0ca409a167f070e0.tif": "damaged",
    "crash-2020-10-test.tif": "damaged",
    "crash-86214e58da443d2b80820cff9677a38a33dcbbca.tif": "damaged",
    "cut.bmp": "cut off",
    "cut.gif": "cut off",
    "cut.jpg": "cut off",
    "cut.png": "cut off",
    "cut.tif": "header is damaged",
    "cut.webp": "damaged",
    "decompression_bomb.gif": "the limit is 100 megapixels",
    "drawing.svg": "not a JPEG, PNG",
    "empty.jpg": "This file is empty",
    "float64.tif": "of an unsupported kind",
    "head-only.jpg": "header is damaged",
    "lying-size.bmp": "60,000 \N{MULTIPLICATION SIGN} 60,000",
    "pixel-flood.png": "65,535 \N{MULTIPLICATION SIGN} 65,535",
    "really-a-pdf.png": "not a JPEG, PNG",
    "text.jpg": "not a JPEG, PNG",
    "wide-canvas.webp": "the limit is 100 megapixels",
}


def resize(folder: Path, image: Path, **params: object) -> Ended:
    return Job(folder, "image-set", dict(params)).item("resize", image)


def web_image(ended: Ended) -> Path:
    return next((ended.outputs / "web").iterdir())


@pytest.mark.parametrize("image", family("images"), ids=lambda path: path.name)
def test_image_gets_a_web_size_and_a_thumbnail(tmp_path: Path, image: Path) -> None:
    ended = resize(tmp_path, image, web_size=320)

    assert ended.code == 0, ended.log
    facts = ended.json("_intermediate/image.json")
    assert ended.names() == {"_intermediate/image.json", facts["web"], facts["thumbnail"]}
    with Image.open(ended.outputs / facts["web"]) as web:
        assert max(web.size) <= 320
        assert not web.getexif()
        assert not {"icc_profile", "exif", "xmp", "comment"} & set(web.info)
    with Image.open(ended.outputs / facts["thumbnail"]) as thumbnail:
        assert max(thumbnail.size) <= 256


@pytest.mark.parametrize("image", family("broken/images"), ids=lambda path: path.name)
def test_broken_image_is_refused_with_a_sentence(tmp_path: Path, image: Path) -> None:
    ended = resize(tmp_path, image)

    assert ended.code == 65, ended.log
    assert is_sentence(ended.sentence)
    assert REFUSALS[image.name] in ended.sentence


def test_pixel_flood_is_refused_at_once(tmp_path: Path) -> None:
    job = Job(tmp_path, "image-set")
    assert (BROKEN / "pixel-flood.png").stat().st_size < 2048

    # Processor time, and the least of a few: what is measured is the step, not what else the machine does. Decoding
    # four billion pixels takes minutes; an empty file is as little work as there is.
    flood, least = (
        min(job.item("resize", BROKEN / name).cpu_s for _ in range(5)) for name in ("pixel-flood.png", "empty.jpg")
    )
    assert flood < least + 0.1


@pytest.mark.parametrize("name", ["hopper_orientation_6.jpg", "hopper_orientation_6.webp", "camera-0.jpg"])
def test_image_is_turned_upright(tmp_path: Path, name: str) -> None:
    ended = resize(tmp_path, IMAGES / name)

    with Image.open(IMAGES / name) as stored, Image.open(web_image(ended)) as web:
        stored_shape, web_shape = stored.width - stored.height, web.width - web.height
    assert ended.json("_intermediate/image.json")["camera"]["orientation"] == 6
    assert (stored_shape > 0) != (web_shape > 0) or stored_shape == web_shape == 0


def test_transparency_stays(tmp_path: Path) -> None:
    with Image.open(web_image(resize(tmp_path, IMAGES / "transparent.png"))) as web:
        assert (web.format, web.mode) == ("PNG", "RGBA")


def test_position_is_left_out_unless_asked_for(tmp_path: Path) -> None:
    stripped = _camera_row(tmp_path / "a", IMAGES / "camera-1.jpg", strip_gps=True)
    kept = _camera_row(tmp_path / "b", IMAGES / "camera-1.jpg", strip_gps=False)

    assert "latitude" not in stripped
    assert float(kept["latitude"]) < -8
    assert stripped["model"] == kept["model"]
    assert stripped["lens"] == "XF23mmF2"


def test_no_output_of_an_image_holds_its_position(tmp_path: Path) -> None:
    ended = resize(tmp_path, IMAGES / "camera-1.jpg")

    camera = ended.json("_intermediate/image.json")["camera"]
    assert camera["has_position"]
    assert not {"latitude", "longitude"} & set(camera)
    for name in ended.names():
        assert b"GPS" not in (ended.outputs / name).read_bytes()


def test_sheet_makes_gallery_pages_and_table(tmp_path: Path) -> None:
    job = Job(tmp_path, "image-set")
    for number, image in enumerate([*family("images")[:34], BROKEN / "cut.jpg"]):
        job.item("resize", image, number, known_as=f"<i>{image.name}" if number == 3 else "")

    ended = job.gather("sheet")
    assert ended.code == 0, ended.log
    assert ended.names() == {"gallery.html", "exif.csv", "contact-sheet-01.jpg", "contact-sheet-02.jpg"}
    page = ended.text("gallery.html")
    assert page.count("<img ") == 34
    assert "This JPEG image is cut off before its end." in page
    assert "<i>" not in page
    with Image.open(ended.outputs / "contact-sheet-01.jpg") as sheet:
        assert sheet.size == (1240, 1754)


def _camera_row(folder: Path, image: Path, *, strip_gps: bool) -> dict[str, str]:
    job = Job(folder, "image-set", {"strip_gps": strip_gps})
    job.item("resize", image)
    return next(csv.DictReader(io.StringIO(job.gather("sheet").text("exif.csv"))))
