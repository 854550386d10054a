"""Trades on the wire: all rows in one statement of whole columns, as row security forbids COPY."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import psycopg

from backtesting.types import Trades
from backtesting.types.trading import EXIT_REASONS
from database.repository.wire import FloatArray, InstantArray, IntegerArray, writing_cursor

MONEY = ("entry_price", "quantity", "fees", "pnl", "mae", "mfe", "slippage", "borrow")
COLUMNS = (
    "entry_date",
    "exit_date",
    "decision_date",
    "exit_price",
    "pnl_percent",
    *MONEY,
    "reason",
    "short",
    "run",
    "number",
)
INSERT = f"""
insert into app.backtest_trades (run_id, number, direction, status, exit_date, exit_price, exit_reason, entry_date,
  decision_date, pnl_percent, {", ".join(MONEY)})
select (%(runs)s::text[])[run], number, case short when 0 then 'long' else 'short' end,
  case when reason < 0 then 'open' else 'closed' end, case when reason >= 0 then exit_date end,
  case when reason >= 0 then exit_price end, (%(reasons)s::text[])[reason + 1], entry_date, decision_date, pnl_percent,
  {", ".join(MONEY)}
from unnest({", ".join(f"%({name})b" for name in COLUMNS)}) as t ({", ".join(COLUMNS)})
"""  # noqa: S608 - the names are ours, the values are parameters


def insert_trades(connection: psycopg.Connection[Any], made: Mapping[str, Trades]) -> None:
    """Store the trades of runs by their ids, each run's numbered from 0; an open one has no exit."""
    counts = [len(trades) for trades in made.values()]

    def column(name: str) -> Any:
        return np.concatenate([getattr(trades, name) for trades in made.values()])

    columns = {
        "runs": list(made),
        "reasons": [reason.value for reason in EXIT_REASONS],
        "run": IntegerArray(np.repeat(np.arange(1, len(made) + 1), counts)),
        "number": IntegerArray(np.concatenate([np.arange(count) for count in counts])),
        "entry_date": InstantArray(column("entry_time")),
        "exit_date": InstantArray(column("exit_time")),
        "decision_date": InstantArray(column("decision_time")),
        "exit_price": FloatArray(column("exit_price")),
        "pnl_percent": FloatArray(100.0 * column("returns")),
        "reason": IntegerArray(column("exit_reason")),
        "short": IntegerArray(column("is_short")),
        **{name: FloatArray(column(name)) for name in MONEY},
    }
    with writing_cursor(connection) as cursor:
        cursor.execute(INSERT, columns)
