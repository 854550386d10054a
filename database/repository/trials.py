"""The ledger of trials, of the connection's user alone."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import distinct_on, insert

from backtesting.types import Trial, TrialCount
from database.models import trials
from database.transactions import Transactions


class SqlTrialLedger:
    """Counts trials; fulfils `TrialLedger`."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def count(self, trial: Trial) -> TrialCount:
        """Count the configurations tried on the same symbol and timeframe in a period that overlaps the trial's."""
        table = trials.c
        competing = (
            sa.select(table.config_hash, table.configurations, table.defined, table.sharpe, table.spread)
            .ext(distinct_on(table.config_hash))
            .where(
                table.symbol == trial.symbol,
                table.timeframe == trial.timeframe.value,
                table.start_date <= trial.end_date,
                table.end_date >= trial.start_date,
            )
            .order_by(table.config_hash, table.created_at.desc())
            .cte()
        )
        query = sa.select(sa.func.coalesce(sa.func.sum(competing.c.configurations), 0), _variance(competing.c))
        counted, variance = self._transactions.alone(lambda connection: connection.execute(query).one())
        return TrialCount(counted, variance)


def _variance(columns: Any) -> sa.ColumnElement[Any]:
    """Return the sample variance of all Sharpe ratios: the spread within the records and that of their means.

    Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance" (1983).
    """
    defined = sa.func.sum(columns.defined).filter(columns.sharpe.is_not(None))
    middle = sa.select(sa.func.sum(columns.defined * columns.sharpe) / sa.func.nullif(defined, 0)).scalar_subquery()
    away = columns.sharpe - middle
    return sa.func.sum(columns.spread + columns.defined * away * away) / sa.func.nullif(defined - 1, 0)


def record_trials(connection: Connection, tried: Sequence[Trial]) -> None:
    """Record trials within a transaction; what was tried before is not counted again."""
    if tried:
        connection.execute(insert(trials).on_conflict_do_nothing(), [trial_row(each) for each in tried])


def trial_row(trial: Trial) -> dict[str, Any]:
    """Return the row of a trial."""
    return asdict(trial) | {"timeframe": trial.timeframe.value}
