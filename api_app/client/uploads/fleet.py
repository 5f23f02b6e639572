"""All that one call sends: small files in groups, large ones in parts, streams one after another."""

from collections.abc import Iterable, Sequence

from api_app.client.errors import EsteiraError
from api_app.client.transport import Transport
from api_app.client.uploads.calls import Calls
from api_app.client.uploads.crew import Crew
from api_app.client.uploads.known import Known
from api_app.client.uploads.large import send_large
from api_app.client.uploads.outgoing import DiskFile, Outcome, Outgoing, Watch
from api_app.client.uploads.small import SMALL, Pair, groups, send_small
from api_app.client.uploads.streams import send_stream


def upload_many(
    transport: Transport,
    items: Sequence[Outgoing],
    *,
    workspace: str | None = None,
    max_parallel: int | None = None,
    watch: Watch | None = None,
    again: bool = True,
) -> list[Outcome]:
    """What became of each, in the same order. One that fails does not stop the others.

    `again`: also what was sent completely before, within a day.
    """
    with Calls(transport, workspace) as calls:
        config = calls.config()
        most = config["max_parallel"]
        parallel, known = min(max_parallel or most, most), Known(calls, is_asked=not again)
        with Crew(
            calls,
            max_parallel=parallel,
            watch=watch or Watch(),
            known=known,
            bundle_max=config.get("bundle_max", 0),
        ) as crew:
            outcomes, files, streams = _sorted(crew, items)
            large = [crew.start(send_large, crew, *pair) for pair in files if pair[1].size > SMALL]
            small = [crew.start(send_small, crew, group) for group in groups(p for p in files if p[1].size <= SMALL)]
            # Here and not in a thread: who reads from a terminal can only be woken up here.
            outcomes += [send_stream(crew, item, config) for item in streams]
            for group in small:
                outcomes += group.result()
            outcomes += [one.result() for one in large]
    by_item = {id(outcome.item): outcome for outcome in outcomes}
    return [by_item[id(item)] for item in items]


def _sorted(crew: Crew, items: Iterable[Outgoing]) -> tuple[list[Outcome], list[Pair], list[Outgoing]]:
    failed: list[Outcome] = []
    files: list[Pair] = []
    streams: list[Outgoing] = []
    for item in items:
        try:
            if item.is_stream:
                item.checked_name()
                streams.append(item)
            else:
                files.append((item, DiskFile.look(item)))
        except EsteiraError as fault:
            crew.watch.began(item, None)
            failed.append(crew.failed(item, fault))
    return failed, files, streams
