"""Trades on the wire: whole columns that the statement makes rows of, as row security forbids COPY."""

from typing import Any

from backtesting.types import Trades
from backtesting.types.trading import EXIT_REASONS
from database.repository.wire import FloatArray, InstantArray, IntegerArray

MONEY = ("entry_price", "quantity", "fees", "pnl", "mae", "mfe", "slippage", "borrow")
COLUMNS = (
    *("entry_date", "exit_date", "decision_date", "exit_price", "pnl_percent", *MONEY),
    *("reason", "short"),
)
INSERT_OF_RUN = f"""
insert into app.backtest_trades (run_id, number, direction, status, exit_date, exit_price, exit_reason, entry_date,
  decision_date, pnl_percent, {", ".join(MONEY)})
select run.id, number - 1, case short when 0 then 'long' else 'short' end,
  case when reason < 0 then 'open' else 'closed' end, case when reason >= 0 then exit_date end,
  case when reason >= 0 then exit_price end, (%(reasons)s::text[])[reason + 1], entry_date, decision_date, pnl_percent,
  {", ".join(MONEY)}
from run, unnest({", ".join(f"%({name})b" for name in COLUMNS)}) with ordinality as t ({", ".join(COLUMNS)}, number)
"""  # noqa: S608 - the names are ours, the values are parameters


def trade_columns(trades: Trades) -> dict[str, Any]:
    """Return the parameters of `INSERT_OF_RUN`; an open trade has no exit."""
    return {
        "reasons": [reason.value for reason in EXIT_REASONS],
        "entry_date": InstantArray(trades.entry_time),
        "exit_date": InstantArray(trades.exit_time),
        "decision_date": InstantArray(trades.decision_time),
        "exit_price": FloatArray(trades.exit_price),
        "pnl_percent": FloatArray(100.0 * trades.returns),
        "reason": IntegerArray(trades.exit_reason),
        "short": IntegerArray(trades.is_short),
        **{name: FloatArray(getattr(trades, name)) for name in MONEY},
    }
