"""The same sentences about the twins in memory and about PostgreSQL."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from backtesting.data_import import DataImporter
from backtesting.data_sources import SAMPLES
from backtesting.engine import BacktestEngine
from backtesting.errors import BadBarsError, RunNotFoundError, UnknownNameError
from backtesting.ports import BarSource, BarStore, RunRepository
from backtesting.price_files import PriceFile
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
    Severity,
    Stored,
    Timeframe,
)
from config.database import LazyEngine
from database import roles
from database.repository.curves import LONG, pack, unpack
from database.stores import Stores
from tests.fixtures.in_memory import InMemoryBars, InMemoryRuns, no_record, stocked
from tests.fixtures.postgres import Database, cache_folder
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
INSERT_ROW = "insert into {0} select * from jsonb_populate_record(null::{0}, :row)"
TABLES_OF_RUNS = ["backtest_runs", "backtest_results", "backtest_trades"]


class Kept(RunRepository):
    """Remembers the result beside storing it, so that a test can compare the two."""

    def __init__(self, runs: RunRepository) -> None:
        self.add_to = runs
        self.result: BacktestResult | None = None

    def add(self, run: Run, result: BacktestResult | None) -> None:
        self.result = result
        self.add_to.add(run, result)

    def completed(self, config_hash: str) -> Sequence[Run]:
        return self.add_to.completed(config_hash)


@pytest.fixture(params=["in memory", "PostgreSQL"])
def bars(request: pytest.FixtureRequest) -> Iterator[tuple[BarSource, BarStore]]:
    if request.param == "in memory":
        twin = stocked()
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
    return stocked()


def completed(runs: RunRepository, source: BarSource, request: BacktestRequest = REQUEST) -> tuple[Run, BacktestResult]:
    kept = Kept(runs)
    run = BacktestEngine(StrategyRegistry(STRATEGIES), source, kept).run(request)
    assert kept.result is not None
    return run, kept.result


def rows_of_runs(database: Database) -> list[int]:
    return [database.execute(f"select count(*) from app.{table}")[0][0] for table in TABLES_OF_RUNS]


def as_bob(database: Database, statement: str, row: str | None = None) -> int:
    """Run the statement as the server does for bob; return the number of rows it touched."""
    with closing(LazyEngine(lambda: database.url(roles.APP), "bob")) as pool, pool().begin() as connection:
        values = {} if row is None else {"row": json.loads(row)}
        typed = sa.text(statement).bindparams(*[sa.bindparam(name, type_=JSONB) for name in values])
        return connection.execute(typed, values).rowcount


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


def keep(store: BarStore, *symbols: str) -> None:
    for symbol in symbols:
        store.store(Asset(symbol, symbol, AssetClass.CRYPTO, "USD"), DAY, [sample_bars("ibm")[:9]], no_record)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("BTC/USD", "BTC-USD"),
        ("BTCUSD", "btc/usd"),
        ("BTC-USD", "XBTUSD"),
        ("BTCUSDT", "BTC/USDT"),
        ("EURUSD", "EUR/USD"),
        ("EURUSD=X", "eurusd"),
        ("BRK.B", "BRK-B"),
        ("XBT", "BTC"),
    ],
)
def test_another_spelling_finds_the_same_asset(bars: tuple[BarSource, BarStore], stored: str, asked: str) -> None:
    keep(bars[1], stored)

    assert bars[0].asset(asked).symbol == stored


def test_the_very_spelling_goes_before_others(bars: tuple[BarSource, BarStore]) -> None:
    keep(bars[1], "BTC/USD", "BTC-USD")

    assert bars[0].asset(" btc-usd ").symbol == "BTC-USD"


def test_a_spelling_that_may_mean_two_stored_ones_is_asked_about_with_both(bars: tuple[BarSource, BarStore]) -> None:
    keep(bars[1], "BTC/USD", "BTC-USD")

    with pytest.raises(UnknownNameError, match=r"'BTCUSD' is stored as BTC-USD and as BTC/USD: name one$"):
        bars[0].asset("BTCUSD")


@pytest.mark.parametrize("asked", ["BTC", "BTC-USD", "btcusdc"])
def test_a_near_asset_is_offered_and_not_taken(bars: tuple[BarSource, BarStore], asked: str) -> None:
    keep(bars[1], "BTCUSDT", "ETHUSDT")

    with pytest.raises(UnknownNameError, match=rf"'{asked}' is not stored - did you mean 'BTCUSDT'\?$"):
        bars[0].asset(asked)


def test_coverage_names_the_first_and_the_last_bar_of_each_series(bars: tuple[BarSource, BarStore]) -> None:
    (span,) = bars[0].coverage("IBM")

    assert (span.timeframe, span.first, span.last) == (DAY, midnight(2000, 3, 1), midnight(2013, 3, 1))


def price_file(
    folder: Path, closes: list[float], name: str = "ACMEUSDT.csv", first: date = date(2024, 1, 1)
) -> PriceFile:
    rows = [f"{first + timedelta(days=at)},{close},{close},{close},{close},5" for at, close in enumerate(closes)]
    path = folder / name
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]) + "\n", encoding="utf-8")
    return PriceFile(path)


def test_warnings_of_an_import_stay_with_the_series_until_one_over_the_same_span_answers_them(
    bars: tuple[BarSource, BarStore], tmp_path: Path
) -> None:
    importer = DataImporter(*bars)
    halved = [100.0 + at % 3 for at in range(30)] + [50.0 + at % 2 for at in range(30)]

    importer.run(price_file(tmp_path, halved))
    suspected = bars[0].coverage("ACMEUSDT")[0].warnings
    importer.run(price_file(tmp_path, [50.0, 51.0], first=date(2024, 3, 1)))
    still = bars[0].coverage("ACMEUSDT")[0].warnings
    importer.run(price_file(tmp_path, [*(each / 2 for each in halved[:30]), *halved[30:]]))
    corrected = bars[0].coverage("ACMEUSDT")[0].warnings

    (finding,) = suspected
    assert (finding.code, finding.severity, finding.lines) == ("unadjusted_split_suspected", Severity.WARNING, (32,))
    assert "2024-01-31" in finding.message
    assert still == suspected
    assert corrected == ()


def test_every_write_changes_the_version_that_coverage_tells(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    (before,) = source.coverage("IBM")
    raw = sample_bars("ibm")

    store.store(source.asset("IBM"), DAY, [Bars(raw.time[:1], *(column[:1] * 2 for column in raw.ohlcv))], no_record)

    (after,) = source.coverage("IBM")
    assert after.version != before.version


def test_storing_the_same_bars_again_changes_nothing(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    same = sample_bars("ibm")

    assert store.store(source.asset("IBM"), DAY, [same], no_record) == Stored(inserted=0, updated=0)


def test_bars_of_the_same_time_take_the_place_of_stored_ones_and_the_others_stay(
    bars: tuple[BarSource, BarStore],
) -> None:
    source, store = bars
    raw = sample_bars("ibm")
    dearer = Bars(raw.time[:4], *(column[:4] * 2 for column in raw.ohlcv), adj_close=None)
    later = Bars(raw.time[-1:] + 86_400_000_000_000, *(column[-1:] for column in raw.ohlcv))

    stored = store.store(source.asset("IBM"), DAY, [dearer, later], no_record)

    found = source.load("IBM", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0)
    assert stored == Stored(inserted=1, updated=4)
    assert len(found) == len(raw) + 1
    assert found.close[:5].tolist() == [*(raw.close[:4] * 2), raw.close[4]]
    assert found.adj_close is not None
    assert np.isnan(found.adj_close).tolist() == [True] * 4 + [False] * (len(raw) - 4) + [True]


def test_bars_in_parts_are_stored_as_one_series(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    whole = sample_bars("ibm")

    store.store(Asset("PARTS", "parts", AssetClass.UNKNOWN, "USD"), DAY, [whole[:7], whole[7:]], no_record)

    assert source.load("PARTS", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0).close.tolist() == (
        whole.close.tolist()
    )


def test_bars_without_an_adjusted_close_come_back_without_one(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    raw = sample_bars("ibm")[:5]
    unadjusted = Bars(raw.time, *raw.ohlcv)

    store.store(Asset("RAW", "raw", AssetClass.UNKNOWN, "USD"), DAY, [unadjusted], no_record)

    assert source.load("RAW", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0).adj_close is None


def test_an_import_that_breaks_off_leaves_what_was_before(bars: tuple[BarSource, BarStore]) -> None:
    source, store = bars
    raw = sample_bars("ibm")
    dearer = Bars(raw.time, *(column * 2 for column in raw.ohlcv))

    def broken() -> Iterator[Bars]:
        yield dearer[:1000]
        raise BadBarsError("the file ends in the middle of a line")

    with pytest.raises(BadBarsError):
        store.store(source.asset("IBM"), DAY, broken(), no_record)

    found = source.load("IBM", DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0)
    assert found.close.tolist() == raw.close.tolist()


def test_every_write_changes_the_version_of_the_series_and_of_no_other(database: Database) -> None:
    stores = database.stores()
    query = "select symbol, version from market.series join market.assets on assets.id = asset_id"
    before, raw = dict(database.execute(query)), sample_bars("ibm")
    dearer = Bars(raw.time[:1], *(column[:1] * 2 for column in raw.ohlcv))

    stores.importing.store(stores.bars.asset("IBM"), DAY, [dearer], no_record)

    after = dict(database.execute(query))
    assert {symbol for symbol in after if after[symbol] != before[symbol]} == {"IBM"}
    stores.close()


def cached(database: Database) -> Iterator[Path]:
    """Return the files this database's series are kept in, by a name only its place gives."""
    digest = hashlib.sha256(database.place.encode()).hexdigest()[:16]
    return cache_folder().glob(f"{digest}-*.npy")


