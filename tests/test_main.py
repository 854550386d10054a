"""The command line, on an embedded PostgreSQL of its own."""

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

import main
from backtesting.types import BacktestRequest
from database.embedded.server import EmbeddedPostgres
from tests.fixtures.postgres import Database, reachable_folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory whose database has been made."""
    with reachable_folder() as folder:
        home = folder / "home"
        environment = os.environ | {"BACKTEST_DATA_DIR": str(home), "BACKTEST_ENV_FILE": ""}
        subprocess.run([sys.executable, "main.py", "db", "upgrade"], env=environment, check=True, capture_output=True)
        yield home


@pytest.fixture(autouse=True)
def data_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKTEST_DATA_DIR", str(home))


def stored_runs(home: Path) -> int:
    server = EmbeddedPostgres(home)
    (count,) = Database(server, "backtesting").execute("select count(*) from app.backtest_runs")[0]
    server.close()
    return int(count)


def test_the_demo_shows_ibm_beside_buy_and_hold_and_says_where_it_is_stored(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.main(["demo"])

    told = capsys.readouterr().out
    assert code == 0
    assert "sma_crossover(fast_period=20, slow_period=50) on IBM 1d, 2000-03-01 to 2013-03-01" in told
    assert "buy and hold" in told and "warmup_short" in told and "Last 5 of 37 trades" in told
    assert f"in the embedded PostgreSQL in {home}." in told
    assert "main.py doctor" in told


def test_a_backtest_takes_strategy_symbol_parameters_and_terms(capsys: pytest.CaptureFixture[str]) -> None:
    code = main.main(
        "backtest rsi aapl --set period=7 --set position_size=0.5 --start 2005-01-03 --end 2010-12-31 --capital 5000"
        " --costs zero --fill next_close --adjustment raw".split()
    )

    told = capsys.readouterr().out
    assert code == 0
    assert "rsi(period=7, oversold=30.0, overbought=70.0) on AAPL 1d, 2005-01-03 to 2010-12-31" in told
    assert "50% of equity per entry, decided at a close, filled at the next close; commission 0.0000%" in told
    assert "raw prices" in told and "zero_costs" in told and "unadjusted_split_suspected" in told


def test_a_walk_forward_shows_whether_chosen_parameters_held_up(capsys: pytest.CaptureFixture[str]) -> None:
    spaces = ["--space", "fast_period=[5,10]", "--space", 'slow_period={"low":20,"high":60,"step":20}']
    windows = "--train 400 --test 100 --anchored --end 2003-12-31".split()

    code = main.main(["walk-forward", "sma_crossover", "IBM", *spaces, *windows])

    told = capsys.readouterr().out
    assert code == 0
    # the 401st day of the sample
    assert "sma_crossover on IBM 1d, 5 windows, tested 2001-10-05 to" in told
    assert "6 sets a window" in told and "Believe it? " in told and "Each window starts flat" in told


def test_a_walk_forward_that_cannot_be_meant_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main.main("walk-forward sma_crossover IBM --train 5000".split())

    assert code == 1
    assert "train_sessions" in capsys.readouterr().err


def test_a_stored_run_is_reported_and_exported_below_the_data_directory(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main.main(["backtest", "macd", "IBM"])
    (run_id,) = set(re.findall("bt-[0-9a-f]{12}", capsys.readouterr().out))

    codes = [main.main(["report", run_id]), main.main(["report", run_id, "--format", "csv"])]

    names = [f"{run_id}.html", *(f"{run_id}-{part}.csv" for part in ("trades", "equity", "metrics"))]
    assert codes == [0, 0]
    assert capsys.readouterr().out.splitlines() == [str(home.resolve() / "reports" / name) for name in names]
    assert all((home / "reports" / name).stat().st_size for name in names)


def test_a_report_of_a_run_that_is_not_stored_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["report", "bt-000000000000"]) == 1

    assert "error: backtest_id: no stored run bt-000000000000" in capsys.readouterr().err


EVERY_OPTION = {
    "--delay-bars": "2",
    "--costs": '{"commission": 0.001, "slippage": 0.0005, "fixed": 1}',
    "--fees": "0.002",
    "--slippage": "0.001",
    "--sizing": "risk_per_trade=0.02",
    "--lot-size": "1",
    "--min-notional": "100",
    "--max-leverage": "1.5",
    "--direction": "both",
    "--stop-loss": "0.03",
    "--take-profit": "4atr",
    "--trailing-stop": "3atr:20",
    "--stop-base": "signal_close",
    "--intrabar": "optimistic",
    "--limit-touch": None,
    "--max-holding": "30",
    "--close-at-end": None,
    "--risk-free": "0.02",
    "--periods-per-year": "250",
    "--benchmark": "msft",
    "--trade-from": "2006-01-03",
    "--history-bars": "300",
    "--seed": "7",
    "--start": "2005-01-03",
    "--end": "2010-12-31",
    "--capital": "50000",
    "--timeframe": "1d",
    "--fill": "next_close",
    "--adjustment": "raw",
}


def every_option() -> list[str]:
    return [each for option in EVERY_OPTION.items() for each in option if each is not None]


def test_every_option_of_a_request_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    code = main.main(["backtest", "sma_crossover", "IBM", *every_option()])

    told = capsys.readouterr().out
    assert code == 0
    for words in (
        "on IBM 1d, 2005-01-03 to 2010-12-31",
        "2% of equity at risk per entry, decided at a close, filled at the next close; long and short",
        "stop 3%; target 4 x ATR(14); trailing stop 3 x ATR(20); at most 30 bars; 2 bars after the decision",
        "closed at the end; commission 0.2000%, slippage 0.1000%, fixed 1 per fill; raw prices",
        "buy and hold MSFT",
        "optimistic_intrabar",
        "periods_overridden",
    ):
        assert words in told


def test_the_options_are_the_fields_of_a_request() -> None:
    options = vars(main.make_parser().parse_args(["backtest", "rsi", "IBM", *every_option()]))

    assert options.keys() - {
        "command",
        "strategy",
        "symbol",
        "set",
        "as_json",
    } == BacktestRequest.model_fields.keys() - {
        "strategy_id",
        "asset_symbol",
        "parameters",
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("fixed_cash=5000", {"method": "fixed_cash", "amount": 5000}),
        ("fixed_units=10", {"method": "fixed_units", "units": 10}),
        ("percent_equity=0.5", {"method": "percent_equity", "fraction": 0.5}),
        ("vol_target=0.15", {"method": "vol_target", "target": 0.15}),
        ("kelly=0.5", {"method": "kelly", "fraction": 0.5}),
        ('{"method": "kelly", "cap": 0.3}', {"method": "kelly", "cap": 0.3}),
    ],
)
def test_a_size_is_written_as_its_method_and_one_value_or_as_json(written: str, meant: dict[str, object]) -> None:
    options = main.make_parser().parse_args(["backtest", "rsi", "IBM", "--sizing", written])

    assert options.sizing == meant


def test_a_stored_run_is_verified_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    main.main(["backtest", "macd", "MSFT"])
    (run_id,) = set(re.findall(r"bt-[0-9a-f]{12}", capsys.readouterr().out))

    codes = [main.main(["verify", run_id]), main.main(["verify", "bt-000000000000"])]

    captured = capsys.readouterr()
    assert codes == [0, 1]
    assert captured.out == f"{run_id} identical: its replay gives the stored outcome, bit for bit\n"
    assert captured.err.startswith("error: backtest_id: no stored run bt-000000000000")


YAHOO = """Date,Open,High,Low,Close,Adj Close,Volume
2023-01-03,130.28,130.90,124.17,125.07,123.90,112117500
2023-01-04,126.89,128.66,125.08,126.36,125.18,89113600
2023-01-05,127.13,127.77,124.76,125.02,123.85,80962700
"""


def test_a_file_is_imported_and_backtested_in_two_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "NVDA.csv"
    path.write_text(YAHOO, encoding="utf-8")

    codes = [main.main(["import", str(path)]), main.main(["backtest", "buy_and_hold", "NVDA"])]

    told = capsys.readouterr().out
    assert codes == [0, 0]
    assert "layout: Yahoo Finance" in told and "stored: 3 bars added, 0 changed" in told
    assert "buy_and_hold() on NVDA 1d, 2023-01-03 to 2023-01-05" in told


def test_a_dataset_is_fetched_and_backtested_in_two_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = [f"2023-01-{day:02}" for day in (3, 4, 5, 6)]
    prices = {name: [10.0, 11.0, 12.0, 13.0] for name in ("open", "high", "low", "close")}
    parquet.write_table(pa.table({"date": days, "ticker": ["LAKE"] * 4, **prices}), tmp_path / "bars.parquet")
    fetch = f"fetch duckdb LAKE --from {tmp_path}".split()

    codes = [main.main(fetch), main.main(fetch), main.main(["backtest", "buy_and_hold", "LAKE"])]

    told = capsys.readouterr().out
    assert codes == [0, 0, 0]
    assert "stored: 4 bars added, 0 changed" in told and "stored: 0 bars added, 0 changed" in told
    assert "LAKE (equity, USD) stored: 1d 2023-01-03 00:00 to 2023-01-06 00:00" in told
    assert "buy_and_hold() on LAKE 1d, 2023-01-03 to 2023-01-06" in told


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (["--costs", '{"commission": 0.1'], "is not JSON"),
        (["--sizing", "{method: kelly}"], "names and texts stand in double quotes"),
        (["--fees", "much"], "'much' is no number, write it like 0.05"),
        (["--delay-bars", "one"], "'one' is no number"),
    ],
)
def test_an_option_that_cannot_be_read_is_refused_by_name_with_the_remedy(
    option: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main(["backtest", "rsi", "IBM", *option])

    (line,) = capsys.readouterr().err.splitlines()
    assert f"argument {option[0]}: " in line and told in line


def test_a_fetch_that_fails_says_what_would_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    codes = [main.main(line.split()) for line in (
        "fetch yahoo AAPL",
        "fetch ccxt BTC/USDT --exchange binanc",
        "fetch duckdb NONE --from missing.parquet",
        "fetch yfinance AAPL --mode tial",
        "fetch yfinance NONE --mode local",
    )]  # fmt: skip

    complaints = capsys.readouterr().err
    assert codes == [1] * 5
    for right in (
        "known: ccxt, duckdb, yfinance",
        "did you mean 'binance'",
        "there is no such file",
        "'backfill'",
        "'NONE'",
    ):
        assert right in complaints
    assert "Traceback" not in complaints


def test_a_dry_run_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "DRY.csv"
    path.write_text(YAHOO, encoding="utf-8")

    codes = [main.main(["import", "--dry-run", str(path)]), main.main(["backtest", "buy_and_hold", "DRY"])]

    captured = capsys.readouterr()
    assert codes == [0, 1]
    assert "nothing was stored" in captured.out and "unknown symbol 'DRY'" in captured.err


def test_a_file_that_is_refused_does_not_keep_the_others_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "A_BAD.csv").write_text(YAHOO.replace("128.66", "=1+1"), encoding="utf-8")
    (tmp_path / "GOOD.csv").write_text(YAHOO, encoding="utf-8")

    code = main.main(["import", str(tmp_path)])

    captured = capsys.readouterr()
    assert code == 1
    assert "error: A_BAD.csv" in captured.err and "line 3" in captured.err
    assert "GOOD 1d" in captured.out and "stored: 3 bars added" in captured.out


def test_assets_are_listed_with_what_was_inferred_and_what_was_set_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "QQQX.csv"
    path.write_text(YAHOO, encoding="utf-8")
    edit = "assets edit qqqx --class etf --currency eur --exchange xetra --tick-size 0.01 --lot-size 1".split()

    codes = [
        main.main(["import", str(path)]),
        main.main([*edit, "--name", "Some fund"]),
        main.main(["import", str(path)]),
    ]
    capsys.readouterr()
    codes.append(main.main(["assets", "--search", "qqqx"]))

    told = capsys.readouterr().out
    assert codes == [0, 0, 0, 0]
    assert told.startswith(
        "QQQX (Some fund): etf, EUR, XETR, tick 0.01, lot 1\n  1d 2023-01-03 to 2023-01-05, 3 bars, adj"
    )
    assert "New York is assumed" in told and "set by hand: asset_class, currency" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["assets", "edit", "IBM", "--currency", "EURO"], "did you mean 'EUR'"),
        (["assets", "edit", "IBM"], "nothing to change"),
        (["backtest", "smacrossover", "IBM"], "did you mean 'sma_crossover'"),
        (["backtest", "rsi", "IBMM"], "did you mean 'IBM'"),
        (["backtest", "rsi", "IBM", "--set", "perod=7"], "did you mean 'period'"),
        (["backtest", "rsi", "IBM", "--capital", "0"], "initial_capital"),
        (["backtest", "rsi", "IBM", "--stop-loss", "2atrs"], "stop_loss"),
        (["backtest", "rsi", "IBM", "--sizing", "fixed_cahs=5"], "'fixed_cash'"),
        (["backtest", "rsi", "IBM", "--sizing", "fixed_cash"], "amount: is required"),
        (["backtest", "rsi", "IBM", "--benchmark", "MSFTX"], "did you mean 'MSFT'"),
        (["backtest", "rsi", "IBM", "--costs", "free"], "us_equity"),
        (["backtest", "rsi", "IBM", "--timeframe", "1h"], "known: 1d"),
        (["backtest", "rsi", "IBM", "--start", "2012-01-03", "--end", "2001-01-03"], "choose an earlier start_date"),
    ],
)
def test_a_backtest_that_cannot_be_meant_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code = main.main(arguments)

    captured = capsys.readouterr()
    assert (code, captured.out) == (1, "")
    assert words in captured.err
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dance"], "invalid choice: 'dance'"),
        (["backtest"], "strategy, symbol"),
        (["backtest", "rsi", "IBM", "--start", "soon"], "--start"),
        (["backtest", "rsi", "IBM", "--set", "period"], "NAME=VALUE"),
        (["db"], "ACTION"),
        (["demo", "--fast"], "--fast"),
    ],
)
def test_bad_usage_is_one_clear_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    with pytest.raises(SystemExit) as left:
        main.main(arguments)

    told = capsys.readouterr().err
    assert left.value.code == 2
    assert words in told and told.count("\n") == 1


def test_a_setting_that_makes_no_sense_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKTEST_LOG_LEVEL", "LOUD")

    code = main.main(["demo"])

    told = capsys.readouterr().err
    assert code == 1
    assert "BACKTEST_LOG_LEVEL" in told and "'INFO'" in told and told.count("\n") == 1


def test_the_doctor_finds_everything_well_and_gives_a_configuration_that_starts_the_server(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stored_runs(home)

    code = main.main(["doctor"])

    told = capsys.readouterr().out
    assert code == 0
    assert stored_runs(home) == before
    assert [line.split(":")[0] for line in told.splitlines() if line.startswith("ok")] == [
        "ok    engine",
        "ok    database",
        "ok    rights",
        "ok    sample data",
        "ok    write access",
        "ok    executor",
        "ok    kernels",
    ]
    (entry,) = json.loads(told[told.index("{") :])["mcpServers"].values()
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    answer = subprocess.run(
        [entry["command"], *entry["args"]],
        input=json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}) + "\n",
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"BACKTEST_DATA_DIR": str(home)},
    )
    assert json.loads(answer.stdout)["result"]["serverInfo"]["name"] == "backtesting-mcp"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PGSERVICE", "elsewhere"), ("PGOPTIONS", "-c foo"), ("PGHOST", "127.0.0.1"), ("PGUSER", "nobody")],
)
def test_variables_meant_for_another_postgresql_do_not_lead_astray(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert main.main(["backtest", "buy_and_hold", "IBM"]) == 0


def test_the_doctor_says_what_does_not_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:s3cret@127.0.0.1:9/nothing")

    code = main.main(["doctor"])

    told = capsys.readouterr().out
    assert code == 1
    assert "ok    engine" in told and "FAIL  database: the database cannot be reached" in told
    assert "s3cret" not in told


def test_the_doctor_tells_a_scheduler_that_does_not_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXECUTOR_URL", "tcp://127.0.0.1:9")

    code = main.main(["doctor"])

    told = capsys.readouterr().out
    assert code == 1
    assert "ok    write access" in told and "FAIL  executor: " in told and "tcp://127.0.0.1:9" in told


def test_an_embedded_database_can_be_upgraded_by_hand_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main.main(["db", "upgrade"])

    assert code == 0
    assert capsys.readouterr().out == f"up to date: the embedded PostgreSQL in {home}\n"


def test_a_progress_bar_is_drawn_on_a_terminal_and_leaves_the_result_alone(tmp_path: Path) -> None:
    (tmp_path / "BAR.csv").write_text(YAHOO, encoding="utf-8")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))

    command = [sys.executable, "main.py", "import", "--dry-run", str(tmp_path / "BAR.csv")]
    on_terminal = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    drawn = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    piped = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "% |" in drawn
    assert piped.stderr == ""
    assert on_terminal.stdout == piped.stdout and piped.stdout.startswith("BAR.csv: BAR 1d")


def test_help_lists_every_command() -> None:
    told = subprocess.run([sys.executable, "main.py", "--help"], capture_output=True, text=True, check=True).stdout

    assert all(command in told for command in ("serve", "demo", "backtest", "import", "fetch", "doctor", "db"))
