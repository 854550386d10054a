"""Sessions: which day a bar belongs to, when that day begins and ends, and which bars are not there."""

from backtesting.sessions.calendar_files import calendar_files
from backtesting.sessions.days import STEP, Days, days_of, end_of, exchange_of, expected, monday_of, session_of, week_of
from backtesting.sessions.exchanges import exchange_named
from backtesting.sessions.gaps import Gaps, missing
from backtesting.sessions.zones import offsets

__all__ = [
    "STEP",
    "Days",
    "Gaps",
    "calendar_files",
    "days_of",
    "end_of",
    "exchange_named",
    "exchange_of",
    "expected",
    "missing",
    "monday_of",
    "offsets",
    "session_of",
    "week_of",
]
