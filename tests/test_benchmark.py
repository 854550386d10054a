"""A chosen symbol to be measured by (contract section 1, A6): each figure by hand, or equal to a run of its own."""

from typing import Any

import numpy as np
import pytest

from backtesting.errors import BacktestError
from backtesting.reporting.text import report
from backtesting.types import Asset, AssetClass, Bars, Costs, Timeframe
from backtesting.verification import verify
from tests.fixtures.in_memory import Desk, between, no_record
from tests.fixtures.series import sample_bars

OTHER = Asset("OTHER", "Other", AssetClass.EQUITY, "USD")
IBM, AAPL = sample_bars("ibm"), sample_bars("aapl")
STAIRS = between([10, 20, 30, 40, 50, 60], [11, 21, 31, 41, 51, 61])
# opens and closes of the other one
THEIRS = between([100, 110, 120, 130, 140, 150], [105, 115, 125, 135, 145, 155])
COSTS = Costs(commission=0.01, slippage=0.02)


def with_other(own: Bars, other: Bars, asset: Asset = OTHER, timeframe: Timeframe = Timeframe.D1) -> Desk:
    desk = Desk(own)
    desk.bars.store(asset, timeframe, [other], no_record)
    return desk


def without(bars: Bars, *missing: int) -> Bars:
    return Bars(*(np.delete(column, missing) for column in (bars.time, *bars.ohlcv)))


def metrics(desk: Desk, **options: Any) -> dict[str, Any]:
    return dict(desk.result(**options).summary.metrics)


def test_a_chosen_benchmark_is_bought_at_the_first_tradable_bar_with_all_capital_and_the_same_costs() -> None:
    desk = with_other(STAIRS, THEIRS)

    told = metrics(desk, costs=COSTS, benchmark="other")

    # bought at the open of bar 1, 110 x 1.02, 1 % of commission inside the capital; the last close is 155
    grown = 155 / (110 * 1.02 * 1.01)
    assert told["benchmark_return"] == pytest.approx(grown - 1, rel=1e-12)
    assert told["excess_return"] == pytest.approx(told["total_return"] - (grown - 1), rel=1e-12)
    assert told["benchmark_max_drawdown"] == 0, "it closed above what it cost, and rose"


