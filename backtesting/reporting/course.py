"""Returns by calendar month and year, UTC, and the worst spells under water."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backtesting.reporting.curve import under_water
from backtesting.types import EquityCurve, Floats

MONTHS_A_YEAR = 12


def monthly_returns(curve: EquityCurve, capital: float) -> Mapping[tuple[int, int], float]:
    """Return equity at the last close of each month / the month before's - 1, by year and month from 1.

    The first is measured from the initial capital, so that all of them compound to the total return. Months without a
    close are left out.
    """
    months = curve.time.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
    return {
        (1970 + month // MONTHS_A_YEAR, month % MONTHS_A_YEAR + 1): change
        for month, change in _changes(months.tolist(), curve, capital)
    }


def yearly_returns(curve: EquityCurve, capital: float) -> Mapping[int, float]:
    """Return the same by year."""
    years = curve.time.astype("datetime64[ns]").astype("datetime64[Y]").astype(np.int64)
    return {1970 + year: change for year, change in _changes(years.tolist(), curve, capital)}


def _changes(period: list[int], curve: EquityCurve, capital: float) -> list[tuple[int, float]]:
    """Return each period with its change; 0 where nothing is left to lose."""
    last = dict(zip(period, curve.value.tolist(), strict=True))
    before = [capital, *last.values()]
    return [
        (each, value / base - 1.0 if base > 0 else 0.0)
        for (each, value), base in zip(last.items(), before, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class Spell:
    """A spell under water: its times, ns UTC, and how deep; `recovery` is None where it has not ended."""

    peak: int
    trough: int
    recovery: int | None
    depth: float


def worst_spells(curve: EquityCurve, capital: float, count: int) -> list[Spell]:
    """Return the deepest spells under water, deepest first; one that begins with the run peaks at its first close."""
    depth = under_water(curve, capital).value
    wet = np.concatenate([[False], depth < 0, [False]])
    starts, ends = np.flatnonzero(wet[1:] & ~wet[:-1]), np.flatnonzero(~wet[1:] & wet[:-1])
    spells = [_spell(curve, depth, int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
    return sorted(spells, key=lambda spell: spell.depth)[:count]


def _spell(curve: EquityCurve, depth: Floats, start: int, end: int) -> Spell:
    trough = start + int(depth[start:end].argmin())
    recovery = int(curve.time[end]) if end < len(depth) else None
    return Spell(int(curve.time[max(start - 1, 0)]), int(curve.time[trough]), recovery, float(depth[trough]))
