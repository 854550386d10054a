"""What a run is stored as: its rows in every table, written by one statement."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

from backtesting.types import BacktestResult, Run, Trial
from database.models import backtest_results, backtest_runs, trials
from database.repository.curves import pack
from database.repository.trade_rows import INSERT_OF_RUN, trade_columns
from database.repository.trials import trial_row
from database.repository.wire import driver, writing_cursor

RUN_COLUMNS = (
    *("id", "strategy_id", "asset", "timeframe", "start_date", "end_date", "initial_capital", "parameters", "costs"),
    *("fill", "adjustment", "request", "status", "error", "created_at", "completed_at", "tags"),
)
METRIC_COLUMNS = (
    *("final_capital", "total_return", "sharpe_ratio", "max_drawdown", "win_rate", "total_trades", "winning_trades"),
    *("losing_trades", "avg_win", "avg_loss", "profit_factor"),
)
RESULT_COLUMNS = (
    *(*METRIC_COLUMNS, "metrics", "undefined", "flags", "counters", "provenance", "diagnostics", "contract_version"),
    *("data_hash", "config_hash", "equity_curve", "benchmark_curve"),
)
TRIAL_COLUMNS = tuple(field.name for field in fields(Trial))
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
Json = partial(Jsonb, dumps=partial(json.dumps, allow_nan=False))


def _parameters(table: Table, names: Iterable[str]) -> str:
    """Return the parameters of a row's values, `%(table.column)s` each, of their columns' types."""
    types = {name: table.c[name].type.compile(DIALECT) for name in names}
    return ", ".join(f"%({table.name}.{name})s::{kind}" for name, kind in types.items())


ADD_RUN = f"""
insert into app.backtest_runs ({", ".join(RUN_COLUMNS)}) values ({_parameters(backtest_runs, RUN_COLUMNS)})
on conflict do nothing"""  # noqa: S608 - the names are ours, the values are parameters
ADD_COMPLETED = f"""
with run as ({ADD_RUN} returning id),
result as (insert into app.backtest_results (run_id, {", ".join(RESULT_COLUMNS)})
  select id, {_parameters(backtest_results, RESULT_COLUMNS)} from run),
trade as ({INSERT_OF_RUN})
insert into app.trials ({", ".join(TRIAL_COLUMNS)})
select {_parameters(trials, TRIAL_COLUMNS)} from run on conflict do nothing"""  # noqa: S608


def add_runs(connection: Connection, made: Sequence[tuple[Run, BacktestResult | None]]) -> None:
    """Store runs with their results, trades and trials, one statement each; adding one again changes nothing."""
    with writing_cursor(driver(connection)) as cursor:
        completed = [_run_row(run) | _result_row(run, result) for run, result in made if result is not None]
        if completed:
            cursor.executemany(ADD_COMPLETED, completed)
        if failed := [_run_row(run) for run, result in made if result is None]:
            cursor.executemany(ADD_RUN, failed)


def _run_row(run: Run) -> dict[str, Any]:
    request = run.request.model_dump(mode="json")
    row = {
        "id": run.id,
        "strategy_id": run.request.strategy_id,
        "asset": run.request.asset_symbol,
        "timeframe": run.request.timeframe.value,
        "start_date": run.request.start_date,
        "end_date": run.request.end_date,
        "initial_capital": run.request.initial_capital,
        "parameters": Json(request["parameters"]),
        "costs": Json(request["costs"]),
        "fill": run.request.fill,
        "adjustment": run.request.adjustment,
        "request": Json(request),
        "status": run.status.value,
        "error": run.error,
        "created_at": run.created_at,
        "completed_at": run.completed_at,
        "tags": list(run.tags),
    }
    return _named(backtest_runs, row)


def _result_row(run: Run, result: BacktestResult) -> dict[str, Any]:
    summary, trial = result.summary, Trial.of(run)
    assert trial is not None  # noqa: S101 - a run with a result is a completed one
    diagnostics = None if summary.diagnostics is None else Json([asdict(each) for each in summary.diagnostics])
    row = {
        **{name: summary.metrics[name] for name in METRIC_COLUMNS},
        "metrics": Json(dict(summary.metrics)),
        "undefined": Json(dict(summary.undefined)),
        "flags": Json([asdict(flag) for flag in summary.flags]),
        "counters": Json(dict(summary.counters)),
        "provenance": Json(dict(summary.provenance)),
        "diagnostics": diagnostics,
        **{name: summary.provenance[name] for name in ("contract_version", "data_hash", "config_hash")},
        "equity_curve": pack(result.equity),
        "benchmark_curve": pack(result.benchmark),
    }
    return _named(backtest_results, row) | _named(trials, trial_row(trial)) | trade_columns(result.trades)


def _named(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {f"{table.name}.{name}": value for name, value in row.items()}
