"""A table of prices, read from a file and checked: each with its unit, where it was read and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGED: Final = Path(__file__).with_name("prices.yaml")
NEEDED: Final = ("vcpu_hour", "memory_gib_hour")
KNOWN: Final = frozenset({*NEEDED, "gpu_hour", "spot_share", "state_transition"})
LONGEST_NAME: Final = 60


class BadPrices(ValueError):
    """The table of prices cannot be used."""


@dataclass(frozen=True, slots=True)
class Price:
    value: Decimal
    unit: str
    source: str
    as_of: date


@dataclass(frozen=True, slots=True)
class StorageClass:
    """From so many days of age on."""

    from_days: int
    price: Price


@dataclass(frozen=True, slots=True)
class PriceTable:
    name: str
    region: str
    prices: Mapping[str, Price]
    storage: tuple[StorageClass, ...] = ()

    @property
    def as_of(self) -> date:
        """The oldest of them: the table is no newer than that."""
        return min(price.as_of for price in self.prices.values())

    @property
    def label(self) -> str:
        """What a row says that was priced by it."""
        return f"{self.name} {self.as_of}"


def load(path: Path) -> PriceTable:
    """Raises BadPrices with a sentence that says where."""
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise BadPrices(f"{path} cannot be read: {exc}") from exc
    if not isinstance(said, dict) or not isinstance(said.get("prices"), dict):
        raise BadPrices(f"{path} has no `prices`.")
    prices = {str(name): _price(f"{path}: {name}", given) for name, given in said["prices"].items()}
    if missing := [name for name in NEEDED if name not in prices]:
        raise BadPrices(f"{path} has no price of {', '.join(missing)}.")
    classes = tuple(_class(path, prices, given) for given in said.get("storage") or ())
    days = [one.from_days for one in classes]
    if classes and (days[0] != 0 or days != sorted(set(days))):
        raise BadPrices(f"{path}: storage classes begin at day 0, each later than the one before.")
    # A price that nothing asks for is a slip of the pen, and what was meant would go unpriced.
    used = KNOWN | {given["price"] for given in said.get("storage") or ()}
    if unknown := sorted(prices.keys() - used):
        raise BadPrices(f"{path}: nothing asks for {', '.join(unknown)}. Known are {', '.join(sorted(KNOWN))}.")
    name = str(said.get("name") or path.stem)
    if len(name) > LONGEST_NAME:
        raise BadPrices(f"{path}: its name is longer than {LONGEST_NAME} characters.")
    return PriceTable(name, str(said.get("region", "")), prices, classes)


def _price(where: str, given: Any) -> Price:
    if not isinstance(given, dict):
        raise BadPrices(f"{where}: value, unit, source and as_of are needed.")
    try:
        value = Decimal(str(given["value"]))
        as_of = given["as_of"] if isinstance(given["as_of"], date) else date.fromisoformat(str(given["as_of"]))
        price = Price(value, str(given["unit"]), str(given["source"]), as_of)
    except (KeyError, InvalidOperation, ValueError) as exc:
        raise BadPrices(f"{where}: value, unit, source and as_of are needed ({exc!r}).") from exc
    if not (value.is_finite() and value >= 0):
        raise BadPrices(f"{where}: {value} is no price.")
    if not price.source.strip():
        raise BadPrices(f"{where}: say where it was read.")
    return price


def _class(path: Path, prices: Mapping[str, Price], given: Any) -> StorageClass:
    if not isinstance(given, dict) or given.get("price") not in prices or not isinstance(given.get("from_days"), int):
        raise BadPrices(f"{path}: a storage class has from_days and the name of a price, not {given!r}.")
    return StorageClass(given["from_days"], prices[given["price"]])
