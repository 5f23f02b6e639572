"""Step `convert`: one table of any kind becomes Parquet and a profile of its columns."""

from importlib import import_module
from typing import Any

from esteira_kit import step
from esteira_kit.index import read_index

from tabular_profile.formats import form_of

_FORM_NAMES = {"csv": "CSV", "json": "JSON", "parquet": "Parquet", "xlsx": "Excel"}


def main() -> None:
    file = read_index().own_input()
    params = step.params()
    progress = step.Progress()
    form = form_of(file.path, file.name)
    # DuckDB takes 0.2 s to import: a file that is no table is refused before.
    engine_module = import_module("tabular_profile.engine")
    reader = import_module(f"tabular_profile.{form}_reader")
    target = step.output(f"{step.stem(file.name)}.parquet")
    with engine_module.connect() as engine:
        facts = reader.load(engine, file, params, progress, target)
        from tabular_profile.column_profile import profile  # noqa: PLC0415 - see above

        found = profile(engine, target, params["sample_rows"], progress)
    result: dict[str, Any] = {
        "name": file.name,
        "form": _FORM_NAMES[form],
        "size": file.size,
        "parquet_size": target.stat().st_size,
        "facts": {label: value for label, value in facts.items() if value},
        **found,
    }
    step.write_json(f"{step.stem(file.name)}.profile.json", result)
    progress(1, "Done")


if __name__ == "__main__":
    step.run(main)
