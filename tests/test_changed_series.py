"""What is kept of the latest series is not taken for another: bars that are stored anew give new results."""

from collections.abc import Callable

import numpy as np
import pytest

from backtesting.flags import suspected_splits
from backtesting.provenance import data_hash
from backtesting.types import Asset, AssetClass, Bars, Run, Timeframe
from tests.fixtures.in_memory import STOCK, Desk, no_record
from tests.fixtures.sweeps import wandering

FLAT = {"fees": 0.0, "slippage": 0.0}


def scaled(bars: Bars, factor: float, last: int) -> Bars:
    """Return the bars, the prices of the last ones multiplied."""
    factors = np.ones(len(bars))
    factors[-last:] = factor
    return Bars(bars.time, *(column * factors for column in bars.ohlcv[:4]), bars.volume)


def numbers(run: Run) -> tuple[object, ...]:
    assert run.summary is not None
    return run.summary.metrics, run.summary.counters, run.summary.provenance["data_hash"]


@pytest.mark.parametrize("timeframe", ["1d", "1w"], ids=["stored", "made of stored ones"])
@pytest.mark.parametrize("strategy", ["sma_crossover", "buy_and_hold"])
def test_a_run_after_an_import_is_the_run_of_whoever_never_saw_the_old_bars(strategy: str, timeframe: str) -> None:
    before = wandering(1, 700)
    after, desk = scaled(before, 1.5, 300), Desk(before)
    old = desk.run(strategy, timeframe=timeframe, **FLAT)

    desk.bars.store(STOCK, Timeframe.D1, [after], no_record)
    new = desk.run(strategy, timeframe=timeframe, **FLAT)

    assert numbers(new) == numbers(Desk(after).run(strategy, timeframe=timeframe, **FLAT))
    assert numbers(new)[2] != numbers(old)[2]


def test_the_old_bars_stored_again_give_the_old_numbers() -> None:
    bars = wandering(1, 700)
    desk = Desk(bars)
    first = desk.run("buy_and_hold")

    for each in (scaled(bars, 2.0, 100), bars):
        desk.bars.store(STOCK, Timeframe.D1, [each], no_record)
        last = desk.run("buy_and_hold")

    assert numbers(last) == numbers(first)


def test_two_symbols_with_the_same_times_are_not_taken_for_each_other() -> None:
    first, second = wandering(1, 300), wandering(2, 300)
    desk, other = Desk(first), Asset("OTHER", "Other", AssetClass.EQUITY, "USD")
    desk.bars.store(other, Timeframe.D1, [second], no_record)

    runs = [desk.run("rsi", asset_symbol=symbol) for symbol in ("TEST", "OTHER", "TEST")]

    assert numbers(runs[0]) == numbers(runs[2]) == numbers(Desk(first).run("rsi"))
    assert numbers(runs[1]) == numbers(Desk(second).run("rsi"))


def test_an_asset_described_anew_is_measured_by_its_new_calendar() -> None:
    desk = Desk(wandering(1, 300))
    desk.run("buy_and_hold")

    desk.bars.describe(Asset(STOCK.symbol, "Test", AssetClass.CRYPTO, "USD"), ())
    run = desk.run("buy_and_hold")

    assert run.summary is not None and run.summary.provenance["periods_per_year"] == 365
    assert numbers(run)[0] == numbers(Desk(wandering(1, 300), Asset("TEST", "Test", AssetClass.CRYPTO, "USD")).run())[0]


@pytest.mark.parametrize(
    "kept",
    [suspected_splits, lambda bars: data_hash(bars, "raw"), lambda bars: bars.span(2, 40).close],
    ids=["splits", "hash", "span"],
)
def test_what_is_kept_of_bars_is_told_apart_by_the_bars_and_not_by_their_times(kept: Callable[[Bars], object]) -> None:
    bars = wandering(3, 50)
    split = scaled(bars, 0.5, 25)

    answers = [np.asarray(kept(each)).tolist() for each in (bars, split, bars, split)]

    assert answers[0] == answers[2] and answers[1] == answers[3]
    assert answers[0] != answers[1]
