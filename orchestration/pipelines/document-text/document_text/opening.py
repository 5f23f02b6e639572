"""Opens a PDF, or says in a sentence why not."""

from pathlib import Path
from typing import TYPE_CHECKING

from esteira_kit.step import Refusal

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

# Readers of PDF accept other bytes before the mark, but not many.
_MARK_WITHIN = 1024


def open_document(path: Path) -> "PdfDocument":
    with path.open("rb") as source:
        head = source.read(_MARK_WITHIN)
    if not head:
        raise Refusal("This file is empty.")
    if b"%PDF-" not in head:
        raise Refusal("This file is not a PDF document.")
    # Loading the library takes longer than all of the above.
    import pypdfium2 as pdfium  # noqa: PLC0415
    import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as fault:
        if fault.err_code in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
            raise Refusal("This document is protected by a password; save it without one and try again.") from fault
        raise Refusal("This PDF document is damaged and cannot be opened.") from fault
    return document
