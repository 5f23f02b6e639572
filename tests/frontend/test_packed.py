"""Pages are packed for who can unpack them; what people stored is sent as it is."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from tests.factories import make_file
from tests.frontend.ask import browser, fetch

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def test_page_is_packed_for_who_can_unpack_it(owner: User) -> None:
    plain = browser(owner).get("/files/")
    packed = browser(owner).get("/files/", headers={"accept-encoding": "gzip"})
    assert "Content-Encoding" not in plain
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 2
    assert b"</html>" in gzip.decompress(packed.content)


def test_download_is_never_packed(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, data=b"a,b\n" * 1000)
    got = fetch(owner, f"/files/{file.pk}/content", **{"accept-encoding": "gzip"})
    assert "Content-Encoding" not in got.headers
    assert got.body == b"a,b\n" * 1000
