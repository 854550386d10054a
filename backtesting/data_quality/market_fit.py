"""Whether bars keep the hours of the market they are taken for; if not, what would make them."""

import numpy as np

from backtesting.calendars import trades_on_weekends
from backtesting.data_quality.ledger import Kind
from backtesting.data_quality.rules import Evidence, Found
from backtesting.sessions import STEP, exchange_of, offsets
from backtesting.sessions.calendar_files import Exchange
from backtesting.types import NS_PER_DAY, AssetClass, Booleans, Integers, Severity

CLOSED_ON_WEEKENDS = (AssetClass.EQUITY, AssetClass.ETF, AssetClass.INDEX)
FEWEST_BARS = 20
FITS, HARDLY_FITS = 0.95, 0.9
ZONE = Kind(
    "zone_suspected",
    Severity.WARNING,
    "{bars} outside the sessions of the exchange; as local times they would fit: give zone='{named}'",
)
WEEKENDS = Kind(
    "weekend_bars",
    Severity.WARNING,
    "{bars} on weekends, and it is taken for what has none: if it is a coin, `main.py assets edit {named} --class "
    "crypto` says so",
)


def zone(evidence: Evidence) -> Found:
    """Find bars outside the sessions of their exchange that lie inside when read in the zone of the exchange."""
    time = evidence.bars.time[evidence.judged :]
    if STEP[evidence.timeframe] >= NS_PER_DAY or len(time) < FEWEST_BARS:
        return Found(0)
    exchange = exchange_of(evidence.asset)
    if exchange is None:
        return Found(0)
    outside = ~_within(exchange, time)
    if outside.mean() <= 1 - HARDLY_FITS or _within(exchange, _as_local(exchange.clock.zone, time)).mean() < FITS:
        return Found(0)
    lines = evidence.line[evidence.judged :][outside]
    return Found(int(outside.sum()), lines, _once(evidence, exchange.clock.zone))


def weekends(evidence: Evidence) -> Found:
    """Find bars on the weekends of what is closed then, where every weekend has some."""
    time = evidence.bars.time[evidence.judged :]
    if evidence.asset.asset_class not in CLOSED_ON_WEEKENDS or len(time) < FEWEST_BARS or not trades_on_weekends(time):
        return Found(0)
    thursday_1970, saturday = 3, 5
    where = (time // NS_PER_DAY + thursday_1970) % 7 >= saturday
    lines = evidence.line[evidence.judged :][where]
    return Found(int(where.sum()), lines, _once(evidence, evidence.asset.symbol))


def _within(exchange: Exchange, time: Integers) -> Booleans:
    at = np.searchsorted(exchange.open, time, "right") - 1
    inside: Booleans = (at >= 0) & (time < exchange.close[at])
    return inside


def _as_local(zone: str, time: Integers) -> Integers:
    """Return the instants at which clocks of the zone show what clocks at these instants show in UTC."""
    return time - offsets(zone, time - offsets(zone, time))


def _once(evidence: Evidence, name: str) -> tuple[str, ...]:
    return () if evidence.judged else (name,)
