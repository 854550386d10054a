"""The same sentences about the twins in memory and about PostgreSQL."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
import sqlalchemy as sa

from backtesting.data_import import DataImporter
from backtesting.data_sources import SAMPLES
from backtesting.engine import BacktestEngine
from backtesting.errors import RunNotFoundError, UnknownNameError
from backtesting.ports import BarSource, BarStore, RunRepository
from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from backtesting.types import (
    Asset,
    AssetClass,
    BacktestRequest,
    BacktestResult,
    Bars,
    EquityCurve,
    Run,
    RunStatus,
    Timeframe,
)
from database.repository.runs import pack, unpack
from tests.fixtures.in_memory import InMemoryBars, InMemoryRuns
from tests.fixtures.postgres import Database
from tests.fixtures.series import sample_bars

REQUEST = BacktestRequest(
    strategy_id="sma_crossover",
    asset_symbol="IBM",
    start_date=date(2005, 1, 3),
    end_date=date(2012, 12, 31),
    initial_capital=50_000.0,
    parameters={},
)
DAY = Timeframe.D1


class Kept(RunRepository):
    """Remembers the result beside storing it, so that a test can compare the two."""

    def __init__(self, runs: RunRepository) -> None:
        self.add_to = runs
        self.result: BacktestResult | None = None

    def add(self, run: Run, result: BacktestResult | None) -> None:
        self.result = result
        self.add_to.add(run, result)


@pytest.fixture(params=["in memory", "PostgreSQL"])
def bars(request: pytest.FixtureRequest) -> Iterator[tuple[BarSource, BarStore]]:
    if request.param == "in memory":
        twin = InMemoryBars()
        DataImporter(twin).load(SAMPLES)
        yield twin, twin
    else:
        stores = request.getfixturevalue("database").stores()
        yield stores.bars, stores.importing
        stores.close()


@pytest.fixture(params=["in memory", "PostgreSQL"])
def runs(request: pytest.FixtureRequest) -> Iterator[RunRepository]:
    if request.param == "in memory":
        yield InMemoryRuns()
    else:
        stores = request.getfixturevalue("database").stores()
        yield stores.runs
        stores.close()


@pytest.fixture
def source() -> InMemoryBars:
    twin = InMemoryBars()
    DataImporter(twin).load(SAMPLES)
    return twin


def completed(runs: RunRepository, source: BarSource, request: BacktestRequest = REQUEST) -> tuple[Run, BacktestResult]:
    kept = Kept(runs)
    run = BacktestEngine(StrategyRegistry(STRATEGIES), source, kept).run(request)
    assert kept.result is not None
    return run, kept.result


def midnight(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_stored_bars_come_back_bit_for_bit(bars: tuple[BarSource, BarStore]) -> None:
    wanted = sample_bars("ibm")

    found = bars[0].load("IBM", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0)

    assert np.array_equal(found.time, wanted.time)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found.ohlcv, wanted.ohlcv, strict=True))
    assert np.array_equal(found.adj_close, wanted.adj_close)


def test_a_load_begins_with_the_history_asked_for(bars: tuple[BarSource, BarStore]) -> None:
    found = bars[0].load("IBM", DAY, midnight(2005, 1, 3), midnight(2005, 1, 5), history=2)

    days = [datetime.fromtimestamp(each / 1e9, UTC).date().isoformat() for each in found.time.tolist()]
    assert days == ["2004-12-30", "2004-12-31", "2005-01-03", "2005-01-04"]


def test_a_load_has_as_much_history_as_is_stored(bars: tuple[BarSource, BarStore]) -> None:
    found = bars[0].load("IBM", DAY, midnight(2000, 3, 2), midnight(2000, 3, 3), history=100)

    assert len(found) == 2


def test_a_load_of_a_time_without_bars_is_empty(bars: tuple[BarSource, BarStore]) -> None:
    found = bars[0].load("IBM", DAY, midnight(2030, 1, 1), midnight(2031, 1, 1), history=0)

    assert len(found) == 0


def test_an_asset_is_found_whatever_the_case_of_its_symbol(bars: tuple[BarSource, BarStore]) -> None:
    assert bars[0].asset("ibm") == Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")


@pytest.mark.parametrize("symbol", ["IBN", "'; drop table market.assets; --", "../../etc/passwd", "ibm%"])
def test_an_unknown_symbol_is_told_with_the_known_ones(bars: tuple[BarSource, BarStore], symbol: str) -> None:
    with pytest.raises(UnknownNameError, match="known: AAPL, IBM, MSFT"):
        bars[0].asset(symbol)


def test_coverage_names_the_first_and_the_last_bar_of_each_series(bars: tuple[BarSource, BarStore]) -> None:
    (span,) = bars[0].coverage("IBM")

    assert (span.timeframe, span.first, span.last) == (DAY, midnight(2000, 3, 1), midnight(2013, 3, 1))


def test_storing_a_series_again_replaces_it(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    shorter = sample_bars("ibm")[:10]

    store.store(source.asset("IBM"), DAY, shorter)

    assert len(source.load("IBM", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0)) == 10


def test_bars_without_an_adjusted_close_come_back_without_one(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    raw = sample_bars("ibm")[:5]

    store.store(Asset("RAW", "raw", AssetClass.UNKNOWN, "USD"), DAY, Bars(raw.time, *raw.ohlcv))

    assert source.load("RAW", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0).adj_close is None


def test_a_completed_run_comes_back_as_it_was(runs: RunRepository, source: InMemoryBars) -> None:
    run, _ = completed(runs, source)

    assert runs.get(run.id) == run


def test_trades_and_curve_come_back_bit_for_bit(runs: RunRepository, source: InMemoryBars) -> None:
    run, result = completed(runs, source)

    assert list(runs.trades(run.id, 0, 1000)) == list(result.trades)
    curve = runs.equity(run.id)
    assert np.array_equal(curve.time, result.equity.time)
    assert np.array_equal(curve.value, result.equity.value)


def test_a_page_of_trades_begins_at_its_offset(runs: RunRepository, source: InMemoryBars) -> None:
    run, _ = completed(runs, source)

    assert [trade.number for trade in runs.trades(run.id, 3, 2)] == [3, 4]
    assert list(runs.trades(run.id, 10_000, 2)) == []


def test_adding_a_run_again_changes_nothing(runs: RunRepository, source: InMemoryBars) -> None:
    run, result = completed(runs, source)

    runs.add(replace(run, created_at=midnight(1999, 1, 1)), result)

    assert runs.get(run.id) == run
    assert len(runs.trades(run.id, 0, 1000)) == len(result.trades)


def test_a_failed_run_keeps_its_reason_and_has_no_results(runs: RunRepository) -> None:
    now = datetime.now(UTC)
    run = Run(Run.new_id(), RunStatus.FAILED, REQUEST, created_at=now, completed_at=now, error="no bars")

    runs.add(run, None)

    assert runs.get(run.id) == run
    assert list(runs.trades(run.id, 0, 10)) == []
    with pytest.raises(RunNotFoundError):
        runs.equity(run.id)


@pytest.mark.parametrize("run_id", ["bt-000000000000", "", "1 or 1=1", "bt-00000000000g", "x" * 1_000_000, "bt-\x00"])
def test_an_id_that_is_none_is_told_so_in_few_words(runs: RunRepository, run_id: str) -> None:
    with pytest.raises(RunNotFoundError, match="backtest_id") as told:
        runs.get(run_id)

    assert len(str(told.value)) < 300


def test_a_run_whose_trades_cannot_be_stored_leaves_nothing(database: Database, source: InMemoryBars) -> None:
    stores = database.stores()
    database.execute("alter table app.backtest_trades add constraint broken check (quantity < 0)")

    with pytest.raises(sa.exc.IntegrityError):
        completed(stores.runs, source)

    assert database.execute("select count(*) from app.backtest_runs")[0][0] == 0
    assert database.execute("select count(*) from app.backtest_results")[0][0] == 0
    stores.close()


def test_a_user_sees_and_changes_nothing_of_another(database: Database, source: InMemoryBars) -> None:
    alice, bob = database.stores("alice"), database.stores("bob")
    run, _ = completed(alice.runs, source)

    with pytest.raises(RunNotFoundError):
        bob.runs.get(run.id)
    assert list(bob.runs.trades(run.id, 0, 10)) == []
    with pytest.raises(RunNotFoundError):
        bob.runs.equity(run.id)
    assert alice.runs.get(run.id) == run
    alice.close(), bob.close()


def test_the_columns_of_the_plan_hold_what_the_result_says(database: Database, source: InMemoryBars) -> None:
    stores = database.stores()
    run, _ = completed(stores.runs, source)
    names = ("final_capital", "total_return", "sharpe_ratio", "max_drawdown", "win_rate", "total_trades", "avg_loss")

    (row,) = database.execute(f"select {', '.join(names)}, user_id from app.backtest_results")

    assert run.summary is not None
    assert row[:-1] == tuple(run.summary.metrics[name] for name in names)
    assert row.user_id == "local"
    stores.close()


def test_a_packed_curve_is_unpacked_exactly() -> None:
    curve = EquityCurve(np.array([-5, 0, 2**62]), np.array([0.1, 1e300, -0.0]))

    again = unpack(pack(curve))

    assert again.time.tobytes() == curve.time.tobytes()
    assert again.value.tobytes() == curve.value.tobytes()


def test_strategies_that_are_gone_become_inactive(database: Database) -> None:
    stores = database.stores()

    stores.runs.register([strategy.describe() for strategy in STRATEGIES if strategy.id() != "macd"])

    found = dict(database.execute("select id, is_active from app.trading_strategies"))
    assert found == {"sma_crossover": True, "rsi": True, "macd": False, "buy_and_hold": True}
    stores.close()


def test_new_ids_are_bt_and_twelve_hexadecimal_digits_and_never_the_same() -> None:
    ids = [Run.new_id() for _ in range(50)]

    assert all(re.fullmatch("bt-[0-9a-f]{12}", each) for each in ids)
    assert len(set(ids)) == 50
