"""The ledger of trials, of the connection's user alone."""

from collections.abc import Sequence
from dataclasses import asdict

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
            sa.select(table.config_hash, table.sharpe)
            .ext(distinct_on(table.config_hash))
            .where(
                table.symbol == trial.symbol,
                table.timeframe == trial.timeframe.value,
                table.start_date <= trial.end_date,
                table.end_date >= trial.start_date,
            )
            .order_by(table.config_hash, table.created_at.desc())
            .subquery()
        )
        query = sa.select(sa.func.count(), sa.func.var_samp(competing.c.sharpe)).select_from(competing)
        counted, variance = self._transactions.run(lambda connection: connection.execute(query).one())
        return TrialCount(counted, variance)


def record_trials(connection: Connection, tried: Sequence[Trial]) -> None:
    """Record trials within a transaction; what was tried before is not counted again."""
    if tried:
        rows = [asdict(trial) | {"timeframe": trial.timeframe.value} for trial in tried]
        connection.execute(insert(trials).on_conflict_do_nothing(), rows)
