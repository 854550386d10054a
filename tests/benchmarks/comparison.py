"""Works timed in turns, and their ratios held against targets."""

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Target:
    """Ours takes at most `most` times as long as the peer."""

    ours: str
    peer: str
    most: float


def nothing() -> None:
    """Leave everything as it is."""


def in_turns(
    rounds: int,
    works: Mapping[str, Callable[[], object]],
    before_each: Callable[[], object] = nothing,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each work in turns, so that what disturbs the machine disturbs them alike; seconds by name.

    `time.process_time` for a clock leaves out what others do meanwhile.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            before_each()
            begun = clock()
            work()
            seconds[name].append(clock() - begun)
    return seconds


def told(title: str, seconds: Mapping[str, Sequence[float]], targets: Sequence[Target]) -> bool:
    """Print medians, spreads and ratios, and say whether every target holds."""
    print(f"\n{title}")
    for name, each in seconds.items():
        print(f"  {name:<34} median {1e3 * median(each):>10,.2f} ms   {1e3 * min(each):,.2f} to {1e3 * max(each):,.2f}")
    ratios = [median(seconds[each.ours]) / median(seconds[each.peer]) for each in targets]
    held = [
        bounded(f"{each.ours} / {each.peer}", ratio, each.most) for each, ratio in zip(targets, ratios, strict=True)
    ]
    return all(held)


def bounded(name: str, value: float, most: float, unit: str = "") -> bool:
    """Print a value beside its bound, and say whether it holds."""
    print(f"  {name} = {value:,.3f}{unit}, at most {most:,g}{unit}: {'holds' if value <= most else 'MISSED'}")
    return value <= most


def heading(*packages: str) -> str:
    """Name the day, the processor and the versions."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    processor = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    versions = [f"{name} {version(name)}" for name in packages]
    machine = [f"{datetime.now(UTC):%Y-%m-%d}", processor, platform.system(), f"Python {platform.python_version()}"]
    return ", ".join([*machine, *versions])
