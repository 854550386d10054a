"""A run as tables for other programs: its trades, its curves and its metrics, as CSV, Parquet or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal, get_args, get_type_hints

from backtesting.diagnostics.verdict import verdict
from backtesting.judgement import MEANINGS
from backtesting.price_files.arrow import pa, parquet
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import Trade

TableFormat = Literal["csv", "parquet", "json"]

NS_PER_US = 1000
TYPES: Mapping[type, str] = {int: "int64", float: "double", str: "string"}


def trades(completed: CompletedRun) -> pa.Table:
    """Return a row a trade; the exit is null while it is open."""
    hints = get_type_hints(Trade)
    fields = [pa.field(name, _type(hint)) for name, hint in hints.items()]
    return pa.Table.from_pylist([asdict(trade) for trade in completed.trades], pa.schema(fields))


def curves(completed: CompletedRun) -> pa.Table:
    """Return a row a bar: equity, drawdown as a fraction <= 0, and the equity of buy and hold, null where not kept."""
    curve, benchmark = completed.equity, completed.benchmark
    columns = {
        "time": pa.array(curve.time // NS_PER_US).cast(_type(datetime)),
        "equity": curve.value,
        "drawdown": completed.growth.drawdown,
        "benchmark": pa.nulls(len(curve.time), pa.float64()) if benchmark is None else benchmark.value,
    }
    return pa.table(columns)


def metrics(completed: CompletedRun) -> pa.Table:
    """Return a row a metric: its value or the reason why there is none, its unit and its definition."""
    known, reasons = completed.summary.metrics, completed.summary.undefined
    rows = [
        {
            "metric": key,
            "value": known.get(key),
            "undefined": reasons.get(key) if key in known else "not_computed",
            "unit": unit,
            "definition": definition,
        }
        for key, (unit, definition) in MEANINGS.items()
    ]
    schema = pa.schema([(name, pa.float64() if name == "value" else pa.string()) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema)


TABLES: Mapping[str, Callable[[CompletedRun], pa.Table]] = {"trades": trades, "equity": curves, "metrics": metrics}


def files(completed: CompletedRun, wanted: TableFormat) -> dict[str, bytes]:
    """Return the contents of the run's files by name: one file a table, or one for all as JSON."""
    name, tables = completed.run.id, {part: table(completed) for part, table in TABLES.items()}
    match wanted:
        case "csv":
            return {f"{name}-{part}.csv": _csv(table) for part, table in tables.items()}
        case "parquet":
            return {f"{name}-{part}.parquet": _parquet(table) for part, table in tables.items()}
    return {f"{name}.json": _json(completed, tables)}


def _type(hint: Any) -> pa.DataType:
    """Return the type of a field that may be None or an enumeration of texts."""
    kind = next((each for each in get_args(hint) if each is not type(None)), hint)
    if kind is datetime:
        return pa.timestamp("us", "UTC")
    return pa.type_for_alias(TYPES[str if issubclass(kind, str) else kind])


def _csv(table: pa.Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(_plain(column) for column in table.columns), strict=True))
    return text.getvalue().encode()


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Return the values as CSV writes them: times as ISO text, floats so that they read back bit for bit."""
    values: list[Any] = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [value.isoformat() if value else value for value in values]
    return values


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def _json(completed: CompletedRun, tables: Mapping[str, pa.Table]) -> bytes:
    run, summary = completed.run, completed.summary
    whole = {
        "backtest_id": run.id,
        "created_at": run.created_at,
        "request": run.request.model_dump(mode="json"),
        "verdict": verdict(summary),
        "diagnostics": None if summary.diagnostics is None else [asdict(each) for each in summary.diagnostics],
        "flags": [asdict(flag) for flag in summary.flags],
        "counters": dict(summary.counters),
        "provenance": dict(summary.provenance),
        "metrics": tables["metrics"].to_pylist(),
        "trades": tables["trades"].to_pylist(),
        "equity": tables["equity"].to_pydict(),
    }
    return json.dumps(whole, allow_nan=False, default=datetime.isoformat).encode()
