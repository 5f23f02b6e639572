"""The images as tests have them: built by the script that ships, on a Debian of our own, started without an engine.

What a container engine adds to an image is played: a root that cannot be written to, an account without rights, a /tmp
of its own. The network is this machine's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestration.engines.step_functions.definition import WORK
from project.embedded.throwaway import temporary_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "deploy" / "images"
SUITE: Final = "trixie"
BASE: Final = "localhost/debian-python:test"
UV: Final = "localhost/uv:test"
CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
LIMIT_S: Final = 1_500


class Store:
    """A store of images that is nobody else's, and gone afterwards."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="esteira-images-", dir=temporary_root()))
        self._options = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        self._mounted: list[str] = []
        # Somebody may commit while the tests run.
        when = ["git", "log", "-1", "--format=%ct"]
        self._epoch = subprocess.run(when, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    def buildah(self, *words: str) -> str:
        done = subprocess.run(
            ["buildah", *self._options, *words], capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
        assert done.returncode == 0, done.stderr[-3_000:]
        return done.stdout.strip()

    def make_base(self) -> None:
        """What stands for the official images, which only a registry has."""
        system = self.folder / "debian"
        how = ["--variant=minbase", "--include=python3,ca-certificates,bubblewrap", SUITE, str(system)]
        done = subprocess.run(["debootstrap", *how], capture_output=True, text=True, check=False, timeout=LIMIT_S)
        assert done.returncode == 0, done.stdout[-3_000:]
        shutil.rmtree(system / "var" / "cache" / "apt" / "archives")
        self._commit(system, "/", BASE)
        shutil.rmtree(system)
        self._commit(ROOT / ".venv" / "bin" / "uv", "/uv", UV)

    def _commit(self, source: Path, target: str, name: str) -> None:
        container = self.buildah("from", "scratch")
        self.buildah("copy", container, str(source), target)
        self.buildah("commit", "--quiet", container, name)
        self.buildah("rm", container)

    def build(self, *targets: str, tag: str = "test", more: str = "") -> None:
        env = os.environ | {
            "BUILDER": "buildah",
            "BUILDAH_OPTIONS": " ".join(self._options),
            "BUILD_OPTIONS": more,
            "BASE": BASE,
            "UV": UV,
            "IMAGE_TAG": tag,
            "SOURCE_DATE_EPOCH": self._epoch,
            "UV_CONFIG_FILE": str(self._packages_from()),
            "SSL_CERT_FILE": str(CERTIFICATES),
        }
        done = subprocess.run(
            ["sh", str(FOLDER / "build.sh"), *targets],
            env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]

    def _packages_from(self) -> Path:
        """This machine's package index, as pip knows it, in uv's words."""
        pip = [sys._base_executable, "-m", "pip", "config", "get", "global.index-url"]  # type: ignore[attr-defined]
        known = subprocess.run(pip, capture_output=True, text=True, check=False).stdout.strip()
        index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or known
        config = self.folder / "uv.toml"
        config.write_text(f"index-url = {json.dumps(index)}\n" if index else "", encoding="utf-8")
        return config

    def about(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", name))
        return found

    def layers(self, name: str) -> list[str]:
        layers: list[str] = self.about(name)["OCIv1"]["rootfs"]["diff_ids"]
        return layers

    def mount(self, name: str) -> Path:
        container = self.buildah("from", "--pull-never", name)
        self._mounted.append(container)
        return Path(self.buildah("mount", container))

    def save(self, name: str) -> Path:
        """As a registry would get it: each layer packed."""
        target = self.folder / "saved"
        shutil.rmtree(target, ignore_errors=True)
        self.buildah("push", "--quiet", name, f"oci:{target}")
        return target

    def close(self) -> None:
        for container in self._mounted:
            self.buildah("rm", container)
        self.buildah("rmi", "--all", "--force")
        shutil.rmtree(self.folder)


@dataclass(frozen=True, slots=True)
class Image:
    root: Path
    config: dict[str, Any]

    def command(
        self,
        words: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        volumes: Mapping[Path, str] | None = None,
        user: int = 10_001,
        entrypoint: bool = True,
    ) -> list[str]:
        """The words that start a container, as its own configuration says."""
        given = dict(one.split("=", 1) for one in self.config["Env"]) | dict(env or {})
        start = [*((self.config.get("Entrypoint") or []) if entrypoint else []), *(words or self.config["Cmd"])]
        binds = [word for source, target in (volumes or {}).items() for word in ("--bind", str(source), target)]
        return [
            "bwrap", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session",
            "--ro-bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", WORK,
            *binds, "--chdir", self.config.get("WorkingDir") or "/", "--clearenv",
            *(word for name, value in given.items() for word in ("--setenv", name, value)),
            # The account is really another one: in a namespace of users, root's files would look like its own.
            "/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all", *start,
        ]  # fmt: skip
