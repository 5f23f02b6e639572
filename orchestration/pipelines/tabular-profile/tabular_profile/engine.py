"""The DuckDB connection: small enough for the step's memory, with a progress bar."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from esteira_kit import step

# `resources` of the step in pipeline.yaml: two processors, 2 GiB. DuckDB's own count leaves out what its readers
# and Python hold, so it gets half.
THREADS = 2
MEMORY_LIMIT = "900MiB"
_POLL_S = 0.3


def connect() -> duckdb.DuckDBPyConnection:
    engine = duckdb.connect(
        ":memory:",
        config={
            "threads": THREADS,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(step.scratch() / "duckdb"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    # Otherwise a bar of its own is drawn over the log.
    engine.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
    return engine


@contextmanager
def watched(
    engine: duckdb.DuckDBPyConnection, progress: step.Progress, span: tuple[float, float], text: str
) -> Iterator[None]:
    """Report the running query's progress as a part of the item's bar."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL_S):
            share = engine.query_progress()
            if share >= 0:
                progress(span[0] + (span[1] - span[0]) * share / 100, text)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
