"""Publishing and finding pipelines. A version is immutable once it is here."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.db import transaction

from orchestration.errors import Conflict, Invalid, NotFound
from orchestration.models import Pipeline, PipelineVersion
from orchestration.models.ready import Ready
from orchestration.spec.bundle import BundleError, build_bundle
from orchestration.spec.model import PipelineSpec
from orchestration.spec.parse import parse_pipeline
from orchestration.spec.problems import SpecError
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.models import User

log = logging.getLogger(__name__)

INTERNAL: Final = frozenset({"task"})
"""Folders among the built-in pipelines that are no offer to people: a door of the platform makes their versions."""
BUILT_IN: Final = Path(__file__).resolve().parent.parent / "pipelines"
STORAGE: Final = "code"


@dataclass(frozen=True, slots=True)
class Source:
    """A pipeline as it lies in a folder: its text, what that says, and the code packed beside it."""

    text: str
    spec: PipelineSpec
    bundle: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def bundle_sha256(self) -> str:
        return hashlib.sha256(self.bundle).hexdigest() if self.bundle else ""


def load(path: Path) -> Source:
    """Read `path` (a pipeline.yaml or its folder). Raises Invalid that names every problem by file and line."""
    file = path / "pipeline.yaml" if path.is_dir() else path
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise Invalid(f"Cannot read {file}: {exc}.") from exc
    try:
        # A folder of pipelines may share code that lies beside them, and nothing further away.
        root = file.parent.resolve().parent
        spec = parse_pipeline(text, file=str(file), folder=file.parent, root=root)
        bundle = build_bundle(file.parent, spec.include, root=root)
    except SpecError as exc:
        raise Invalid(str(exc), errors=[{"loc": [p.key], "msg": p.message} for p in exc.problems]) from exc
    except BundleError as exc:
        raise Invalid(str(exc)) from exc
    return Source(text=text, spec=spec, bundle=bundle)


def bundle_key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


def publish(*, source: Source, user: User | None = None) -> tuple[PipelineVersion, bool]:
    """The version and whether it is new. The same name and version with other content is refused."""
    store_bundle(source)
    with transaction.atomic(durable=True):
        pipeline, _ = Pipeline.objects.select_for_update().get_or_create(name=source.spec.name)
        found = PipelineVersion.objects.filter(pipeline=pipeline, version=source.spec.version).first()
        if found is not None:
            _refuse_change(found, source)
            return found, False
        version = PipelineVersion.objects.create(
            pipeline=pipeline,
            version=source.spec.version,
            digest=source.digest,
            yaml=source.text,
            spec=source.spec.to_json(),
            bundle_sha256=source.bundle_sha256,
            bundle_size=len(source.bundle),
            published_by=user,
        )
        if pipeline.latest is None or _order(version.version) > _order(pipeline.latest.version):
            Pipeline.objects.filter(pk=pipeline.pk).update(latest=version)
    return version, True


def publish_built_ins() -> list[PipelineVersion]:
    """Every built-in pipeline of this installation; those already here are left as they are.

    A changed one that kept its version (a checkout under work) must not keep the platform from starting.
    """
    published = []
    for folder in sorted(file.parent for file in BUILT_IN.glob("*/pipeline.yaml")):
        if folder.name in INTERNAL:
            continue
        try:
            published.append(publish(source=load(folder))[0])
        except Conflict as exc:
            log.warning("built-in pipeline not published", extra={"folder": folder.name, "error": str(exc)})
    return published


def _named(user: User, name: str) -> QuerySet[Pipeline]:
    # The text and the form are long, and of most versions known already: see `spec_of`.
    rows = Pipeline.objects.visible_to(user).select_related("latest").defer("latest__yaml", "latest__spec")
    return rows.filter(name=name)


NAMED_PIPELINE: Final = Ready(_named, name=str)


_SPECS: Final[dict[UUID, PipelineSpec]] = {}
MOST_SPECS: Final = 1_000


def specs_of(version_ids: Iterable[UUID]) -> dict[UUID, PipelineSpec]:
    """Read once by each process: a version never changes. What they hold is not to be changed by anybody either."""
    wanted = set(version_ids)
    found = {pk: spec for pk in wanted if (spec := _SPECS.get(pk)) is not None}
    if missing := wanted - found.keys():
        rows = PipelineVersion.objects.filter(pk__in=missing).values_list("pk", "spec")
        new = {pk: PipelineSpec.from_json(spec) for pk, spec in rows}
        if len(_SPECS) > MOST_SPECS:
            _SPECS.clear()
        _SPECS.update(new)
        found |= new
    return found


def spec_of(version_id: UUID) -> PipelineSpec:
    return specs_of([version_id])[version_id]


def find_version(*, user: User, reference: str) -> PipelineVersion:
    """`name` (its latest version) or `name@version`."""
    name, _, wanted = reference.partition("@")
    found = NAMED_PIPELINE(user, name=name)
    pipeline = found[0] if found else None
    if pipeline is None or pipeline.latest is None:
        known = ", ".join(Pipeline.objects.visible_to(user).order_by("name").values_list("name", flat=True)[:20])
        raise NotFound(f"There is no pipeline {name!r}. There are: {known or 'none yet'}.")
    if not wanted:
        version: PipelineVersion | None = pipeline.latest
    else:
        version = pipeline.versions.filter(version=wanted).first()
    if version is None:
        raise NotFound(f"Pipeline {name} has no version {wanted!r}; its latest is {pipeline.latest.version}.")
    version.pipeline = pipeline
    return version


def store_bundle(source: Source) -> None:
    if source.bundle:
        _store(source.bundle_sha256, source.bundle)


def bring_bundles(folder: Path) -> int:
    """Of published code, what lies in `folder` and not where it should; how much that was.

    There it lay before the storage became a bucket. It is left there, for a release before this one.
    """
    brought = 0
    published = PipelineVersion.objects.exclude(bundle_sha256="").order_by()
    for sha256 in published.values_list("bundle_sha256", flat=True).distinct():
        file = folder / bundle_key(sha256)
        if not file.is_file():
            continue
        bundle = file.read_bytes()
        if hashlib.sha256(bundle).hexdigest() != sha256:
            log.error("code of a pipeline is damaged and was left where it is", extra={"file": str(file)})
            continue
        brought += _store(sha256, bundle)
    return brought


def _store(sha256: str, bundle: bytes) -> bool:
    """Whether it was not there yet."""
    storage = get_storage(STORAGE)
    key = bundle_key(sha256)
    if storage.size(key) == len(bundle):
        return False
    incoming = storage.receive(key)
    try:
        incoming.write(bundle)
        incoming.commit()
    except FileExistsError:
        return False  # another process published the same bytes just now
    finally:
        incoming.discard()
    return True


def _refuse_change(found: PipelineVersion, source: Source) -> None:
    if (found.digest, found.bundle_sha256) == (source.digest, source.bundle_sha256):
        return
    what = "pipeline.yaml" if found.digest != source.digest else "the code beside pipeline.yaml"
    raise Conflict(
        f"{source.spec.name} {source.spec.version} is already published and {what} differs. "
        "A published version never changes: raise `version` and publish again."
    )


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
