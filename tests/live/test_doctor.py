"""The doctor on a platform that runs: everything is tried, and found well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.live.platform import Platform


def test_running_platform_is_found_well(platform: Platform) -> None:
    found = {
        (said["area"], said["name"]): said for said in map(json.loads, platform.manage("doctor", "--json").splitlines())
    }
    assert not [said for said in found.values() if said["level"] == "error"]
    for one in (
        ("database", "clock"), ("files", "results"), ("work", "workers"), ("work", "beat"), ("engine", "supervisor"),
    ):  # fmt: skip
        assert found[one]["level"] == "ok", found[one]
