"""What is suspicious about bars as a series: each rule one function and one line of `RULES`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from backtesting.data_quality.ledger import NAMED_DATES, Kind
from backtesting.sessions import STEP, Gaps, session_of
from backtesting.types import (
    NS_PER_DAY,
    Asset,
    AssetClass,
    Bars,
    Booleans,
    Floats,
    Integers,
    Severity,
    Timeframe,
    instant,
)

WARNING, REMARK = Severity.WARNING, Severity.REMARK
SPLIT_RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 10.0, 20.0])
SPLIT_TOLERANCE = 0.03
SPIKE_DEVIATIONS = 15.0
NORMAL_DEVIATION = 1.4826  # of a normal distribution, in median absolute deviations
FEW_RETURNS = 30
HALF_HOUR = STEP[Timeframe.M30]
SHORTEST_WEEK = 5 * NS_PER_DAY  # sources that label weeks by their first session meet holidays


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Sorted bars and what is known beside them; the first `judged` of them were judged with an earlier part."""

    bars: Bars
    judged: int
    line: Integers
    split: Booleans
    asset: Asset
    timeframe: Timeframe
    gaps: Gaps | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """How many there are, and where the first ones stand."""

    count: int
    lines: Integers | None = None
    named: tuple[str, ...] = ()


Rule = Callable[[Evidence], Found]


def gaps(evidence: Evidence) -> Found:
    """Find bars the calendar expects."""
    if (found := evidence.gaps) is None:
        return Found(0)
    spans = [(_spoken(evidence, first), _spoken(evidence, last)) for first, last in found.spans]
    return Found(found.count, named=tuple(first if first == last else f"{first} to {last}" for first, last in spans))


def calendar_unknown(evidence: Evidence) -> Found:
    """Count the bars for whose time no sessions are known."""
    judged = len(evidence.bars) - evidence.judged
    return Found(judged if evidence.gaps is None else min(judged, evidence.gaps.unchecked))


def irregular(evidence: Evidence) -> Found:
    """Find stamps off the grid that most stand on, and those too near to the one before."""
    time, step = evidence.bars.time, STEP[evidence.timeframe]
    shortest = SHORTEST_WEEK if evidence.timeframe is Timeframe.W1 else step
    phase = time % min(step, HALF_HOUR)
    usual = phase[0] if (phase == phase[0]).all() else _most_frequent(phase)
    return _new(evidence, (phase != usual) | (np.diff(time, prepend=time[0] - step) < shortest))


def no_volume(evidence: Evidence) -> Found:
    """Find bars nobody traded in, where volume means something."""
    if evidence.asset.asset_class in (AssetClass.FX, AssetClass.INDEX):
        return Found(0)
    return _new(evidence, evidence.bars.volume == 0)


def unadjusted_split(evidence: Evidence) -> Found:
    """Find overnight moves near a split ratio (T7) that neither adj_close nor a split given explains."""
    close, open_ = (price * _factor(evidence.bars) for price in (evidence.bars.close, evidence.bars.open))
    ratio = close[:-1] / open_[1:]
    size = np.maximum(ratio, 1 / ratio)
    large = np.flatnonzero(size >= SPLIT_RATIOS[0] * (1 - SPLIT_TOLERANCE))
    near = (np.abs(size[large, None] / SPLIT_RATIOS - 1) <= SPLIT_TOLERANCE).any(axis=1)
    bars = large[near] + 1
    bars = bars[bars >= evidence.judged]
    return _at(evidence, bars[_overnight(evidence, bars) & ~evidence.split[bars]])


def outliers(evidence: Evidence) -> Found:
    """Find closes far from both neighbours: a return beyond 15 robust deviations that the next one takes back."""
    returns = np.diff(np.log(evidence.bars.close * _factor(evidence.bars)))
    moving = returns[returns != 0]
    if len(moving) < FEW_RETURNS:
        return Found(0)
    middle = np.median(moving)
    deviation = NORMAL_DEVIATION * np.median(np.abs(moving - middle))
    there, back = returns[:-1] - middle, returns[1:] - middle
    far = np.abs(there) > SPIKE_DEVIATIONS * max(deviation, np.finfo(float).tiny)
    spikes = np.flatnonzero(far & (np.abs(there + back) <= np.abs(there) / 2)) + 1
    return _at(evidence, spikes)


RULES: tuple[tuple[Kind, Rule], ...] = (
    (Kind("gaps", WARNING, "{bars} missing that the calendar expects: {named}"), gaps),
    (
        Kind("calendar_unknown", REMARK, "the calendar of {bars} is not known: gaps are not looked for"),
        calendar_unknown,
    ),
    (Kind("irregular", WARNING, "{rows} ({share}) off the grid of the timeframe, first {named}", 0.001), irregular),
    (Kind("zero_volume", WARNING, "{bars} ({share}) without volume", 0.1), no_volume),
    (
        Kind(
            "unadjusted_split_suspected",
            WARNING,
            "prices jump by a split ratio on {named}: adjust them or find out why",
        ),
        unadjusted_split,
    ),
    (Kind("outliers", WARNING, "{bars} far from both neighbours, first {named}: bad ticks look like this"), outliers),
)


def _at(evidence: Evidence, bars: Integers) -> Found:
    named = tuple(_spoken(evidence, instant(evidence.bars.time[bar])) for bar in bars[:NAMED_DATES])
    return Found(len(bars), evidence.line[bars], named)


def _new(evidence: Evidence, where: Booleans) -> Found:
    """Return the bars of this part where it is so."""
    return _at(evidence, np.flatnonzero(where[evidence.judged :]) + evidence.judged)


def _spoken(evidence: Evidence, when: datetime) -> str:
    return f"{when:%Y-%m-%d}" if STEP[evidence.timeframe] >= NS_PER_DAY else f"{when:%Y-%m-%d %H:%M}"


def _factor(bars: Bars) -> Floats | float:
    return 1.0 if bars.adj_close is None else bars.adj_close / bars.close


def _overnight(evidence: Evidence, bars: Integers) -> Booleans:
    """Tell which bars belong to another session than the one before."""
    here, before = (
        session_of(evidence.asset, evidence.timeframe, evidence.bars.time[each]) for each in (bars, bars - 1)
    )
    other: Booleans = here != before
    return other


def _most_frequent(values: Integers) -> int:
    each, counts = np.unique(values, return_counts=True)
    return int(each[np.argmax(counts)])
