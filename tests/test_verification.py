"""A stored run replayed: what is the same is said to be, and what is not is told by name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, RunNotFoundError
from backtesting.reporting.audit import verification_lines
from backtesting.strategies import STRATEGIES
from backtesting.strategy import Strategy, StrategyRegistry
from backtesting.types import BacktestResult, Bars, Change, Run, RunStatus, Timeframe, Verification
from backtesting.verification import verify
from tests.fixtures.in_memory import STOCK, Desk, no_record
from tests.fixtures.postgres import Database
from tests.fixtures.series import sample_bars

IBM = sample_bars("ibm")
YEARS = {"start_date": "2005-01-03", "end_date": "2010-12-31"}
STOPS = {"stop_loss": 0.05, "take_profit": {"atr": 4}, "direction": "both", "max_holding": 40}


def verified(desk: Desk, run: Run) -> Verification:
    return verify(desk.engine, desk.runs, run.id)


def stored_with(desk: Desk, run: Run, **provenance: Any) -> Run:
    """Keep the run as if it had been stored with this in its provenance."""
    stored, result = desk.runs.stored[run.id]
    assert stored.summary is not None
    summary = replace(stored.summary, provenance={**stored.summary.provenance, **provenance})
    changed = replace(stored, summary=summary)
    desk.runs.stored[run.id] = changed, result
    return changed


def with_closes(bars: Bars, changes: dict[int, float]) -> Bars:
    """Return the bars with these closes multiplied, the adjusted ones too, and highs and lows that reach them."""
    factor = np.ones(len(bars))
    factor[list(changes)] = list(changes.values())
    close, adjusted = bars.close * factor, None if bars.adj_close is None else bars.adj_close * factor
    high, low = np.maximum(bars.high, close), np.minimum(bars.low, close)
    return Bars(bars.time.copy(), bars.open.copy(), high, low, close, bars.volume.copy(), adjusted)


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: each.id())
def test_an_unchanged_run_is_identical_whatever_the_strategy(strategy: type[Strategy]) -> None:
    desk = Desk(IBM)

    plain, with_stops = desk.run(strategy.id(), **YEARS), None
    if strategy.id() != "buy_and_hold":  # it has no rule for shorts
        with_stops = desk.run(strategy.id(), **YEARS | STOPS)

    for run in filter(None, (plain, with_stops)):
        found = verified(desk, run)
        assert (found.identical, found.causes) == (True, ())


def test_runs_read_back_from_postgresql_are_identical_and_those_of_others_are_not_found(database: Database) -> None:
    stores, others = database.stores(), database.stores("bob")
    engine = BacktestEngine(StrategyRegistry(STRATEGIES), stores.bars, stores.runs)
    runs = [engine.run(engine.whole_request(each.id(), "IBM", fill="next_close")) for each in STRATEGIES[:4]]

    found = [verify(engine, stores.runs, run.id) for run in runs]
    with pytest.raises(RunNotFoundError):
        verify(engine, others.runs, runs[0].id)

    assert all(each.identical and not each.causes for each in found)
    assert verification_lines(found[0]) == [f"{runs[0].id} identical: its replay gives the stored outcome, bit for bit"]
    stores.close()
    others.close()


def test_corrected_prices_are_told_with_their_hash_and_the_first_equity_that_differs() -> None:
    desk = Desk(IBM)
    run = desk.run("buy_and_hold")
    desk.bars.store(STOCK, Timeframe.D1, [with_closes(IBM, {100: 1.02, 101: 1.01})], no_record)

    found = verified(desk, run)

    assert not found.identical
    (data,) = found.causes
    assert data.what == "data" and data.then != data.now and data.now.endswith(" of 3,270 bars")
    (equity,) = found.effects
    # held from the second bar on, so the equity parts where the closes do, and is the same again after them
    assert equity.what.startswith("equity at 2 of 3,270 bars, first 2000-07-24")
    assert "max_drawdown" not in {each.name for each in found.metrics}, "which is later"
    assert {"annual_volatility", "sharpe_ratio"} <= {each.name for each in found.metrics}
    (final,) = [each for each in found.metrics if each.name == "annual_volatility"]
    assert final.difference is not None and final.difference > 0
    told = "\n".join(verification_lines(found))
    assert "differs from its replay" in told and "changed: data: " in told and "- annual_volatility: " in told


def test_bars_added_inside_the_period_are_counted_and_the_first_is_named() -> None:
    gappy = Bars(*(np.delete(column, [50, 51]) for column in (IBM.time, *IBM.ohlcv)))
    desk = Desk(gappy)
    run = desk.run("sma_crossover")
    whole = Bars(IBM.time, *IBM.ohlcv)
    desk.bars.store(STOCK, Timeframe.D1, [whole], no_record)

    found = verified(desk, run)

    assert Change("bars only stored then, or only now", "0", "2, first 2000-05-11 00:00") in found.causes
    assert Change("points of the equity", "3268", "3270") in found.effects


def test_history_added_before_the_start_does_not_matter() -> None:
    late = IBM[20:]
    desk = Desk(late)
    run = desk.run("rsi", start_date="2000-05-01", parameters={"period": 14})
    desk.bars.store(STOCK, Timeframe.D1, [IBM], no_record)

    found = verified(desk, run)
    anew = desk.run("rsi", start_date="2000-05-01", parameters={"period": 14})

    assert (found.identical, found.causes) == (True, ())
    assert run.summary is not None and anew.summary is not None
    assert anew.summary.provenance["data_hash"] != run.summary.provenance["data_hash"], "a new run reads more"


def test_another_version_is_told_though_the_numbers_are_the_same() -> None:
    desk = Desk(IBM)
    run = desk.run("macd", **YEARS)
    assert run.summary is not None
    versions = dict(run.summary.provenance["versions"])
    stored_with(desk, run, versions=versions | {"numpy": "1.0.0", "contract": "0.9"})

    found = verified(desk, run)

    assert found.identical
    assert [(each.what, each.then) for each in found.causes] == [
        ("contract version", "0.9"),
        ("version of numpy", "1.0.0"),
    ]
    (told,) = verification_lines(found)
    assert "identical" in told and "although this changed: contract version: 0.9 -> 1.0" in told


def test_numbers_that_change_without_a_cause_are_told_with_how_much() -> None:
    desk = Desk(IBM)
    run = desk.run("macd", **YEARS)
    stored, result = desk.runs.stored[run.id]
    assert stored.summary is not None and result is not None
    metrics = {**stored.summary.metrics, "total_trades": 7}
    altered = replace(stored, summary=replace(stored.summary, metrics=metrics))
    trades = replace(result.trades, pnl=result.trades.pnl + np.eye(1, len(result.trades), 3)[0])
    desk.runs.stored[run.id] = altered, BacktestResult(altered.summary, trades, result.equity, result.benchmark)  # type: ignore[arg-type]

    found = verified(desk, run)

    assert not found.identical and found.causes == ()
    (metric,) = found.metrics
    made = stored.summary.metrics["total_trades"] or 0
    assert (metric.name, metric.then, metric.now, metric.difference) == ("total_trades", 7, made, made - 7)
    assert "nothing it is made of is known to have changed" in verification_lines(found)[1]


def test_a_request_that_reads_otherwise_is_told() -> None:
    desk = Desk(IBM)
    run = desk.run("macd", **YEARS)
    stored_with(desk, run, config_hash="0" * 64, periods_per_year=365.0)

    causes = {each.what: (each.then, each.now) for each in verified(desk, run).causes}

    assert causes["request as it is read"][0] == "0" * 12
    assert causes["periods_per_year"] == ("365.0", "252.0")


def test_a_failed_run_fails_again_with_the_same_error_or_completes() -> None:
    desk = Desk(IBM[:40])
    with pytest.raises(BacktestError) as failure:
        desk.run("sma_crossover", parameters={"slow_period": 50})
    run_id = failure.value.run_id
    assert run_id is not None

    same = verify(desk.engine, desk.runs, run_id)
    days = np.arange(1, 61) * np.int64(-86_400_000_000_000) + IBM.time[0]
    earlier = Bars(days[::-1].copy(), *(column[:60].copy() for column in IBM.ohlcv), IBM.close[:60].copy())
    desk.bars.store(STOCK, Timeframe.D1, [earlier], no_record)
    completes = verify(desk.engine, desk.runs, run_id)

    assert same.identical
    (outcome,) = completes.effects
    assert outcome.what == "outcome" and "needs 49 bars of warm-up" in outcome.then and outcome.now == "completed"


def test_a_run_whose_strategy_is_gone_cannot_be_replayed_and_says_why() -> None:
    desk = Desk(IBM)
    run = desk.run("scripted", parameters={"enter": (3,), "leave": (5,)})
    without = BacktestEngine(StrategyRegistry(STRATEGIES), desk.bars, desk.runs)

    found = verify(without, desk.runs, run.id)

    (outcome,) = found.effects
    assert (outcome.then, "unknown strategy 'scripted'" in outcome.now) == ("completed", True)


def test_a_run_that_has_not_ended_is_not_replayed() -> None:
    desk = Desk(IBM)
    run = replace(desk.run("macd", **YEARS), status=RunStatus.RUNNING, summary=None)
    desk.runs.stored[run.id] = run, None

    with pytest.raises(BacktestError, match="is running, so there is nothing to replay yet"):
        verified(desk, run)
