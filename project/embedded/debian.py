"""Programs that pip cannot bring, from the machine's own packages where we may install them."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from project.embedded.console import say

APT = (
    "apt-get",
    "-q",
    "-y",
    "-o",
    "DPkg::Lock::Timeout=300",  # another set-up may be installing just now
    "-o",
    "Dpkg::Use-Pty=0",
)
# Debian keeps servers where an ordinary user's PATH does not look.
SERVERS = "/usr/sbin"
POSTGRESQL = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Program:
    title: str
    commands: tuple[str, ...]
    package: str
    needed_for: str

    def path(self) -> str | None:
        versions = sorted(map(str, POSTGRESQL.glob("*/bin")), reverse=True)
        folders = os.pathsep.join([os.environ.get("PATH", os.defpath), SERVERS, *versions])
        return next((found for command in self.commands if (found := shutil.which(command, path=folders))), None)

    def how_to_get(self) -> str:
        return f"`apt-get install {self.package}` as root (or your system's package of that name) brings it."


CHROMIUM = Program(
    title="Chromium",
    commands=(
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    ),
    package="chromium",
    needed_for="browser tests and screenshots",
)
BUBBLEWRAP = Program(
    title="bubblewrap",
    commands=("bwrap",),
    package="bubblewrap",
    needed_for="the isolation of steps",
)
CLAMD = Program(
    title="ClamAV",
    commands=("clamd",),
    package="clamav-daemon",
    needed_for="the tests of the virus scanner",
)
PROMTOOL = Program(
    title="promtool",
    commands=("promtool",),
    package="prometheus",
    needed_for="the tests of alerts",
)
POSTGRES = Program(
    title="PostgreSQL with TLS",
    commands=("postgres",),
    package="postgresql",
    needed_for="the tests of the database's TLS, which the embedded one has not",
)
ZSH = Program(title="zsh", commands=("zsh",), package="zsh", needed_for="the tests of its tab key")
FISH = Program(title="fish", commands=("fish",), package="fish", needed_for="the tests of its tab key")
BUILDAH = Program(
    title="buildah",
    commands=("buildah",),
    package="buildah",
    needed_for="the tests of the images",
)
DEBOOTSTRAP = Program(
    title="debootstrap",
    commands=("debootstrap",),
    package="debootstrap",
    needed_for="the tests of the images",
)
CADDY = Program(
    title="Caddy",
    commands=("caddy",),
    package="caddy",
    needed_for="the tests of the proxy in front of one server",
)
PROGRAMS = {
    "chromium": CHROMIUM,
    "bubblewrap": BUBBLEWRAP,
    "clamd": CLAMD,
    "promtool": PROMTOOL,
    "postgres": POSTGRES,
    "zsh": ZSH,
    "fish": FISH,
    "buildah": BUILDAH,
    "debootstrap": DEBOOTSTRAP,
    "caddy": CADDY,
}


def ensure(program: Program) -> str | None:
    """The program's path, installed if that is possible here, or nothing."""
    found = program.path()
    if found is None and can_install():
        say(f"Installing {program.title} with apt-get, for {program.needed_for} …")
        install(program.package)
        found = program.path()
    return found


def can_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(package: str) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = (*APT, "install", "--no-install-recommends", package)
    # A bare machine has no package lists yet, and old ones name packages that are gone.
    for attempt in (command, (*APT, "update"), command):
        done = subprocess.run(
            attempt, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode == 0 and attempt is command:
            return True
    say("\n".join(f"  {line}" for line in done.stderr.strip().splitlines()[-3:]))
    return False


def is_debian() -> bool:
    return Path("/etc/debian_version").exists()
