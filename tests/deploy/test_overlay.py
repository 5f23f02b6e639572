"""Digests are put where an overlay has them, and everything else stays as it was."""

from __future__ import annotations

import pytest

from deploy.release.faults import ReleaseFault
from deploy.release.overlay import digests, with_digests

OLD, NEW, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/esteira-prod"
KUSTOMIZATION = f"""\
resources:
  - ../../base
images:
  - name: platform # the pods'
    newName: {REGISTRY}/platform
    digest: {OLD}
  - name: steps
    newName: {REGISTRY}/steps
    digest: {OLD}
replicas:
  - name: web
    count: 3
"""
SETTINGS = f"ESTEIRA_ENGINE=aws\nESTEIRA_BATCH_IMAGE={REGISTRY}/steps@{OLD}\n"
FILES = {"kustomization.yaml": KUSTOMIZATION, "settings.env": SETTINGS}


def test_each_image_gets_its_own_digest_wherever_it_stands() -> None:
    """Also where both had the same before, as the placeholders of a fresh overlay have."""
    changed = with_digests(FILES, {"platform": NEW, "steps": OTHER})
    assert digests(changed) == {"platform": NEW, "steps": OTHER}
    assert changed["settings.env"] == SETTINGS.replace(OLD, OTHER)
    assert OLD not in "".join(changed.values())


def test_nothing_else_changes() -> None:
    changed = with_digests(FILES, {"platform": NEW})
    assert changed["settings.env"] == SETTINGS
    assert changed["kustomization.yaml"] == KUSTOMIZATION.replace(OLD, NEW, 1)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"web": NEW}, "names no image: web"),
        ({"platform": "latest"}, "No digest was given for: platform"),
        ({"platform": f"{NEW}0"}, "No digest was given for: platform"),
        ({"platform": ""}, "No digest was given for: platform"),
    ],
)
def test_what_cannot_be_placed_is_refused(wanted: dict[str, str], told: str) -> None:
    with pytest.raises(ReleaseFault, match=told):
        with_digests(FILES, wanted)


def test_an_overlay_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ReleaseFault, match="more than one digest to: steps"):
        digests(FILES | {"settings.env": SETTINGS.replace(OLD, NEW)})


def test_images_without_a_repository_of_their_own_are_known_by_their_name() -> None:
    text = f"images:\n- name: esteira/platform\n  digest: {OLD}\n"
    assert digests(with_digests({"kustomization.yaml": text}, {"platform": NEW})) == {"platform": NEW}
