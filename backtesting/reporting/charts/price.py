"""The price with the fills of the trades on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from backtesting.errors import BacktestError
from backtesting.reporting.charts.canvas import Palette, date_axis, instants, legend, line, money_axis, title
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import EquityCurve, nanoseconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the size of a mark in points, for up to so many marks
SIZES = ((60, 8.0), (150, 5.5))
SMALLEST = 3.5

Fill = tuple[datetime, float]


def draw_price(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw closes, and each fill at its price."""
    if completed.bars is None:
        raise BacktestError("a picture of the price needs the bars of the run")
    axes = figure.subplots()
    title(figure, axes, "Price and fills", completed)
    line(axes, EquityCurve(completed.bars.time, completed.bars.close), color=palette.benchmark, label="close")
    entries = [(trade.entry_date, trade.entry_price) for trade in completed.trades]
    exits = [
        (trade.exit_date, trade.exit_price)
        for trade in completed.trades
        if trade.exit_date is not None and trade.exit_price is not None
    ]
    _marks(axes, entries, "^", "entry", (palette.gain, palette.background))
    _marks(axes, exits, "v", "exit", (palette.loss, palette.background))

    money_axis(axes, f"{completed.run.request.adjustment} price ({completed.asset.currency})", completed.bars.close)
    date_axis(axes, completed.bars.time, daily=completed.is_daily)
    legend(figure)


def _marks(axes: "Axes", fills: Sequence[Fill], marker: str, name: str, colours: tuple[str, str]) -> None:
    inside, edge = colours
    size = next((size for most, size in SIZES if len(fills) <= most), SMALLEST)
    axes.plot(
        instants(np.array([nanoseconds(time) for time, _ in fills], dtype=np.int64)),
        [price for _, price in fills],
        linestyle="",
        marker=marker,
        markersize=size,
        color=inside,
        markeredgecolor=edge,
        markeredgewidth=0.6,
        label=f"{name} ({len(fills)})",
    )