@pytest.mark.parametrize("fill", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize(
    "options", [{}, {"delay_bars": 1, "stop_loss": 0.1}, {"costs": {"commission": 0, "slippage": 0, "fixed": 5}}]
)
def test_it_is_what_a_run_of_buy_and_hold_on_that_symbol_from_that_bar_is(fill: str, options: dict[str, Any]) -> None:
    desk = with_other(IBM, AAPL)
    period = {"start_date": "2004-02-02", "end_date": "2010-12-31", "fill": fill}

    beside = metrics(desk, strategy_id="sma_crossover", benchmark="OTHER", **period | options)
    alone = metrics(desk, asset_symbol="OTHER", **period | {"costs": options.get("costs")})

    for of_benchmark, own in (
        ("benchmark_return", "total_return"),
        ("benchmark_sharpe", "sharpe_ratio"),
        ("benchmark_max_drawdown", "max_drawdown"),
    ):
        assert beside[of_benchmark] == pytest.approx(alone[own], rel=1e-12)


def test_the_same_bars_under_another_symbol_change_no_figure() -> None:
    desk = with_other(IBM, IBM)

    own = desk.result("rsi", stop_loss=0.05)
    beside = desk.result("rsi", stop_loss=0.05, benchmark="OTHER")

    assert beside.summary.metrics == own.summary.metrics


def test_the_exposure_matched_one_stays_of_the_asset_itself() -> None:
    desk = with_other(IBM, AAPL)

    own, beside = (metrics(desk, strategy_id="sma_crossover", benchmark=each) for each in (None, "OTHER"))

    assert beside["exposure_matched_return"] == own["exposure_matched_return"]
    assert beside["benchmark_return"] != own["benchmark_return"] and beside["beta"] != own["beta"]


def test_where_it_lacks_a_bar_its_last_close_is_carried_and_counted_and_it_is_bought_at_its_next_one() -> None:
    desk = with_other(STAIRS, without(THEIRS, 1, 3))

    summary = desk.result(costs="zero", benchmark="OTHER").summary

    # bar 1 is missing, so bought at the open of bar 2, 120, and worth 155 / 120 at the end
    assert summary.metrics["benchmark_return"] == pytest.approx(155 / 120 - 1, rel=1e-12)
    assert summary.counters["benchmark_missing_bars"] == 2
    (gaps,) = [flag.message for flag in summary.flags if flag.code == "benchmark_gaps"]
    assert gaps == "OTHER lacks 2 of the bars of TEST: its last close is carried on there"
    assert summary.metrics["benchmark_max_drawdown"] == 0, "a carried close neither rises nor falls"


def test_shorter_bars_are_matched_by_their_time() -> None:
    hours = np.int64(3_600_000_000_000) * np.arange(15, 21, dtype=np.int64) + STAIRS.time[1]
    hourly, theirs = (Bars(hours.copy(), *each.ohlcv) for each in (STAIRS, THEIRS))
    desk = Desk(hourly, timeframe=Timeframe.H1)
    desk.bars.store(OTHER, Timeframe.H1, [without(theirs, 4)], no_record)

    summary = desk.result(timeframe="1h", costs="zero", benchmark="OTHER").summary

    assert summary.metrics["benchmark_return"] == pytest.approx(155 / 110 - 1, rel=1e-12)
    assert summary.counters["benchmark_missing_bars"] == 1


def test_the_result_says_which_and_a_replay_tells_when_its_bars_have_changed() -> None:
    desk = with_other(IBM, AAPL)
    run = desk.run("sma_crossover", benchmark="other")
    assert run.summary is not None

    same = verify(desk.engine, desk.runs, run.id)
    desk.bars.store(OTHER, Timeframe.D1, [Bars(AAPL.time.copy(), *(1.0 * each for each in AAPL.ohlcv))], no_record)
    raw = verify(desk.engine, desk.runs, run.id)

    assert run.request.benchmark == "OTHER" and run.summary.provenance["benchmark"] == "OTHER"
    assert run.summary.provenance["benchmark_adjustment"] == "adjusted"
    assert "buy and hold OTHER" in report(run) and "buy and hold TEST with the same time" in report(run)
    assert same.identical and same.causes == ()
    assert {each.what for each in raw.causes} == {"benchmark_adjustment", "benchmark_data_hash"}
    assert "benchmark_return" in {each.name for each in raw.metrics}


def test_the_same_request_is_answered_from_the_store_until_the_bars_of_its_benchmark_change() -> None:
    desk = with_other(IBM, AAPL)

    first, again = (desk.run("macd", benchmark="OTHER") for _ in range(2))
    desk.bars.store(OTHER, Timeframe.D1, [Bars(AAPL.time.copy(), *(1.0 * each for each in AAPL.ohlcv))], no_record)
    anew = desk.run("macd", benchmark="OTHER")

    assert first.id == again.id != anew.id
    assert first.summary is not None and anew.summary is not None
    assert first.summary.metrics["benchmark_return"] != anew.summary.metrics["benchmark_return"]


def test_the_asset_itself_is_the_default_under_its_own_name_too() -> None:
    run = Desk(STAIRS).run(benchmark="TEST")

    assert run.request.benchmark is None
    assert run.summary is not None and "benchmark" not in run.summary.provenance


EURO = Asset("EURO", "Euro", AssetClass.EQUITY, "EUR")


@pytest.mark.parametrize(
    ("other", "asset", "options", "words"),
    [
        (THEIRS, OTHER, {"benchmark": "OTHR"}, "benchmark: OTHR: unknown symbol 'OTHR' - did you mean 'OTHER'"),
        (THEIRS, EURO, {"benchmark": "EURO"}, "benchmark: EURO is in EUR, TEST in USD: take another"),
        (THEIRS[1:], OTHER, {"benchmark": "OTHER"}, "benchmark: OTHER: .* reaches outside the stored 1d bars of OTHER"),
        (THEIRS[:5], OTHER, {"benchmark": "OTHER"}, "2020-01-01 to 2020-01-05: choose dates within"),
        (
            THEIRS,
            OTHER,
            {
                "benchmark": "OTHER",
                "costs": {"commission": 0, "slippage": 0, "slippage_atr": {"atr": 0.1, "period": 2}},
            },
            "benchmark: slippage_atr is measured by the asset's own ranges",
        ),
    ],
)
def test_one_that_cannot_be_compared_is_refused_with_the_remedy_and_nothing_is_stored(
    other: Bars, asset: Asset, options: dict[str, Any], words: str
) -> None:
    desk = with_other(STAIRS, other, asset)

    with pytest.raises(BacktestError, match=words):
        desk.run(**options)

    assert desk.runs.stored == {}


def test_a_timeframe_it_is_not_stored_in_is_refused() -> None:
    desk = Desk(STAIRS)
    weekly = between([1, 2, 3], [1, 2, 3])
    desk.bars.store(OTHER, Timeframe.W1, [weekly], no_record)

    with pytest.raises(BacktestError, match="benchmark: OTHER: timeframe: unknown timeframe '1d'; known: 1w"):
        desk.run(benchmark="OTHER")
