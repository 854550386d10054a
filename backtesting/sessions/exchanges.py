"""Exchanges: the sessions exchange_calendars publishes, as arrays."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from backtesting.sessions.calendar_files import Exchange, calendar_files
from backtesting.sessions.zones import Clock, offsets

KNOWN_SINCE = "1990-01-01"  # the library proves its schedules against lists that begin here


@cache
def exchange_named(name: str) -> Exchange | None:
    """Return the exchange's sessions, None where the library has no such exchange or cannot build its calendar.

    exchange_calendars 4.13 cannot build those with an Orthodox Easter under pandas 3.1, nor Tel Aviv's before 2026.
    """
    if name.isidentifier() and (kept := calendar_files.get(name)):
        return kept
    published = _published(name)
    if published:
        calendar_files.put(name, published)
    return published


def _published(name: str) -> Exchange | None:
    import exchange_calendars  # noqa: PLC0415 - takes half a second, and most questions need no exchange

    if name not in exchange_calendars.get_calendar_names():
        return None
    with warnings.catch_warnings():
        # exchange_calendars 4.13 uses what pandas 3.1 calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return _read(_build(exchange_calendars.get_calendar, name))
        except (NotImplementedError, ValueError):
            return None


def _build(get_calendar: Callable[..., Any], name: str) -> Any:
    try:
        return get_calendar(name, start=KNOWN_SINCE)
    except ValueError:  # its rules begin later, and only a calendar tells when
        return get_calendar(name, start=type(get_calendar(name)).bound_min())


def _read(calendar: Any) -> Exchange:
    label, opens, closes = calendar.sessions_nanos, calendar.opens_nanos, calendar.closes_nanos
    unbroken = calendar.break_starts_nanos == np.iinfo(np.int64).min  # NaT
    pause = np.where(unbroken, opens, calendar.break_starts_nanos)
    resume = np.where(unbroken, opens, calendar.break_ends_nanos)
    zone = calendar.tz.key
    evening = label[-1] - (opens + offsets(zone, opens))[-1]
    return Exchange(Clock(zone, max(0, int(evening))), label, opens, pause, resume, closes)
