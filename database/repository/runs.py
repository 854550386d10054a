"""Runs with their results and trades, of the connection's user alone."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects.postgresql import insert

from backtesting.errors import RunNotFoundError, shown
from backtesting.types import (
    RUN_ID_PATTERN,
    BacktestRequest,
    BacktestResult,
    Diagnostic,
    EquityCurve,
    Flag,
    Run,
    RunFilter,
    RunPage,
    RunStatus,
    StrategyDescription,
    Summary,
    Trade,
    TradeStatus,
    Weight,
)
from database.models import backtest_results, backtest_runs, backtest_trades, trading_strategies
from database.repository.curves import unpack
from database.repository.run_rows import add_runs
from database.repository.run_search import WITH_SUMMARY, count_of, counted, page_of
from database.transactions import Transactions

TRADE_FIELDS = tuple(field.name for field in fields(Trade))


class SqlRunRepository:
    """Keeps runs; fulfils `RunRepository`. A stored run never changes."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def register(self, strategies: Iterable[StrategyDescription]) -> None:
        """Make the strategies known that runs may refer to; those no longer listed become inactive."""
        rows = [asdict(each) | {"is_active": True} for each in strategies]
        self._transactions.run(lambda connection: _register(connection, rows))

    def add(self, run: Run, result: BacktestResult | None) -> None:
        """Store a run with its result, trades and trial, all or nothing; adding it again changes nothing."""
        self._transactions.alone(lambda connection: add_runs(connection, [(run, result)]))

    def get(self, run_id: str) -> Run:
        """Return the run; RunNotFoundError when this user has none of that id."""
        query = WITH_SUMMARY.where(backtest_runs.c.id == checked(run_id))
        row = self._transactions.alone(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise not_found(run_id)
        return _run(row)

    def completed(self, config_hash: str) -> Sequence[Run]:
        """Return the completed runs of a request, newest first."""
        query = WITH_SUMMARY.where(backtest_results.c.config_hash == config_hash)
        query = query.order_by(backtest_runs.c.created_at.desc())
        return [_run(row) for row in self._transactions.alone(lambda connection: connection.execute(query).all())]

    def find(self, wanted: RunFilter) -> RunPage:
        """Return the runs that fulfil the filter, page by page."""
        page, count, most = page_of(wanted), count_of(wanted), counted(wanted)

        def read(connection: Connection) -> RunPage:
            runs = [_run(row) for row in connection.execute(page).all()]
            total = connection.scalar(count) or 0
            return RunPage(runs, min(total, most), is_all=total <= most)

        return self._transactions.run(read)

    def trades(self, run_id: str, offset: int, limit: int) -> Sequence[Trade]:
        """Return at most `limit` trades of a stored run, oldest first, from number `offset`."""
        table = backtest_trades.c
        query = sa.select(backtest_trades).where(table.run_id == checked(run_id), table.number >= offset)
        query = query.order_by(table.number).limit(limit)
        return [_trade(row) for row in self._transactions.alone(lambda connection: connection.execute(query).all())]

    def equity(self, run_id: str) -> EquityCurve:
        """Return the whole equity curve of a completed run; RunNotFoundError when there is none."""
        packed = self._curve(run_id, backtest_results.c.equity_curve)
        if packed is None:
            raise not_found(run_id)
        return unpack(packed)

    def benchmark(self, run_id: str) -> EquityCurve | None:
        """Return the equity curve of buy and hold beside it; None where the run was stored without."""
        packed = self._curve(run_id, backtest_results.c.benchmark_curve)
        return None if packed is None else unpack(packed)

    def _curve(self, run_id: str, column: sa.Column[Any]) -> bytes | None:
        query = sa.select(column).where(backtest_results.c.run_id == checked(run_id))
        return self._transactions.alone(lambda connection: connection.scalar(query))


def checked(run_id: str) -> str:
    """Return the id if it is one; RunNotFoundError says what ids look like."""
    if not re.fullmatch(RUN_ID_PATTERN, run_id):
        raise RunNotFoundError(
            f"backtest_id: {shown(run_id)} is no id; run_backtest returns ids of the form bt- and 12 hex digits",
            field="backtest_id",
        )
    return run_id


def not_found(run_id: str) -> RunNotFoundError:
    """Say that this user has nothing of that id."""
    return RunNotFoundError(
        f"backtest_id: no stored run {run_id}; take an id that run_backtest returned", field="backtest_id"
    )


def _register(connection: Connection, rows: list[dict[str, Any]]) -> None:
    new = insert(trading_strategies).values(rows)
    changes = {name: new.excluded[name] for name in rows[0] if name != "id"}
    differs = sa.or_(*(trading_strategies.c[name].is_distinct_from(value) for name, value in changes.items()))
    connection.execute(new.on_conflict_do_update(index_elements=["id"], set_=changes, where=differs))
    gone = trading_strategies.c.id.not_in([row["id"] for row in rows]) & trading_strategies.c.is_active
    connection.execute(sa.update(trading_strategies).where(gone).values(is_active=False))


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        status=RunStatus(row.status),
        request=BacktestRequest.model_validate(row.request),
        created_at=row.created_at,
        completed_at=row.completed_at,
        summary=None if row.metrics is None else _summary(row),
        error=row.error,
        tags=tuple(row.tags),
    )


def _summary(row: Row[Any]) -> Summary:
    return Summary(
        metrics=row.metrics,
        undefined=row.undefined,
        flags=tuple(Flag(**flag) for flag in row.flags),
        counters=row.counters,
        provenance=row.provenance,
        diagnostics=None if row.diagnostics is None else tuple(_diagnostic(each) for each in row.diagnostics),
    )


def _diagnostic(stored: dict[str, str]) -> Diagnostic:
    return Diagnostic(stored["code"], Weight(stored["weight"]), stored["issue"], stored["advice"])


def _trade(row: Row[Any]) -> Trade:
    values = {name: value for name, value in row._mapping.items() if name not in ("run_id", "user_id")}  # noqa: SLF001 - SQLAlchemy's documented name
    return Trade(**values | {"status": TradeStatus(row.status)})
