"""Sessions a year (contract A2)."""

import numpy as np
import pytest

from backtesting.calendars import periods_per_year
from backtesting.types import AssetClass, Timeframe
from tests.fixtures.evidence import days
from tests.fixtures.series import sample_bars

YEAR = np.datetime64("2023-01-01", "D") + np.arange(365)  # 1 January 2023 was a Sunday


def midnights(chosen: np.ndarray) -> np.ndarray:
    return chosen.astype("datetime64[ns]").astype(np.int64)


WEEKDAYS = YEAR[np.is_busday(YEAR)]
SUNDAY_TO_THURSDAY = YEAR[np.is_busday(YEAR, weekmask="Sun Mon Tue Wed Thu")]


@pytest.mark.parametrize(
    ("asset_class", "sessions"),
    [("equity", 252), ("etf", 252), ("index", 252), ("future", 252), ("fx", 260), ("crypto", 365)],
)
@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.H4, Timeframe.D1])
def test_a2_a_known_class_has_its_sessions_whatever_the_bars(
    asset_class: str, sessions: int, timeframe: Timeframe
) -> None:
    assert periods_per_year(AssetClass(asset_class), timeframe, days(7)) == (sessions, False)


@pytest.mark.parametrize("asset_class", AssetClass)
def test_a2_weekly_bars_are_52_a_year(asset_class: AssetClass) -> None:
    assert periods_per_year(asset_class, Timeframe.W1, days(9, every=7)) == (52, False)


@pytest.mark.parametrize(
    ("traded", "sessions"),
    [
        (YEAR, 365),
        (WEEKDAYS, 252),
        (SUNDAY_TO_THURSDAY, 252),
        (np.union1d(WEEKDAYS, [np.datetime64("2023-11-11")]), 252),
        (YEAR[:7], 365),
        (YEAR[:1], 252),
    ],
    ids=["every day", "weekdays", "Riyadh", "one special Saturday", "one full week", "one Sunday"],
)
def test_a2_an_unknown_class_is_judged_by_its_saturdays(traded: np.ndarray, sessions: int) -> None:
    assert periods_per_year(AssetClass.UNKNOWN, Timeframe.D1, midnights(traded)) == (sessions, True)


def test_hours_of_currencies_from_sunday_evening_to_friday_are_no_weekend() -> None:
    hours = np.arange(np.datetime64("2023-01-01T22", "h"), np.datetime64("2023-01-06T22", "h"))

    assert periods_per_year(AssetClass.UNKNOWN, Timeframe.H1, midnights(hours)) == (252, True)


def test_the_sample_trades_on_weekdays() -> None:
    assert periods_per_year(AssetClass.UNKNOWN, Timeframe.D1, sample_bars("ibm").time) == (252, True)
