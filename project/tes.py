"""Which images the tasks of GA4GH's TES may name on this machine, and what stands for them."""

import re
from pathlib import PurePosixPath
from typing import Final

from project import env

HOST: Final = "host"
SAYS: Final = "IMAGE=host or IMAGE=/folder/of/programs, separated by commas; empty for no tasks"
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,299}")
# Nobody means to show these to a stranger's command as a whole.
_TOO_MUCH: Final = frozenset({"/", "/home", "/root", "/var", "/tmp", "/etc", "/proc", "/sys", "/dev", "/run"})  # noqa: S108


def images(*, engine: str) -> dict[str, str]:
    """Image → folder of programs; "" for those that this machine has anyway."""
    found: dict[str, str] = {}
    for word in env.words("ESTEIRA_TES_IMAGES", ""):
        image, _, place = word.partition("=")
        fits = place == HOST or (place.startswith("/") and str(PurePosixPath(place)) == place)
        if not _IMAGE.fullmatch(image) or not fits or ".." in place.split("/") or place in _TOO_MUCH:
            raise env.BadSetting("ESTEIRA_TES_IMAGES", word, SAYS)
        found[image] = "" if place == HOST else place
    if found and engine != "local":
        raise env.BadSetting(
            "ESTEIRA_TES_IMAGES", "set", f"nothing with ESTEIRA_ENGINE={engine}: only `local` runs tasks"
        )
    return found
