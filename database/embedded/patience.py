"""A wait that has an end, says what it waits for, and can be called off."""

from collections.abc import Callable
from time import monotonic, sleep

from backtesting.errors import DatabaseUnavailableError

SECONDS_BETWEEN_LOOKS = 0.01
SECONDS_BETWEEN_REPORTS = 3.0


class OutOfPatienceError(DatabaseUnavailableError):
    """The time is over; what was waited for may still come."""


class CalledOffError(DatabaseUnavailableError):
    """The client closed while it was starting."""


class Patience:
    """So many seconds of waiting, in short pauses, with a word to the user now and then."""

    def __init__(self, seconds: float, report: Callable[[str], None], is_called_off: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._report = report
        self._is_called_off = is_called_off
        self._begin = self._last_report = monotonic()

    def pause(self, awaited: str) -> None:
        """Wait a moment longer for what the words name, unless there is no sense in it any more."""
        now = monotonic()
        if self._is_called_off():
            raise CalledOffError(f"gave up waiting for {awaited}, because this client was closed")
        if now - self._begin > self._seconds:
            raise OutOfPatienceError(f"waited {self._seconds:.0f} seconds for {awaited}")
        if now - self._last_report > SECONDS_BETWEEN_REPORTS:
            self._last_report = now
            self._report(f"waiting for {awaited} ({now - self._begin:.0f} s)")
        sleep(SECONDS_BETWEEN_LOOKS)
