"""Runs the command inside bubblewrap: no network, no capabilities, a read-only view of what it needs."""

from __future__ import annotations

import os

from .order import PlatformFault
from .process import NotStarted, Start, resolve, start
from .work import fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .order import Order
    from .work import Folders

NOBODY = 65534
PLACES = "/usr/bin:/bin:/usr/local/bin"
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "localtime",
    "mime.types",
    "fonts",
    "magic",
)
NETWORK = (
    "resolv.conf",
    "hosts",
    "nsswitch.conf",
    "ssl",
    "ca-certificates",
    "pki",
    "gai.conf",
    "host.conf",
    "services",
)
ACCOUNTS = "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
GROUPS = "nogroup:x:65534:\n"
# The kernel asks for no capability here, only for the owner's id, and root stays that when it becomes nobody inside.
READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr")
HIDDEN = ("kcore", "keys", "kmsg", "kallsyms", "timer_list", "sched_debug", "latency_stats")
# bwrap itself and the init it leaves inside; both end when the step does.
OWN_PROCESSES = 2
WORKS, FAILS = b"works", b"fails"


def find() -> str | None:
    """Where bwrap is, when there is one."""
    try:
        return resolve("bwrap", PLACES, "/")
    except NotStarted:
        return None


def works(bwrap: str, probe_cache: str | None) -> bool:
    """Whether this kernel lets us use it. The answer is kept in a file: asking costs as much as a step."""
    info = os.stat(bwrap)
    key = f"{bwrap} {info.st_size} {info.st_mtime_ns} {os.uname().release} {os.getuid()}\n".encode()
    known = _cached(probe_cache)
    if known.startswith(key):
        return known[len(key) :] == WORKS
    answer = _probe(bwrap)
    if probe_cache is not None:
        _remember(probe_cache, key + (WORKS if answer else FAILS))
    return answer


def _cached(path: str | None) -> bytes:
    if path is None:
        return b""
    try:
        with open(path, "rb", buffering=0) as cache:
            return cache.read(4096)
    except OSError:
        return b""


def _remember(path: str, content: bytes) -> None:
    try:
        with open(f"{path}.{os.getpid()}", "wb", buffering=0) as cache:
            cache.write(content)
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        return  # the next runner asks again


def _probe(bwrap: str) -> bool:
    options = [*_walls(network=False), *_system(network=False)]
    try:
        child = start(Start(bwrap, ["bwrap", *options, "--", "true"], {"PATH": PLACES}, "/"))
    except NotStarted:
        return False
    os.close(child.out)
    _, status = os.waitpid(child.pid, 0)
    return status == 0


def _walls(*, network: bool) -> list[str]:
    options = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    options += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "step"]
    return options + (["--share-net"] if network else [])


def _system(*, network: bool) -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for path in SYSTEM:
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        else:
            options += ["--ro-bind-try", path, path]
    for name in SETTINGS + (NETWORK if network else ()):
        options += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    options += ["--proc", "/proc", "--dev", "/dev"]
    for name in READ_ONLY:
        options += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    for name in HIDDEN:
        if os.path.exists(f"/proc/{name}"):
            options += ["--ro-bind", "/dev/null", f"/proc/{name}"]
    return options


def looking(bwrap: str, python: str, script: str) -> list[str]:
    """A script that sees its standard input, the interpreter and nothing else: no folder of anybody's, no network."""
    called, folders = interpreter(python)
    binds = [word for path in [*folders, script] for word in ("--ro-bind", path, path)]
    return [bwrap, *_walls(network=False), *_system(network=False), *binds, "--chdir", "/", "--", called, "-I", script]


def interpreter(python: str) -> tuple[str, list[str]]:
    """How to call the interpreter inside, and the folders that it needs there."""
    prefix = os.path.dirname(os.path.dirname(python))
    home = _home(os.path.join(prefix, "pyvenv.cfg"))
    if home is None:
        # A link somewhere on the way, as in ~/.local/bin, must not open the folder it lies in.
        python = os.path.realpath(python)
        found = [os.path.dirname(os.path.dirname(python))]
    else:
        found = [prefix, os.path.dirname(home), os.path.dirname(os.path.realpath(home))]
    wanted = dict.fromkeys(found)
    return python, [path for path in wanted if path not in ("/", "/usr") and not path.startswith("/usr/")]


def _home(configuration: str) -> str | None:
    try:
        with open(configuration, encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition("=")
                if key.strip() == "home":
                    return value.strip()
    except OSError:
        return None
    return None


def wrap(bwrap: str, what: Start, order: Order, folders: Folders) -> Start:
    """The same start inside the sandbox. The options go through a file: out of sight, and of any length."""
    options = [*_walls(network=order.network), *_system(network=order.network)]
    options += _accounts(folders)
    # Folders on disk and not tmpfs: memory there would count for nobody.
    for name, place in (("tmp", "/tmp"), ("shm", "/dev/shm")):  # noqa: S108
        fresh(os.path.join(folders.tmp, name))
        options += ["--bind", os.path.join(folders.tmp, name), place]
    for name in order.places:
        fresh(os.path.join(folders.tmp, f"at-{name}"))
        options += ["--bind", os.path.join(folders.tmp, f"at-{name}"), f"/{name}"]
    for layer in order.layers:
        if not os.path.isdir(layer):
            raise PlatformFault(f"The programs that stand for an image are not on this machine: {layer}.")
        python = os.path.join(layer, "bin", "python")
        for path in (layer, *(interpreter(python)[1] if os.path.exists(python) else ())):
            options += ["--ro-bind", path, path]
    program, needed = interpreter(order.python) if order.python else (None, [])
    for prefix in needed:
        options += ["--ro-bind", prefix, prefix]
    for path in (folders.inputs, folders.code, folders.params):
        options += ["--ro-bind", path, path]
    for path in (folders.outputs, folders.scratch):
        options += ["--bind", path, path]
    options += ["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", what.cwd, "--clearenv"]
    for name, value in what.env.items():
        options += ["--setenv", name, value]
    fd = os.memfd_create("options", 0)
    os.write(fd, b"\0".join(map(os.fsencode, options)) + b"\0")
    os.lseek(fd, 0, os.SEEK_SET)
    # Of the step's environment bwrap sees only the mark: a preloaded library would run outside the walls.
    mark = {"ESTEIRA_ATTEMPT_ID": order.attempt_id, "PATH": PLACES}
    path = program if program and what.path == order.python else what.path
    inside = Start(bwrap, ["bwrap", "--args", str(fd), "--", path, *what.argv[1:]], mark, "/")
    inside.file_size_bytes = what.file_size_bytes
    inside.keep = (fd,)
    inside.no_new_privileges = not os.stat(bwrap).st_mode & 0o4000
    return inside


def _accounts(folders: Folders) -> list[str]:
    """Programs that ask for the user's name get an answer, but not the machine's list of users."""
    fresh(folders.tmp)
    options = []
    for name, content in (("passwd", ACCOUNTS), ("group", GROUPS)):
        path = os.path.join(folders.tmp, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        options += ["--ro-bind", path, f"/etc/{name}"]
    return options
