"""How many sessions a market has in a year."""

from collections.abc import Mapping

import numpy as np

from backtesting.types import NS_PER_DAY, AssetClass, Integers, Timeframe

WEEKS_A_YEAR = 52.0
SESSIONS_A_YEAR: Mapping[AssetClass, float] = {
    AssetClass.EQUITY: 252.0,
    AssetClass.ETF: 252.0,
    AssetClass.INDEX: 252.0,
    AssetClass.FUTURE: 252.0,
    AssetClass.FX: 260.0,
    AssetClass.CRYPTO: 365.0,
}


def periods_per_year(asset_class: AssetClass, timeframe: Timeframe, time: Integers) -> tuple[float, bool]:
    """Return the sessions in a year, and whether they had to be guessed from the weekdays of `time` (contract A2)."""
    if timeframe is Timeframe.W1:
        return WEEKS_A_YEAR, False
    known = SESSIONS_A_YEAR.get(asset_class)
    if known is not None:
        return known, False
    likeness = AssetClass.CRYPTO if trades_on_weekends(time) else AssetClass.EQUITY
    return SESSIONS_A_YEAR[likeness], True


def trades_on_weekends(time: Integers) -> bool:
    """Tell whether Saturdays are more than half of the seventh they are where every day trades; `time` ascends.

    Sundays prove nothing: currencies open on Sunday evening UTC, and Riyadh trades from Sunday to Thursday. A few
    exchanges hold a special session on a Saturday now and then.
    """
    of_bars = time // NS_PER_DAY
    days = np.append(of_bars[:1], of_bars[1:][np.diff(of_bars) > 0])
    thursday_1970 = 3
    saturdays = np.count_nonzero((days + thursday_1970) % 7 == 5)  # noqa: PLR2004 - Monday is 0, Saturday 5
    return bool(saturdays > len(days) / 14)
