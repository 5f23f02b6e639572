"""Fetch a job's results as one ZIP: a `.part` file that goes on after a cut, its name only when all of it is there."""

import os
import re
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import httpx

from api_app.client.contract import jobs
from api_app.client.errors import LocalFileError
from api_app.client.progress import Progress, no_progress
from api_app.client.transport import Transport


def fetch_archive(transport: Transport, job_id: str, target: Path, progress: Progress = no_progress) -> Path:
    """Raises LocalFileError rather than write over a file."""
    if os.path.lexists(target):
        raise LocalFileError(f"{target} is there already. Choose another name, or remove it.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            _fetch(transport, jobs.download_results(job_id).path, file, progress)
        os.link(part, target)  # unlike a rename, never over what came meanwhile
    except OSError as fault:
        raise LocalFileError(f"Cannot write {target} ({fault.strerror or fault}).") from fault
    finally:
        part.unlink(missing_ok=True)
    return target


def _fetch(transport: Transport, address: str, file: BinaryIO, progress: Progress) -> None:
    patience, etag = transport.patience(), ""
    while True:
        before = file.tell()
        try:
            headers = {"Accept-Encoding": "identity"}
            if before and etag:
                headers |= {"Range": f"bytes={before}-", "If-Range": etag}
            with closing(transport.fetch(address, headers)) as response:
                etag = response.headers.get("etag", "")
                _receive(response, file, progress)
        except httpx.TransportError as fault:
            # Only a connection that brings nothing at all uses patience up.
            patience = transport.patience() if file.tell() > before else patience
            transport.wait_or_raise(fault, patience)
        else:
            return


def _receive(response: httpx.Response, file: BinaryIO, progress: Progress) -> None:
    """Raises a TransportError when it ends before its length: h11 counts, and so says httpx."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("content-range", ""))
    if response.status_code != httpx.codes.PARTIAL_CONTENT or found is None or int(found[1]) != file.tell():
        # Other results than before: what came of them is of no use.
        file.seek(0)
        file.truncate()
    total = int(found[2]) if found else int(response.headers.get("content-length", 0))
    for chunk in response.iter_raw():
        file.write(chunk)
        progress("receiving", file.tell(), total)