def whole(source: BarSource, symbol: str = "IBM") -> Bars:
    return source.load(symbol, DAY, midnight(2000, 1, 1), midnight(2020, 1, 1), history=0)


def test_a_series_is_read_once_a_version_and_then_mapped(database: Database) -> None:
    with closing(database.stores()) as stores:
        first = whole(stores.bars)
        database.execute("alter table market.market_data rename to elsewhere")

        again = whole(stores.bars)

        assert again.close.tolist() == first.close.tolist() == sample_bars("ibm").close.tolist()
        assert np.shares_memory(again.close, whole(stores.bars).close)


def test_a_write_of_another_process_is_seen_by_the_next_load(database: Database) -> None:
    with closing(database.stores()) as stores:
        before = whole(stores.bars)

        database.execute("update market.market_data set close = close * 1.001, high = high * 2 where ts = '2000-03-01'")

        after = whole(stores.bars)
    assert after.close[0] == before.close[0] * 1.001
    assert after.close[1:].tolist() == before.close[1:].tolist()
    assert len(list(cached(database))) == 1


def test_a_series_longer_than_a_window_is_read_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("database.repository.snapshot.WINDOW", 1000)  # 3,270 bars: three full windows and a rest

    with closing(database.stores()) as stores:
        assert whole(stores.bars).close.tolist() == sample_bars("ibm").close.tolist()
        monkeypatch.setattr("database.repository.snapshot.WINDOW", 1090)  # three full windows and nothing
        assert whole(stores.bars, "AAPL").close.tolist() == sample_bars("aapl").close.tolist()


