import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest
import talib

from backtesting.data_loader import check_bars
from backtesting.errors import LookAheadError
from backtesting.lookahead import check_look_ahead, delayed, random_walk
from backtesting.strategies import STRATEGIES
from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategies.macd import MacdCrossover
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.strategy import Strategy, StrategyRegistry, StrategyType
from backtesting.types import Bars, Floats, Signals
from tests.fixtures.series import sample_bars

# what the check takes by default for a warm-up of 4
WALK = random_walk(258)
RISES, FALLS = (np.flatnonzero(sign * np.diff(WALK.close) > 0) for sign in (1, -1))
SLUMPS = np.flatnonzero(np.diff(WALK.close) / WALK.close[:-1] < -0.035)


def shifted(values: Floats, bars: int) -> Floats:
    """Return the values moved later by so many bars, or earlier where it is negative; NaN where nothing is moved to."""
    moved = np.full(len(values), np.nan)
    count = max(len(values) - abs(bars), 0)
    if count and bars >= 0:
        moved[bars:] = values[:count]
    elif count:
        moved[:count] = values[-bars:]
    return moved


def trailing(close: Floats, window: int = 5) -> Floats:
    return talib.SMA(close, window) if len(close) > 1 else np.full(len(close), np.nan)


def by(line: Floats, bars: Bars, **others: Floats) -> Signals:
    return Signals(bars.close > line, bars.close < line, {"line": line, **others})


def centred_window(bars: Bars) -> Signals:
    return by(shifted(trailing(bars.close), -2), bars)


def next_close(bars: Bars) -> Signals:
    return by(shifted(bars.close, -1), bars)


def back_fill(bars: Bars) -> Signals:
    line = trailing(bars.close)
    if np.isfinite(line).any():
        line[:4] = line[4]
    return by(line, bars)


def back_fill_of_one_bar(bars: Bars) -> Signals:
    line, never = trailing(bars.close), np.zeros(len(bars), dtype=np.bool_)
    if len(bars) > 4:
        line[3] = line[4]
    return Signals(never, never, {"line": line})


def full_sample_normalisation(bars: Bars) -> Signals:
    score = (bars.close - np.mean(bars.close)) / max(np.std(bars.close), 1e-9)
    return Signals(score < -1, score > 1, {"score": score})


def indicator_alone(bars: Bars) -> Signals:
    line = trailing(bars.close)
    return by(line, bars, highest=np.full(len(bars), np.max(bars.high)))


def entries_alone(bars: Bars) -> Signals:
    line = trailing(bars.close)
    return Signals(shifted(bars.close, -1) > bars.close, bars.close < line, {"line": line})


def rare_exits(bars: Bars) -> Signals:
    line, falls = trailing(bars.close), np.append(np.diff(bars.close) / bars.close[:-1], 0.0) < -0.035
    return Signals(bars.close > line, falls, {"line": line})


def shorts_alone(bars: Bars) -> Signals:
    line = trailing(bars.close)
    return Signals(bars.close > line, bars.close < line, {"line": line}, shifted(bars.close, -1) < bars.close)


def an_indicator_that_comes_late(bars: Bars) -> Signals:
    line = trailing(bars.close)
    return by(line, bars, **({"late": line} if len(bars) > 100 else {}))


LEAKS: Mapping[Callable[[Bars], Signals], tuple[str, int]] = {
    centred_window: ("indicator 'line'", 2),
    next_close: ("indicator 'line'", 0),
    back_fill: ("indicator 'line'", 0),
    back_fill_of_one_bar: ("indicator 'line'", 3),
    full_sample_normalisation: ("indicator 'score'", 0),
    indicator_alone: ("indicator 'highest'", 0),
    an_indicator_that_comes_late: ("indicator 'late'", 0),
    entries_alone: ("entries", RISES[0]),
    shorts_alone: ("short_entries", FALLS[0]),
    rare_exits: ("exits", SLUMPS[0]),
}


class Deciding(Strategy):
    """Decides as it is told to."""

    title: ClassVar[str] = "Deciding"
    strategy_type: ClassVar[StrategyType] = "benchmark"
    rule: ClassVar[Callable[[Bars], Signals]]

    @property
    def warmup(self) -> int:
        return 4

    def signals(self, bars: Bars) -> Signals:
        return type(self).rule(bars)


def deciding(rule: Callable[[Bars], Signals], **members: Any) -> Strategy:
    return type("Made", (Deciding,), {"rule": staticmethod(rule), "__module__": f"made.{rule.__name__}", **members})()


def refusal(strategy: Strategy) -> dict[str, int]:
    """Return the first bar of everything the refusal names."""
    with pytest.raises(LookAheadError) as caught:
        check_look_ahead(strategy)

    assert str(caught.value).startswith(f"{strategy.id()} looks ahead: later bars change ")
    assert str(caught.value).endswith("; compute each bar from it and earlier ones alone")
    return {name: int(bar) for name, bar in re.findall(r"(?:change|,) (.+?) from bar (\d+) on", str(caught.value))}


