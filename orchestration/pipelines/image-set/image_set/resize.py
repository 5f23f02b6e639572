"""Step `resize`: one image becomes an upright web image, a thumbnail and a row of facts."""

from typing import Any

from esteira_kit import step
from esteira_kit.index import read_index
from PIL import Image, ImageOps

from image_set import camera_data
from image_set.opening import DAMAGED, damaged, open_image

_THUMBNAIL = 256
_THUMBNAIL_QUALITY = 80
_DEEP_MODES = ("I", "F")  # 16 and 32 bits a channel: Pillow clips these to 255 when it converts


def main() -> None:
    file = read_index().own_input()
    params = step.params()
    opened = open_image(file.path, params["max_megapixels"])
    image = opened.image
    facts: dict[str, Any] = {
        "name": file.name,
        "bytes": file.size,
        "form": opened.form,
        "stored_size": [image.width, image.height],
        "mode": image.mode,
        "frames": _frames(image),
        "camera": camera_data.read(image, with_position=not params["strip_gps"]),
    }
    step.Progress()(0.2, "Decoding")
    web = _decoded(image, params["web_size"], opened.form)
    turned = facts["camera"].get("orientation", 1) in {5, 6, 7, 8}
    facts["size"] = facts["stored_size"][::-1] if turned else facts["stored_size"]
    facts["web"] = _save_web(web, step.stem(file.name), params["quality"])
    facts["web_size"] = list(web.size)
    thumbnail = _flat(web)
    thumbnail.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    name = f"thumbnails/{step.stem(file.name)}.jpg"
    thumbnail.save(step.output(name), "JPEG", quality=_THUMBNAIL_QUALITY, optimize=True)
    facts["thumbnail"] = name
    step.write_json("_intermediate/image.json", facts)


def _frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except DAMAGED:
        return 1


def _decoded(image: Image.Image, longest: int, form: str) -> Image.Image:
    """Upright, in sRGB, at most `longest` pixels a side, and without any of the metadata."""
    try:
        # A JPEG decodes at a half, a quarter or an eighth for next to nothing; twice the size wanted keeps it sharp.
        image.draft(None, (longest, longest))
        # An index stands for a colour: in a palette there is nothing to average.
        image.load()
        image = _eight_bits(image)
        image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=3)
        upright = ImageOps.exif_transpose(image)
        return _without_metadata(_in_srgb(upright))
    except DAMAGED as fault:
        raise damaged(form, fault) from fault
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise damaged(form, bomb) from bomb


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith(_DEEP_MODES):
        return _stretched(image)
    if image.mode in {"L", "RGB", "RGBA", "CMYK"} and "transparency" not in image.info:
        return image
    has_alpha = image.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "L" if image.mode == "1" else "RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Deep grey values, spread from the darkest to the brightest."""
    image = image.convert("F")
    extrema = image.getextrema()
    low, high = float(extrema[0]), float(extrema[1])  # type: ignore[arg-type]  # one band: a pair of numbers
    scale = 255 / (high - low) if high > low else 0.0
    return image.point(lambda value: value * scale - low * scale).convert("L")


def _in_srgb(image: Image.Image) -> Image.Image:
    """Without its profile an image would show the wrong colours, so they are converted before it goes."""
    profile = image.info.get("icc_profile")
    wanted = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode in {"RGB", "RGBA", "CMYK"}:
        import io  # noqa: PLC0415 - most images carry no profile

        from PIL import ImageCms  # noqa: PLC0415 - the same

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=wanted)
        except (ImageCms.PyCMSError, *DAMAGED):
            converted = None  # a broken profile is worth nothing; the plain values are the better guess
        if converted is not None:
            return converted
    return image if image.mode in {"L", "RGB", "RGBA"} else image.convert(wanted)


def _without_metadata(image: Image.Image) -> Image.Image:
    clean = Image.new(image.mode, image.size)
    clean.paste(image)
    return clean


def _flat(image: Image.Image) -> Image.Image:
    """On white, for forms that know no transparency."""
    if image.mode != "RGBA":
        return image.copy()
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _save_web(image: Image.Image, stem: str, quality: int) -> str:
    is_clear = image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)
    name = f"web/{stem}.png" if is_clear else f"web/{stem}.jpg"
    if is_clear:
        image.save(step.output(name), "PNG", optimize=True)
    else:
        _flat(image).save(step.output(name), "JPEG", quality=quality, optimize=True, progressive=True)
    return name


if __name__ == "__main__":
    step.run(main)
