"""Files and pages made of stored runs: whole, exact, and only where they belong."""

import csv
import io
import json
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from backtesting.diagnostics.verdict import verdict
from backtesting.errors import BacktestError, NoBarsError, RunNotFoundError
from backtesting.judgement import MEANINGS
from backtesting.reports import Reports
from backtesting.types import Asset, AssetClass, Bars, Timeframe
from tests.fixtures.completed import IBM, desk_of_ibm, reports_of, walk
from tests.fixtures.in_memory import Desk, no_record


@pytest.fixture(scope="module")
def desk() -> Desk:
    return desk_of_ibm()


@pytest.fixture(scope="module")
def run_id(desk: Desk) -> str:
    return desk.run("sma_crossover", parameters={"position_size": 0.95}).id


@pytest.fixture
def reports(desk: Desk, tmp_path: Path) -> Reports:
    return reports_of(desk, tmp_path / "data" / "reports")


def strict(content: bytes) -> Any:
    """Read JSON that holds no NaN and no infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(content, parse_constant=refuse)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_csv_holds_every_trade_and_bar_bit_for_bit(reports: Reports, run_id: str) -> None:
    run = reports.completed(run_id)

    trades, equity, _ = (rows(path) for path in reports.export([run_id], "csv"))

    assert [float(row["pnl"]) for row in trades] == [trade.pnl for trade in run.trades]
    assert [row["entry_date"] for row in trades] == [trade.entry_date.isoformat() for trade in run.trades]
    assert trades[-1]["exit_date"] == "" and trades[-1]["status"] == "open"
    assert [float(row["equity"]) for row in equity] == run.equity.value.tolist()
    assert run.benchmark is not None
    assert [float(row["benchmark"]) for row in equity] == run.benchmark.value.tolist()
    assert equity[0]["time"] == "2000-03-01T00:00:00+00:00"
    assert min(float(row["drawdown"]) for row in equity) == run.summary.metrics["max_drawdown"]


def test_metrics_are_exported_with_unit_definition_and_the_reason_of_an_undefined_one(
    desk: Desk, reports: Reports
) -> None:
    held = desk.run("buy_and_hold").id

    told = {row["metric"]: row for row in rows(reports.export([held], "csv")[2])}

    assert list(told) == list(MEANINGS)
    assert (told["win_rate"]["value"], told["win_rate"]["undefined"]) == ("", "no_trades")
    assert told["max_drawdown"]["unit"] == "fraction"
    assert told["calmar_ratio"]["definition"] == "Annual return / |max drawdown| (Young 1991)"


def test_parquet_holds_the_same_with_types(reports: Reports, run_id: str) -> None:
    run = reports.completed(run_id)

    trades, equity, metrics = (parquet.read_table(path) for path in reports.export([run_id], "parquet"))

    assert trades.to_pylist() == [asdict(trade) for trade in run.trades]
    assert trades.schema.field("exit_date").type == pa.timestamp("us", "UTC")
    assert np.array_equal(equity["equity"].to_numpy(), run.equity.value)
    assert np.array_equal(equity["time"].cast(pa.int64()).to_numpy() * 1000, run.equity.time)
    assert len(metrics) == len(MEANINGS)


def test_json_is_strict_and_whole(reports: Reports, run_id: str) -> None:
    run = reports.completed(run_id)

    (path,) = reports.export([run_id], "json")

    told = strict(path.read_bytes())
    assert told["backtest_id"] == run_id
    assert told["verdict"] == verdict(run.summary)
    assert told["diagnostics"] and told["diagnostics"] == [asdict(each) for each in run.summary.diagnostics or ()]
    assert list(told).index("diagnostics") < list(told).index("flags")
    assert told["request"] == run.run.request.model_dump(mode="json")
    assert [trade["pnl_percent"] for trade in told["trades"]] == [trade.pnl_percent for trade in run.trades]
    assert told["equity"]["equity"] == run.equity.value.tolist()
    assert {each["metric"]: each["value"] for each in told["metrics"]} == dict(run.summary.metrics)
    assert told["provenance"]["data_hash"] == run.summary.provenance["data_hash"]


@pytest.mark.parametrize("wanted", ["csv", "parquet", "json", "html"])
def test_a_run_without_trades_is_exported_too(desk: Desk, reports: Reports, wanted: Any) -> None:
    idle = desk.run("rsi", parameters={"oversold": 1.0}).id

    assert all(path.stat().st_size for path in reports.export([idle], wanted))


def test_a_metric_that_was_not_known_when_the_run_was_stored_has_a_reason(desk: Desk, reports: Reports) -> None:
    run_id = desk.run().id
    run, result = desk.runs.stored[run_id]
    assert run.summary is not None
    fewer = {key: value for key, value in run.summary.metrics.items() if key != "psr"}
    desk.runs.stored[run_id] = (replace(run, summary=replace(run.summary, metrics=fewer)), result)

    told = {row["metric"]: row for row in rows(reports.export([run_id], "csv")[2])}

    assert (told["psr"]["value"], told["psr"]["undefined"]) == ("", "not_computed")


def test_files_are_this_users_alone_and_named_by_the_runs_only(tmp_path: Path) -> None:
    desk = Desk(walk(60), Asset("../../ETC/X", "../../name", AssetClass.EQUITY, "USD"))
    reports, run_id = reports_of(desk, tmp_path / "data" / "reports"), desk.run().id

    paths = [path for wanted in ("html", "csv", "json") for path in reports.export([run_id], wanted)]  # type: ignore[arg-type]

    names = [f"{run_id}.html", *(f"{run_id}-{part}.csv" for part in ("trades", "equity", "metrics")), f"{run_id}.json"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "data" / "reports").iterdir()) == sorted(names)
    assert stat.S_IMODE((tmp_path / "data" / "reports").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


def test_a_comparison_is_named_by_all_its_runs_and_takes_each_once(desk: Desk, reports: Reports, run_id: str) -> None:
    other = desk.run("macd").id

    (path,) = reports.export([run_id, other, run_id], "html")

    assert path.name == f"{run_id}-{other.removeprefix('bt-')}.html"


def test_an_export_takes_the_place_of_an_older_one_at_once(
    reports: Reports, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = reports.export([run_id], "json")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BacktestError, match="No space left on device; set BACKTEST_DATA_DIR"):
        reports.export([run_id], "json")

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no draft is left"


def test_a_folder_that_cannot_be_made_is_told_with_the_remedy(desk: Desk, run_id: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(BacktestError, match="set BACKTEST_DATA_DIR"):
        reports_of(desk, tmp_path / "data" / "reports").export([run_id], "json")


@pytest.mark.parametrize("ids", [[], [f"bt-{number:012}" for number in range(7)]])
def test_none_or_too_many_runs_are_refused(reports: Reports, ids: list[str]) -> None:
    with pytest.raises(BacktestError, match="name 1 to 6"):
        reports.export(ids, "html")


def test_an_unknown_run_is_told(reports: Reports) -> None:
    with pytest.raises(RunNotFoundError):
        reports.chart("bt-000000000000", "equity")


def test_a_failed_run_has_no_picture_and_no_report_but_a_reason(desk: Desk, reports: Reports) -> None:
    with pytest.raises(NoBarsError) as failure:
        desk.run("sma_crossover", start_date="2000-03-01", end_date="2000-03-31")
    run_id = failure.value.run_id
    assert run_id is not None

    for call in (lambda: reports.chart(run_id, "equity"), lambda: reports.export([run_id], "csv")):
        with pytest.raises(BacktestError, match="warm-up") as told:
            call()
        assert told.value.run_id == run_id


def test_the_price_is_drawn_only_on_the_bars_the_run_was_measured_on() -> None:
    bars = walk(300)
    desk = Desk(bars, IBM)
    reports, run_id = reports_of(desk), desk.run("macd").id
    equity = reports.chart(run_id, "equity")
    assert reports.chart(run_id, "price").startswith(b"\x89PNG")

    doubled = Bars(bars.time, *(2 * column for column in bars.ohlcv))
    desk.bars.store(IBM, Timeframe.D1, [doubled], no_record)

    with pytest.raises(BacktestError, match="have changed since"):
        reports.chart(run_id, "price")
    assert reports.chart(run_id, "equity") == equity, "what was measured is shown as it was"


def test_the_price_of_a_run_with_warm_up_begins_with_its_period(desk: Desk) -> None:
    run = desk.run("sma_crossover", start_date="2005-01-03", end_date="2005-12-30")

    found = reports_of(desk).completed(run.id, with_bars=True)

    assert found.bars is not None
    assert np.array_equal(found.bars.time, found.equity.time)
    # adj_close of 2005-01-03, from the sample file
    assert found.bars.close[0] == pytest.approx(74.083610900001, rel=1e-12)
