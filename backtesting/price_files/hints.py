"""What a user may say about a file where the file alone leaves it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

from backtesting.errors import BacktestError, UnknownNameError, did_you_mean
from backtesting.price_files.meanings import Meaning
from backtesting.types import Timeframe

MARKS = (".", ",")


@dataclass(frozen=True, slots=True)
class Hints:
    """`columns` gives a meaning ("time", "close", ...) its column: the name in the header, or the number from 1."""

    symbol: str | None = None
    day_first: bool | None = None
    zone: str | None = None
    timeframe: Timeframe | None = None
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    decimal_mark: str | None = None

    def __post_init__(self) -> None:
        if self.decimal_mark not in (None, *MARKS):
            raise BacktestError("decimal_mark: is '.' or ','", field="decimal_mark")
        for meaning in self.columns:
            if meaning not in set(Meaning):
                raise UnknownNameError.among("meaning of a column", meaning, Meaning, field="columns")
        if self.zone is not None:
            known_zone(self.zone)


def known_zone(name: str) -> ZoneInfo:
    """Return the time zone of this name; UnknownNameError offers the nearest one."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        near = get_close_matches(name, available_timezones(), n=3, cutoff=0.5)
        raise UnknownNameError(
            f"zone: unknown time zone {name[:60]!r}{did_you_mean(name, near)}; "
            "names are those of the IANA database, such as 'America/New_York' or 'UTC'",
            field="zone",
        ) from error