@pytest.mark.parametrize("rule", LEAKS, ids=lambda rule: rule.__name__)
def test_a_strategy_that_looks_ahead_is_refused_by_the_name_of_what_leaks_and_its_first_bar(
    rule: Callable[[Bars], Signals],
) -> None:
    name, bar = LEAKS[rule]

    assert refusal(deciding(rule))[name] == bar


@pytest.mark.parametrize("rule", [indicator_alone, entries_alone, shorts_alone, rare_exits])
def test_only_what_leaks_is_named(rule: Callable[[Bars], Signals]) -> None:
    assert len(SLUMPS) <= 3, "a leak in so few bars is found because each signal is cut where it is given"
    assert list(refusal(deciding(rule))) == [LEAKS[rule][0]]


def test_a_back_fill_shows_on_real_bars_too() -> None:
    with pytest.raises(LookAheadError, match="indicator 'line' from bar 0 on"):
        check_look_ahead(deciding(back_fill), sample_bars("ibm"))


@pytest.mark.parametrize("strategy", STRATEGIES, ids=StrategyRegistry(STRATEGIES).ids())
@pytest.mark.parametrize("bars", [None, sample_bars("msft").adjusted()], ids=["random walk", "msft"])
def test_every_strategy_is_found_honest_at_forty_bars_or_more_with_its_warmup_as_declared(
    strategy: type[Strategy], bars: Bars | None
) -> None:
    report = check_look_ahead(strategy(), bars)

    assert report.cuts >= 40
    assert report.first_defined == strategy().warmup
    assert report.drift.keys() == strategy().signals(WALK).indicators.keys()
    assert all(share is not None and share < 1e-6 for share in report.drift.values())


def test_rounding_that_depends_on_the_number_of_bars_is_no_look_ahead() -> None:
    def rounded(bars: Bars) -> Signals:
        return by(trailing(bars.close) * (1 + len(bars) * 1e-15), bars)

    assert check_look_ahead(deciding(rounded)).cuts >= 40


def test_drift_is_what_talibs_macd_differs_by_when_it_starts_late() -> None:
    strategy = MacdCrossover(fast=100, slow=200, signal=1)
    close = np.concatenate([np.full(1000, 100.0), np.full(1000, 200.0)])
    bars = Bars(np.arange(2000), close, close, close, close, close)
    settled = strategy.warmup + strategy.unstable

    ends = [1999 - 40 * number for number in range(5)]
    late = [talib.MACD(close[end - settled : end + 1], 100, 200, 1)[0][-1] for end in ends]
    whole = talib.MACD(close, 100, 200, 1)[0]

    expected = np.max(np.abs(late - whole[ends])) / np.nanmax(np.abs(whole))
    assert check_look_ahead(strategy, bars).drift["macd"] == pytest.approx(expected, rel=1e-6)
    assert expected > 1e-4


def test_an_indicator_undefined_after_its_declared_warmup_has_no_drift_and_a_later_first_bar() -> None:
    def slow(bars: Bars) -> Signals:
        return by(trailing(bars.close, 30), bars)

    report = check_look_ahead(deciding(slow))

    assert (report.first_defined, report.drift) == (29, {"line": None})


def test_waiting_a_bar_costs_an_honest_strategy_what_the_bar_moved() -> None:
    # entered at open 12 of bar 1 and held to the last close 24; a bar later at open 16 of bar 2
    open_ = np.array([10.0, 12.0, 16.0, 20.0])
    bars = Bars(np.arange(4), open_, open_ + 9, open_ - 9, np.array([11.0, 15.0, 19.0, 24.0]), open_)

    report = check_look_ahead(BuyAndHold(), bars)

    assert report.total_return == pytest.approx(24 / 12 - 1)
    assert report.delayed_return == pytest.approx(24 / 16 - 1)


def test_delayed_signals_are_those_of_the_bar_before() -> None:
    rises, falls = np.array([True, False, True, True]), np.array([False, True, False, False])

    later = delayed(Signals(rises, falls, {"line": WALK.close}, falls))

    assert later.entries.tolist() == [False, True, False, True]
    assert later.exits.tolist() == [False, False, True, False]
    assert later.short_entries is not None and later.short_entries.tolist() == [False, False, True, False]
    assert later.short_exits is None and later.indicators == {"line": WALK.close}


def test_the_random_walk_is_the_same_every_time_and_a_market_could_have_made_it() -> None:
    check_bars(WALK)

    assert random_walk(258).close.tobytes() == WALK.close.tobytes()
    assert np.std(np.diff(np.log(random_walk(5000).close))) == pytest.approx(0.015, rel=0.05)
    assert check_look_ahead(SmaCrossover()) == check_look_ahead(SmaCrossover())
