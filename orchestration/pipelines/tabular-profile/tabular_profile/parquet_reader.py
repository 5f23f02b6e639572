"""Parquet: read in full, so that a damaged page is found now and not by whoever opens the table next."""

from pathlib import Path
from typing import Any

import duckdb
from esteira_kit import step
from esteira_kit.index import InputFile

from tabular_profile.engine import literal
from tabular_profile.load import NOT_THE_FILE, refused, to_parquet


def load(
    engine: duckdb.DuckDBPyConnection, file: InputFile, _params: dict[str, Any], progress: step.Progress, target: Path
) -> dict[str, str]:
    source = literal(file.path)
    try:
        to_parquet(engine, f"FROM read_parquet({source})", target, progress)
        row = engine.execute(
            f"FROM parquet_file_metadata({source}) SELECT any_value(created_by), any_value(num_row_groups)"
        ).fetchone()
    except NOT_THE_FILE:
        raise
    except duckdb.Error as fault:
        raise refused("This Parquet file is damaged or uses a feature that is not supported", fault) from fault
    author, groups = row or ("", "")
    return {"Written by": step.one_line(str(author or ""), 80), "Row groups": f"{groups:,}" if groups else ""}
