"""The digests in an overlay's files: read, and replaced where they stand, with everything around them as it was.

An image is known by the last part of its name, as the registry has it: `platform`, `steps`. It stands in two forms:
as `images:` of a kustomization, and whole, as in ESTEIRA_BATCH_IMAGE.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from deploy.release.faults import ReleaseFault

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
WHOLE: Final = re.compile(r"(?<![\w.-])(?P<image>[a-z0-9][a-z0-9._-]*)@(?P<digest>sha256:[0-9a-f]{64})(?![0-9a-f])")
ITEM: Final = re.compile(r"^(?P<indent> *)- .*\n(?:(?P=indent)  .*\n)*", re.MULTILINE)


def digests(files: Mapping[str, str]) -> dict[str, str]:
    """Image → the one digest that all files give it. Raises ReleaseFault where they differ."""
    found: dict[str, set[str]] = {}
    for text in files.values():
        for image, digest in [(one["image"], one["digest"]) for one in WHOLE.finditer(text)] + _listed(text):
            found.setdefault(image, set()).add(digest)
    torn = sorted(image for image, ones in found.items() if len(ones) > 1)
    if torn:
        raise ReleaseFault(f"The overlay gives more than one digest to: {', '.join(torn)}.")
    return {image: one for image, (one,) in found.items()}


def with_digests(files: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Raises ReleaseFault for what is no digest, or for an image that no file names."""
    if bad := sorted(image for image, digest in wanted.items() if not DIGEST.fullmatch(digest)):
        raise ReleaseFault(f"No digest was given for: {', '.join(bad)}.")
    changed = {name: _replaced(text, wanted) for name, text in files.items()}
    now = digests(changed)
    if missing := sorted(image for image, digest in wanted.items() if now.get(image) != digest):
        raise ReleaseFault(f"The overlay names no image: {', '.join(missing)}.")
    return changed


def _replaced(text: str, wanted: Mapping[str, str]) -> str:
    text = WHOLE.sub(lambda one: f"{one['image']}@{wanted.get(one['image'], one['digest'])}", text)
    return ITEM.sub(lambda item: _item_replaced(item[0], wanted), text)


def _item_replaced(item: str, wanted: Mapping[str, str]) -> str:
    for image, digest in _listed(item):
        item = item.replace(digest, wanted.get(image, digest))
    return item


def _listed(text: str) -> list[tuple[str, str]]:
    """What stands below `images:`, where an item has a digest."""
    found = []
    for item in ITEM.finditer(text):
        if "digest:" not in item[0]:
            continue
        (said,) = yaml.safe_load(item[0])
        if isinstance(said, dict) and DIGEST.fullmatch(str(said.get("digest"))):
            found.append((str(said.get("newName") or said["name"]).rsplit("/", 1)[-1], str(said["digest"])))
    return found
