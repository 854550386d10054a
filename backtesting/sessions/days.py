"""Days: the session a bar belongs to, and when sessions begin, trade and end (contract A1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backtesting.sessions.calendar_files import Exchange
from backtesting.sessions.exchanges import exchange_named
from backtesting.sessions.zones import Clock
from backtesting.types import NS_PER_DAY, Asset, AssetClass, Booleans, Integers, Timeframe

NS_PER_HOUR = NS_PER_DAY // 24
WEEK = 7 * NS_PER_DAY
STEP: Mapping[Timeframe, int] = {
    Timeframe.M1: NS_PER_HOUR // 60,
    Timeframe.M5: NS_PER_HOUR // 12,
    Timeframe.M15: NS_PER_HOUR // 4,
    Timeframe.M30: NS_PER_HOUR // 2,
    Timeframe.H1: NS_PER_HOUR,
    Timeframe.H4: 4 * NS_PER_HOUR,
    Timeframe.D1: NS_PER_DAY,
    Timeframe.W1: WEEK,
}
LABELLED_BY_DAY = (Timeframe.D1, Timeframe.W1)
FX_CLOCK = Clock("America/New_York", early=7 * NS_PER_HOUR)  # the day begins at 17:00
FIRST_MONDAY = 4 * NS_PER_DAY  # 1970 began on a Thursday
FRIDAY = 4


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Labelled days, shape (n,) each: a day is [start, end), traded from open to close but for a break.

    Without a break both ends of it are the open; a day that is no session of an exchange trades from start to end.
    """

    label: Integers
    start: Integers
    open: Integers
    break_start: Integers
    break_end: Integers
    close: Integers
    end: Integers


def session_of(asset: Asset, timeframe: Timeframe, time: Integers) -> Integers:
    """Return midnight UTC of each bar's session day; a daily or weekly bar stamped so is its own label."""
    if timeframe not in LABELLED_BY_DAY:
        return clock_of(asset).labels(time)
    own = time % NS_PER_DAY == 0
    return time if own.all() else np.where(own, time, clock_of(asset).labels(time))


def monday_of(label: Integers) -> Integers:
    """Return the label of the Monday of each labelled day's week."""
    return label - (label - FIRST_MONDAY) % WEEK


def clock_of(asset: Asset) -> Clock:
    """Return what decides the asset's days: New York for currencies, its exchange's zone, else UTC."""
    if asset.asset_class is AssetClass.FX:
        return FX_CLOCK
    exchange = exchange_of(asset)
    return exchange.clock if exchange else Clock()


def exchange_of(asset: Asset) -> Exchange | None:
    """Return the exchange whose sessions are the asset's, None where there is none or none known."""
    if asset.exchange is None or asset.asset_class in (AssetClass.CRYPTO, AssetClass.FX):
        return None
    return exchange_named(asset.exchange)


def days_of(asset: Asset, label: Integers) -> Days:
    """Return when the labelled days begin, trade and end."""
    clock = clock_of(asset)
    start, end = clock.start(label), clock.start(label + NS_PER_DAY)
    exchange = exchange_of(asset)
    if exchange is None:
        return Days(label, start, start, start, start, end, end)
    at = np.minimum(np.searchsorted(exchange.label, label), len(exchange.label) - 1)
    listed = exchange.label[at] == label

    def hour(published: Integers, otherwise: Integers) -> Integers:
        return np.where(listed, published[at], otherwise)

    pause, resume = hour(exchange.break_start, start), hour(exchange.break_end, start)
    return Days(label, start, hour(exchange.open, start), pause, resume, hour(exchange.close, end), end)


def known_days(asset: Asset) -> tuple[int, int] | None:
    """Return the labels of the first and the last day whose sessions are known, None where none is."""
    if asset.asset_class in (AssetClass.CRYPTO, AssetClass.FX):
        return np.iinfo(np.int64).min, np.iinfo(np.int64).max
    exchange = exchange_of(asset)
    return (int(exchange.label[0]), int(exchange.label[-1])) if exchange else None


def expected(asset: Asset, first: int, last: int) -> Integers | None:
    """Return the labels of all sessions from one label to another, None where they are not known throughout."""
    known = known_days(asset)
    if known is None or first < known[0] or last > known[1]:
        return None
    if exchange := exchange_of(asset):
        return exchange.label[slice(*np.searchsorted(exchange.label, [first, last + 1]))]
    days = np.arange(first, last + 1, NS_PER_DAY, dtype=np.int64)
    return days if asset.asset_class is AssetClass.CRYPTO else days[_banks_quote(days)]


def week_of(asset: Asset, monday: int) -> tuple[int, int]:
    """Return the labels of the week's first and last session, Monday and Sunday where they are not known."""
    labels = expected(asset, monday, monday + WEEK - NS_PER_DAY)
    if labels is None or not len(labels):
        return monday, monday + WEEK - NS_PER_DAY
    return int(labels[0]), int(labels[-1])


def end_of(asset: Asset, timeframe: Timeframe, start: int) -> int:
    """Return the instant from which the bar that starts then is complete: for days and weeks the close."""
    if timeframe not in LABELLED_BY_DAY:
        return start + STEP[timeframe]
    label = session_of(asset, timeframe, np.array([start]))
    last = label if timeframe is Timeframe.D1 else np.array(week_of(asset, int(monday_of(label)[0]))[1:])
    return int(days_of(asset, last).close[0])


def _banks_quote(label: Integers) -> Booleans:
    """Tell the weekdays that are neither Christmas nor New Year, when currencies are not quoted."""
    weekday: Integers = (label - monday_of(label)) // NS_PER_DAY
    dates = label.astype("datetime64[ns]").astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    christmas = (years + 1).astype("datetime64[D]") - 7
    open_: Booleans = (weekday <= FRIDAY) & (dates != years) & (dates != christmas)
    return open_
