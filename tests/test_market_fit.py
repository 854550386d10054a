"""Bars that do not keep the hours of the market they are taken for are told at import, with what would help."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from backtesting.data_import import DataImporter
from backtesting.data_quality import inspect
from backtesting.errors import BacktestError
from backtesting.price_files import Hints, PriceFile
from backtesting.types import Asset, AssetClass, Finding, PriceRows, Severity, Timeframe
from tests.fixtures.in_memory import InMemoryBars

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHARE = Asset("XYZQ", "XYZQ", AssetClass.EQUITY, "USD", "XNYS")
LONDON = Asset("XYZQ.L", "XYZQ.L", AssetClass.EQUITY, "GBP", "XLON")
TOKYO = Asset("XYZQ.T", "XYZQ.T", AssetClass.EQUITY, "JPY", "XTKS")
COIN = Asset("BTCUSD", "BTCUSD", AssetClass.CRYPTO, "USD", None)


def half_hours(opens: str, closes: str, zone: str, days: str = "2024-03-04", count: int = 15) -> pd.DatetimeIndex:
    """Return half-hours of the weekdays from a day on, as instants."""
    each = [
        pd.date_range(f"{day:%Y-%m-%d} {opens}", f"{day:%Y-%m-%d} {closes}", freq="30min", tz=zone, inclusive="left")
        for day in pd.bdate_range(days, periods=count)
    ]
    return pd.DatetimeIndex(np.concatenate([index.tz_convert("UTC").as_unit("ns").asi8 for index in each]), tz="UTC")


def as_if_utc(index: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    """Return what one gets who takes the zone's clocks for UTC's."""
    return index.tz_convert(zone).tz_localize(None).tz_localize("UTC")


def found(index: pd.DatetimeIndex, asset: Asset, timeframe: Timeframe = Timeframe.M30) -> dict[str, Finding]:
    close = 100 + np.sin(np.arange(len(index)))
    rows = PriceRows(
        np.arange(len(index)), index.as_unit("ns").asi8, close, close + 1, close - 1, close, np.full(len(index), 5.0)
    )
    _, report = inspect(rows, asset, timeframe, now=NOW)
    return {each.code: each for each in report.findings}


@pytest.mark.parametrize(
    ("asset", "zone", "opens", "closes", "days"),
    [
        (SHARE, "America/New_York", "09:30", "16:00", "2024-03-04"),
        (SHARE, "America/New_York", "09:30", "16:00", "2024-07-08"),
        (LONDON, "Europe/London", "08:00", "16:30", "2024-06-03"),
        (TOKYO, "Asia/Tokyo", "09:00", "15:00", "2024-06-03"),
    ],
)
def test_local_stamps_taken_for_utc_are_told_with_the_zone_to_give(
    asset: Asset, zone: str, opens: str, closes: str, days: str
) -> None:
    right = half_hours(opens, closes, zone, days)
    told = found(as_if_utc(right, zone), asset)["zone_suspected"]

    assert told.severity is Severity.WARNING
    assert f"give zone='{zone}'" in told.message
    assert 0 < told.count <= len(right)
    assert "zone_suspected" not in found(right, asset)


def test_hours_before_and_after_the_session_and_what_trades_around_the_clock_are_no_wrong_zone() -> None:
    extended = half_hours("04:00", "20:00", "America/New_York")

    assert "zone_suspected" not in found(extended, SHARE)
    assert "zone_suspected" not in found(as_if_utc(extended, "America/New_York"), SHARE)
    assert "zone_suspected" not in found(as_if_utc(half_hours("09:30", "16:00", "America/New_York"), "UTC"), COIN)


def test_another_zone_than_that_of_the_exchange_is_not_proposed() -> None:
    right = half_hours("09:30", "16:00", "America/New_York")

    assert "zone_suspected" not in found(as_if_utc(right, "Asia/Tokyo"), SHARE)


def test_daily_bars_and_a_handful_of_bars_say_nothing_of_a_zone() -> None:
    right = half_hours("09:30", "16:00", "America/New_York")

    assert "zone_suspected" not in found(as_if_utc(right[:10], "America/New_York"), SHARE)
    assert "zone_suspected" not in found(pd.bdate_range("2024-01-08", periods=60, tz="UTC"), SHARE, Timeframe.D1)


def test_a_share_that_trades_every_day_is_told_with_the_command_that_sets_it_right() -> None:
    daily = pd.date_range("2024-01-01", periods=70, tz="UTC")
    told = found(daily, SHARE, Timeframe.D1)["weekend_bars"]

    assert told.severity is Severity.WARNING and told.count == 20
    assert "`main.py assets edit XYZQ --class crypto`" in told.message
    assert "weekend_bars" not in found(daily, COIN, Timeframe.D1)


def test_a_special_session_on_a_saturday_is_no_weekend() -> None:
    special = pd.bdate_range("2024-01-01", periods=60, tz="UTC").append(pd.DatetimeIndex(["2024-01-20"], tz="UTC"))

    assert "weekend_bars" not in found(special.sort_values(), SHARE, Timeframe.D1)


def test_an_import_and_a_dry_run_tell_the_zone_and_the_zone_mends_it(tmp_path: Path) -> None:
    path = tmp_path / "XYZQ.csv"
    local = half_hours("09:30", "16:00", "America/New_York").tz_convert(ZoneInfo("America/New_York"))
    rows = [f"{stamp:%Y-%m-%d %H:%M},1,2,0.5,{1 + at % 7 / 10},5" for at, stamp in enumerate(local)]
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]))
    bars = InMemoryBars()
    importer = DataImporter(bars, bars, lambda: NOW)

    def codes(hints: Hints, *, dry_run: bool) -> set[str]:
        try:
            done = importer.run(PriceFile(path, hints), dry_run=dry_run)
        except BacktestError as error:  # pragma: no cover - says why
            raise AssertionError(str(error)) from error
        return {each.code for each in done.report.findings}

    assert "zone_suspected" in codes(Hints(symbol="XYZQ"), dry_run=True)
    assert "zone_suspected" not in codes(Hints(symbol="XYZQ", zone="America/New_York"), dry_run=True)
    assert "zone_suspected" in codes(Hints(symbol="XYZQ"), dry_run=False)
