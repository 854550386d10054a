"""What every command works with."""

from threading import RLock
from typing import TYPE_CHECKING

from backtesting.strategies import STRATEGIES
from backtesting.strategy import StrategyRegistry
from config.settings import Settings

if TYPE_CHECKING:
    from config.application import Application


class Program:
    """What every command has: settings and strategies at once, all other parts when they are first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = StrategyRegistry(STRATEGIES)
        self._guard = RLock()
        self._made: Application | None = None

    def application(self) -> "Application":
        """Return the parts, made once; the database stays closed until it is asked."""
        from config.application import Application  # noqa: PLC0415 - `initialize` is answered before

        with self._guard:
            if self._made is None:
                self._made = Application(self.settings, self.registry)
            return self._made

    def leave(self) -> None:
        """Leave the embedded server at once, if it was entered."""
        if self._made:
            self._made.leave()

    def close(self) -> None:
        """Close what was opened."""
        if self._made:
            self._made.close()
