"""`make simulate ARGS='--seeds N --first K'`: worlds on all cores; of the first bad one, all that happened."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Final

import django

CHUNK: Final = 100
SHOWN: Final = 400
EVERY_S: Final = 5.0


@dataclass(slots=True)
class Part:
    """What a chunk of seeds came to."""

    seeds: int = 0
    hours: float = 0.0
    hits: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)


def set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    import logging

    logging.disable(logging.CRITICAL)  # the simulated AWS refuses thousands of times, and each is logged


def chunk(first: int, seeds: int) -> Part:
    from tests.simulation.history import History

    part = Part(seeds)
    for seed in range(first, first + seeds):
        outcome = History(seed).run()
        part.hours += outcome.hours
        part.hits += outcome.hits
        if outcome.trouble:
            part.bad.append((seed, outcome.trouble))
    return part


def campaign(first: int, seeds: int, cores: int) -> Part:
    total, begun, told = Part(), time.monotonic(), 0.0
    with ProcessPoolExecutor(cores, initializer=set_up) as pool:
        starts = range(first, first + seeds, CHUNK)
        parts = [pool.submit(chunk, start, min(CHUNK, first + seeds - start)) for start in starts]
        for done in as_completed(parts):
            part = done.result()
            total.seeds += part.seeds
            total.hours += part.hours
            total.hits += part.hits
            total.bad += part.bad
            now = time.monotonic()
            if now - told > EVERY_S or total.bad or total.seeds == seeds:
                told = now
                rate = total.seeds / (now - begun)
                print(f"{total.seeds:>9,} of {seeds:,} worlds, {rate:,.0f}/s, {total.hours:,.0f} hours", flush=True)
            if total.bad:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return total


def replay(seed: int) -> None:
    """Everything that happened in that world, its last part at least."""
    set_up()
    from tests.simulation.history import History

    history = History(seed, tells=True)
    outcome = history.run()
    print(f"Seed {seed}: {history.world.chaos}")
    if len(outcome.trace) > SHOWN:
        print(f"    … {len(outcome.trace) - SHOWN} lines before (--seed {seed} --whole shows them)")
    whole = "--whole" in sys.argv
    print("\n".join(outcome.trace if whole else outcome.trace[-SHOWN:]))
    print(outcome.trouble or "Nothing is wrong with it.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000_000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="show this one world and what happens in it")
    parser.add_argument("--whole", action="store_true", help="with --seed: from its beginning")
    asked = parser.parse_args()
    if asked.seed is not None:
        replay(asked.seed)
        return 0
    total = campaign(asked.first, asked.seeds, asked.cores)
    if total.bad:
        seed, trouble = min(total.bad)
        print(f"\nWorld {seed} went wrong: {trouble}\n")
        replay(seed)
        return 1
    print("Nothing went wrong. What befell them:")
    print("\n".join(f"{number:>12,}  {fault}" for fault, number in total.hits.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
