"""What all files of one call share: the threads that send, and how much may be signed before it is sent."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

from api_app.client.errors import EsteiraError, StoppedError
from api_app.client.uploads.bundles import bundles, send_bundle
from api_app.client.uploads.calls import Calls, new_key
from api_app.client.uploads.outgoing import Outcome, Outgoing, Watch
from api_app.client.uploads.parts import Meter, Part, PartSender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from api_app.client.contract.shapes import File
    from api_app.client.uploads.known import Known

FILES_AT_ONCE: Final = 4
"""Large files, or groups of small ones, that are read, begun and completed at a time."""


class Crew:
    def __init__(self, calls: Calls, *, max_parallel: int, watch: Watch, known: Known, bundle_max: int = 0) -> None:
        self.calls = calls
        self.known = known
        self.watch = watch
        self.max_parallel = max_parallel
        self._bundle_max = bundle_max
        self._sender = PartSender(calls)
        # Signed far ahead, addresses would expire on a slow line before their turn comes.
        self._slots = threading.BoundedSemaphore(2 * max_parallel)
        self._parts = ThreadPoolExecutor(max_parallel, thread_name_prefix="part")
        self._files = ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="file")
        self._prints: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.calls.stop()
        self._files.shutdown(cancel_futures=True)
        self._parts.shutdown(cancel_futures=True)

    def start[**P, T](self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._files.submit(work, *args, **kwargs)

    def require_running(self) -> None:
        if self.calls.stopped.is_set():
            raise StoppedError

    def take_slot(self, *, waits: bool) -> bool:
        return self._slots.acquire(blocking=waits)

    def free_slot(self) -> None:
        self._slots.release()

    def send(self, part: Part) -> Future[None]:
        return self._parts.submit(self._sender.send, part)

    def send_together(self, parts: Sequence[Part]) -> set[str]:
        """What arrived of whole small files that go in few requests: ids of uploads. The rest goes alone."""
        groups = bundles(parts, self._bundle_max)
        sending = [self._parts.submit(send_bundle, self.calls, group) for group in groups]
        return set().union(*(one.result() for one in sending))

    def send_in_slot(self, part: Part) -> Future[None]:
        sending = self.send(part)
        sending.add_done_callback(lambda _: self.free_slot())
        return sending

    def meter(self, item: Outgoing) -> Meter:
        return Meter(lambda phase, done: self.watch.moved(item, phase, done))

    def own_print(self, fingerprint: str) -> str:
        """Two files of one call that look the same must not go on with each other's upload."""
        with self._lock:
            is_first = fingerprint not in self._prints
            self._prints.add(fingerprint)
        return fingerprint if is_first else new_key()

    def ended(self, outcome: Outcome) -> Outcome:
        self.watch.ended(outcome)
        return outcome

    def there(self, item: Outgoing, file: File) -> Outcome:
        self.watch.moved(item, "sending", file["size"])
        return self.ended(Outcome(item, file, was_there=True))

    def failed(self, item: Outgoing, fault: EsteiraError) -> Outcome:
        return self.ended(Outcome(item, fault=fault))
