"""Large inputs, made when a test needs them: a CSV of any size and a folder of distinct photographs."""

import itertools
import random
from pathlib import Path

from PIL import Image, ImageDraw
from PIL.TiffImagePlugin import IFDRational

GIB = 1024**3
_BLOCK_ROWS = 20_000
_CITIES = ("Recife", "São Paulo", "Belém", "Curitiba", "Manaus", "Porto Alegre", "Natal", "Goiânia")
_PRODUCTS = ("belt", "roller", "motor", "bearing", "sensor", "frame", "guard, long", 'gear "M4"')
_CAMERAS = (("Canon", "Canon EOS 40D"), ("NIKON", "NIKON D70"), ("FUJIFILM", "X100V"), ("Apple", "iPhone 15"))


def make_csv(path: Path, size: int = GIB) -> int:
    """A CSV of at least `size` bytes with twelve columns; returns its number of rows.

    One block of rows is made and repeated with other ids, so that the disk is the limit and not this function.
    """
    draw = random.Random(7)
    tails = [_order(draw) for _ in range(_BLOCK_ROWS)]
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as sink:
        written = sink.write(
            "id,ordered_at,city,product,quantity,unit_price,discount,total,is_paid,customer,comment,ratio\n"
        )
        while written < size:
            written += sink.write("".join(f"{rows + place},{tail}" for place, tail in enumerate(tails)))
            rows += _BLOCK_ROWS
    return rows


def _order(draw: random.Random) -> str:
    quantity, price = draw.randint(1, 40), draw.lognormvariate(4, 0.8)
    day = f"20{draw.randint(18, 25)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02} {draw.randint(0, 23):02}:15:00"
    product = draw.choice(_PRODUCTS)
    product = '"' + product.replace('"', '""') + '"' if set(product) & set(',"') else product
    discount = "" if draw.random() < 0.3 else f"{draw.random() / 4:.3f}"
    comment = "" if draw.random() < 0.8 else f"asked for delivery before {draw.randint(8, 18)} h"
    return (
        f"{day},{draw.choice(_CITIES)},{product},{quantity},{price:.2f},{discount},{quantity * price:.2f},"
        f"{draw.random() < 0.9},C{draw.randint(1, 90_000):06},{comment},{draw.gauss(0, 1):.6f}\n"
    )


def make_images(folder: Path, count: int = 2000) -> list[Path]:
    """`count` distinct JPEG photographs with EXIF and PNG drawings, of several sizes and shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_image(folder, place) for place in range(count)]


def _image(folder: Path, place: int) -> Path:
    draw = random.Random(place)
    size = draw.choice(((640, 480), (480, 640), (800, 600), (1024, 576), (500, 500)))
    picture = _scene(draw, size)
    if place % 4 == 3:
        path = folder / f"drawing-{place:04}.png"
        picture.quantize(64).save(path)
        return path
    path = folder / f"photo-{place:04}.jpg"
    picture.save(path, quality=80, exif=_exif(draw, place))
    return path


def _scene(draw: random.Random, size: tuple[int, int]) -> Image.Image:
    """A sky, a sun and hills: enough for a thumbnail to be told from its neighbour."""
    top, bottom = (tuple(draw.randrange(40, 250) for _ in range(3)) for _ in range(2))
    picture = Image.linear_gradient("L").resize(size)
    picture = Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), picture)
    pen = ImageDraw.Draw(picture)
    width, height = size
    sun = draw.randrange(width // 12, width // 6)
    left, upper = draw.randrange(width - sun), draw.randrange(height // 2)
    pen.ellipse((left, upper, left + sun, upper + sun), fill=(250, 230, 160))
    for layer in range(3):
        heights = [height * (0.55 + 0.12 * layer) + draw.randint(-40, 40) for _ in range(8)]
        ridge = list(zip(range(0, width + 200, width // 7), heights, strict=False))
        colour = tuple(int(part * (0.7 - 0.18 * layer)) for part in bottom)
        pen.polygon([(0, height), *itertools.chain(ridge), (width, height)], fill=colour)
    return picture


def _exif(draw: random.Random, place: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = draw.choice(_CAMERAS)
    exif[0x0112] = draw.choice((1, 1, 1, 6, 8, 3))
    details = exif.get_ifd(0x8769)
    details[0x9003] = f"{2019 + place % 6}:{1 + place % 12:02}:{1 + place % 28:02} 12:00:00"
    details[0x829A] = IFDRational(1, draw.choice((30, 60, 125, 250, 500)))
    details[0x829D] = IFDRational(draw.choice((18, 28, 40, 56, 80)), 10)
    details[0x8827] = draw.choice((100, 200, 400, 800))
    details[0x920A] = IFDRational(draw.choice((24, 35, 50, 85)), 1)
    position = exif.get_ifd(0x8825)
    position[1], position[2] = "S", (IFDRational(8, 1), IFDRational(place % 60, 1), IFDRational(0, 1))
    position[3], position[4] = "W", (IFDRational(34, 1), IFDRational(place % 60, 1), IFDRational(0, 1))
    return exif
