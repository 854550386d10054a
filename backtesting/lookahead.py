"""Whether a strategy looks ahead, and how soon it forgets where its bars began (contract 13.8, W1)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backtesting.decisions import Terms
from backtesting.errors import LookAheadError
from backtesting.simulation import simulate
from backtesting.strategy import Strategy
from backtesting.types import NS_PER_DAY, Bars, Booleans, Costs, Floats, Integers, Signals

SPREAD_CUTS, MORE_CUTS = 40, 8
LATE_STARTS, BARS_BETWEEN_STARTS, MORE_BARS = 5, 40, 250
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class LookAheadReport:
    """What was found of a strategy that does not look ahead.

    It decided the same at `cuts` bars with and without the bars after them. `first_defined` is the first bar with every
    indicator defined, None where there is none; `warmup` bars should come before it. `drift` says how much the value of
    an indicator differs when it starts only `warmup + unstable` bars before, as a fraction of its largest value; None
    where it is not even defined by then. `total_return` is what the signals earn without costs, `delayed_return` what
    they earn a bar later: on a random walk nobody has an edge to lose by waiting a bar but who saw the next one.
    """

    bars: int
    cuts: int
    first_defined: int | None
    drift: Mapping[str, float | None]
    total_return: float
    delayed_return: float


def check_look_ahead(strategy: Strategy, bars: Bars | None = None) -> LookAheadReport:
    """Compare what the strategy says with fewer bars known; by default on a random walk, always the same.

    LookAheadError names every indicator and signal that later bars change, and its first such bar. Own bars should be
    more than twice `warmup + unstable`.
    """
    settled = strategy.warmup + strategy.unstable
    bars = random_walk(2 * settled + MORE_BARS) if bars is None else bars
    whole = strategy.signals(bars)
    cuts = _cuts(strategy.warmup, whole, len(bars))
    if leaks := _leaks(strategy, bars, whole, cuts):
        raise _refusal(strategy, leaks)
    first = _first_defined(whole, len(bars))
    return LookAheadReport(
        bars=len(bars),
        cuts=len(cuts),
        first_defined=first,
        drift=_drift(strategy, bars, whole.indicators, settled),
        total_return=_total_return(bars, whole, first or 0),
        delayed_return=_total_return(bars, delayed(whole), first or 0),
    )


def random_walk(length: int) -> Bars:
    """Return daily bars whose closes move by 1.5 % a day and lead nowhere, the same ones every time."""
    moves = np.random.default_rng(0).standard_normal((length, 5))
    close = 100 * np.exp(0.015 * np.cumsum(moves[:, 0]))
    open_ = np.concatenate([[100.0], close])[:-1] * np.exp(0.003 * moves[:, 1])
    high = np.maximum(open_, close) * np.exp(0.004 * np.abs(moves[:, 2]))
    low = np.minimum(open_, close) * np.exp(-0.004 * np.abs(moves[:, 3]))
    time = NS_PER_DAY * np.arange(length, dtype=np.int64)
    return Bars(time, open_, high, low, close, 1e6 * np.exp(0.3 * moves[:, 4]))


def delayed(signals: Signals) -> Signals:
    """Return the signals, each a bar later."""
    shorts = (None if each is None else _later(each) for each in (signals.short_entries, signals.short_exits))
    return Signals(_later(signals.entries), _later(signals.exits), signals.indicators, *shorts)


def _later(decided: Booleans) -> Booleans:
    return np.concatenate([np.zeros(1, dtype=np.bool_), decided])[:-1]


def _cuts(warmup: int, whole: Signals, length: int) -> Sequence[int]:
    """Return bars to stop at: all along the series, more inside the warm-up, more where each signal is given.

    What is filled back in the warm-up shows only there, what peeks at the next bar mostly where it decides.
    """
    kinds: list[Floats | Integers] = [
        np.linspace(0, length - 2, SPREAD_CUTS),
        np.linspace(0, min(warmup, length - 2), MORE_CUTS),
    ]
    for _, decided in _decisions(whole):
        bars = np.flatnonzero(decided)
        kinds.append(bars[np.linspace(0, len(bars) - 1, min(MORE_CUTS, len(bars))).astype(np.int64)])
    return [int(cut) for cut in np.unique(np.concatenate(kinds).astype(np.int64))]


def _leaks(strategy: Strategy, bars: Bars, whole: Signals, cuts: Sequence[int]) -> Mapping[str, int]:
    """Return the first bar of each indicator and signal that is another one before the bars after it are known."""
    leaks: dict[str, int] = {}
    for cut in cuts:
        part = dict(_columns(strategy.signals(bars[: cut + 1])))
        for name, column in _columns(whole):
            bar = _first_difference(column[: cut + 1], part.get(name))
            if bar is not None:
                leaks[name] = min(bar, leaks.get(name, bar))
    return leaks


def _columns(signals: Signals) -> Iterator[tuple[str, Floats | Booleans]]:
    """Return all that the strategy says, indicators first: a signal mostly leaks by one of them."""
    yield from ((f"indicator {name!r}", values) for name, values in signals.indicators.items())
    yield from _decisions(signals)


def _decisions(signals: Signals) -> Iterator[tuple[str, Booleans]]:
    for name in ("entries", "exits", "short_entries", "short_exits"):
        if (decided := getattr(signals, name)) is not None:
            yield name, decided


def _first_difference(known: Floats | Booleans, part: Floats | Booleans | None) -> int | None:
    """Return the first bar where the two differ by more than rounding does."""
    if part is None or len(part) != len(known):
        return 0
    if part.tobytes() == known.tobytes():
        return None
    margin = TOLERANCE * _largest(known)
    differ = np.flatnonzero(~np.isclose(part, known, rtol=TOLERANCE, atol=margin, equal_nan=True))
    return int(differ[0]) if len(differ) else None


def _largest(values: Floats | Booleans) -> float:
    return float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))


def _refusal(strategy: Strategy, leaks: Mapping[str, int]) -> LookAheadError:
    told = ", ".join(f"{name} from bar {bar} on" for name, bar in leaks.items())
    return LookAheadError(
        f"{strategy.id()} looks ahead: later bars change {told}; compute each bar from it and earlier ones alone",
        field="strategy_id",
    )


def _first_defined(signals: Signals, length: int) -> int | None:
    defined = np.ones(length, dtype=np.bool_)
    for values in signals.indicators.values():
        defined &= np.isfinite(values)
    return int(np.argmax(defined)) if defined.any() else None


def _drift(
    strategy: Strategy, bars: Bars, indicators: Mapping[str, Floats], settled: int
) -> Mapping[str, float | None]:
    """Return each indicator's largest difference at some ends between few bars before and all of them."""
    last = len(bars) - 1
    ends = [end for end in range(last, last - LATE_STARTS * BARS_BETWEEN_STARTS, -BARS_BETWEEN_STARTS) if end > settled]
    late = [strategy.signals(bars[end - settled : end + 1]).indicators for end in ends]
    drift: dict[str, float | None] = {}
    for name, values in indicators.items():
        apart = np.abs(np.array([each[name][-1] for each in late]) - values[ends])
        share = float(np.max(apart, initial=0)) / (_largest(values) or 1.0)
        drift[name] = share if np.isfinite(share) else None
    return drift


def _total_return(bars: Bars, signals: Signals, first_decision: int) -> float:
    terms = Terms(
        initial_capital=1.0,
        position_size=1.0,
        costs=Costs(commission=0, slippage=0),
        fill="next_open",
        first_decision=first_decision,
        history=0,
    )
    return float(simulate(bars, signals, terms).equity[-1]) - 1
