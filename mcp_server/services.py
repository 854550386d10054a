"""What the tools and resources call."""

from dataclasses import dataclass

from backtesting.engine import BacktestEngine
from backtesting.ports import RunRepository


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and stores that tools call; what they need is opened by whoever hands them in."""

    engine: BacktestEngine
    runs: RunRepository