def test_a_series_is_read_as_of_one_instant_whatever_is_written_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.repository.snapshot.WINDOW", 500)
    doubled = "update market.market_data set open = open * 2, high = high * 2, low = low * 2, close = close * 2"
    original = sample_bars("ibm").close

    with closing(database.stores()) as stores:
        for number in range(6):
            with ThreadPoolExecutor(1) as thread:
                writing = thread.submit(database.execute, doubled)
                found = whole(stores.bars)
                writing.result()
            ratio = found.close / original

            assert set(ratio.tolist()) in ({2.0**number}, {2.0 ** (number + 1)})


def test_without_a_folder_to_write_series_are_read_every_time(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    with closing(
        Stores(database, lambda role: LazyEngine(lambda: database.url(role), "local"), tmp_path / "file" / "cache")
    ) as stores:
        assert whole(stores.bars).close.tolist() == whole(stores.bars).close.tolist()


def test_a_torn_file_of_the_cache_is_read_anew_from_the_database(database: Database) -> None:
    with closing(database.stores()) as stores:
        whole(stores.bars)
    (path,) = cached(database)
    path.write_bytes(path.read_bytes()[:-4000])

    with closing(database.stores()) as stores:
        assert whole(stores.bars).close.tolist() == sample_bars("ibm").close.tolist()
        assert np.shares_memory(whole(stores.bars).close, whole(stores.bars).close)


def test_a_series_that_was_emptied_is_empty(database: Database) -> None:
    with closing(database.stores()) as stores:
        whole(stores.bars)
        database.execute("delete from market.market_data")

        assert len(whole(stores.bars)) == 0
        assert list(stores.bars.coverage("IBM")) == []


def test_an_import_is_kept_in_the_history(database: Database) -> None:
    (row,) = database.execute("select source, inserted, updated, content_hash from market.imports where asset_id ="
                              " (select id from market.assets where symbol = 'IBM')")  # fmt: skip

    digest = hashlib.sha256(SAMPLES[0].path.read_bytes()).hexdigest()
    assert tuple(row) == ("ibm_daily.csv", 3270, 0, digest)


def test_a_completed_run_comes_back_as_it_was(runs: RunRepository, source: InMemoryBars) -> None:
    run, _ = completed(runs, source)

    assert runs.get(run.id) == run


def test_a_run_comes_back_with_what_its_reviewer_said(runs: RunRepository, source: InMemoryBars) -> None:
    run, _ = completed(runs, source)

    found = runs.get(run.id).summary

    assert found is not None and run.summary is not None
    assert found.diagnostics and found.diagnostics == run.summary.diagnostics


def test_a_run_stored_before_there_were_reviews_has_none(database: Database, source: InMemoryBars) -> None:
    stores = database.stores()
    run, _ = completed(stores.runs, source)
    database.execute("update app.backtest_results set diagnostics = null")

    found = stores.runs.get(run.id).summary

    assert found is not None
    assert found.diagnostics is None
    stores.close()


def test_trades_and_curves_come_back_bit_for_bit(runs: RunRepository, source: InMemoryBars) -> None:
    run, result = completed(runs, source)

    assert list(runs.trades(run.id, 0, 1000)) == list(result.trades)
    for curve, measured in ((runs.equity(run.id), result.equity), (runs.benchmark(run.id), result.benchmark)):
        assert curve is not None
        assert np.array_equal(curve.time, measured.time)
        assert np.array_equal(curve.value, measured.value)


def test_a_run_from_before_the_benchmark_was_kept_has_none(database: Database, source: InMemoryBars) -> None:
    with closing(database.stores()) as stores:
        run, _ = completed(stores.runs, source)
        database.execute("update app.backtest_results set benchmark_curve = null")

        assert stores.runs.benchmark(run.id) is None


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
    run, result = completed(InMemoryRuns(), source)
    database.execute("alter table app.backtest_trades add constraint broken check (quantity < 0)")

    with closing(database.stores()) as stores, pytest.raises(sa.exc.IntegrityError):
        stores.runs.add(run, result)

    assert rows_of_runs(database) == [0, 0, 0]


def test_a_rehearsed_run_is_read_back_and_leaves_nothing(database: Database, source: InMemoryBars) -> None:
    run, result = completed(InMemoryRuns(), source)

    with closing(database.stores()) as stores:
        assert stores.rehearse(run, result) == run

    assert rows_of_runs(database) == [0, 0, 0]


def test_a_user_sees_and_changes_nothing_of_another(database: Database, source: InMemoryBars) -> None:
    with closing(database.stores("alice")) as alice, closing(database.stores("bob")) as bob:
        run, _ = completed(alice.runs, source)

        with pytest.raises(RunNotFoundError):
            bob.runs.get(run.id)
        assert list(bob.runs.trades(run.id, 0, 10)) == []
        with pytest.raises(RunNotFoundError):
            bob.runs.equity(run.id)
        assert alice.runs.get(run.id) == run


@pytest.mark.parametrize("table", TABLES_OF_RUNS)
@pytest.mark.parametrize("statement", ["update {} set user_id = 'bob'", "delete from {}"])
def test_row_security_hides_a_users_rows_even_from_a_role_that_may_change_them(
    database: Database, source: InMemoryBars, table: str, statement: str
) -> None:
    with closing(database.stores("alice")) as alice:
        run, _ = completed(alice.runs, source)
        before = rows_of_runs(database)
        database.execute(f"grant update, delete on app.{table} to bt_app")

        assert as_bob(database, f"{statement.format(f'app.{table}')} where true") == 0
        assert alice.runs.get(run.id) == run
        assert rows_of_runs(database) == before


@pytest.mark.parametrize("table", TABLES_OF_RUNS)
def test_a_user_writes_no_row_in_the_name_of_another(database: Database, source: InMemoryBars, table: str) -> None:
    with closing(database.stores("alice")) as alice:
        run, _ = completed(alice.runs, source)
    rows = database.execute(f"select to_jsonb(t)::text from app.{table} t")
    forged = rows[0][0].replace(run.id, "bt-000000000000")

    with pytest.raises(sa.exc.ProgrammingError, match="violates row-level security policy"):
        as_bob(database, INSERT_ROW.format(f"app.{table}"), forged)


@pytest.mark.parametrize("table", TABLES_OF_RUNS[1:])
def test_a_user_writes_no_row_into_the_run_of_another(database: Database, source: InMemoryBars, table: str) -> None:
    with closing(database.stores("alice")) as alice:
        completed(alice.runs, source)
    rows = database.execute(f"select to_jsonb(t)::text from app.{table} t")
    forged = rows[0][0].replace("alice", "bob")

    with pytest.raises(sa.exc.IntegrityError, match="violates foreign key constraint"):
        as_bob(database, INSERT_ROW.format(f"app.{table}"), forged)


def test_a_run_that_an_administrator_deletes_takes_its_rows_along_and_no_others(
    database: Database, source: InMemoryBars
) -> None:
    with closing(database.stores("alice")) as alice, closing(database.stores("bob")) as bob:
        run, _ = completed(alice.runs, source)
        kept, result = completed(bob.runs, source)

        database.execute(f"delete from app.backtest_runs where id = '{run.id}'")

        assert rows_of_runs(database) == [1, 1, len(result.trades)]
        assert len(bob.runs.trades(kept.id, 0, 1000)) == len(result.trades)


def test_the_columns_of_the_plan_hold_what_the_result_says(database: Database, source: InMemoryBars) -> None:
    stores = database.stores()
    run, _ = completed(stores.runs, source)
    names = ("final_capital", "total_return", "sharpe_ratio", "max_drawdown", "win_rate", "total_trades", "avg_loss")

    (row,) = database.execute(f"select {', '.join(names)}, user_id from app.backtest_results")

    assert run.summary is not None
    assert row[:-1] == tuple(run.summary.metrics[name] for name in names)
    assert row.user_id == "local"
    stores.close()


@pytest.mark.parametrize("length", [0, 3, LONG - 1, LONG])
def test_a_packed_curve_is_unpacked_exactly(length: int) -> None:
    times, values = np.array([-5, 0, 2**62]), np.array([0.1, 1e300, -0.0])
    curve = EquityCurve(np.resize(times, length), np.resize(values, length))

    again = unpack(pack(curve))

    assert again.time.tobytes() == curve.time.tobytes()
    assert again.value.tobytes() == curve.value.tobytes()


def test_strategies_that_are_gone_become_inactive(database: Database) -> None:
    stores = database.stores()

    stores.runs.register([strategy.describe() for strategy in STRATEGIES if strategy.id() != "macd"])

    found = dict(database.execute("select id, is_active from app.trading_strategies"))
    assert found == {strategy.id(): strategy.id() != "macd" for strategy in STRATEGIES}
    stores.close()


def test_new_ids_are_bt_and_twelve_hexadecimal_digits_and_never_the_same() -> None:
    ids = [Run.new_id() for _ in range(50)]

    assert all(re.fullmatch("bt-[0-9a-f]{12}", each) for each in ids)
    assert len(set(ids)) == 50
