"""Pictures of a run for a chat: one line each in `CHARTS`, drawn by the modules beside it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from backtesting.reporting.charts.canvas import PALETTES, Palette, Theme, drawing, png
from backtesting.reporting.charts.drawdowns import draw_drawdowns
from backtesting.reporting.charts.equity import draw_equity
from backtesting.reporting.charts.monthly import draw_monthly
from backtesting.reporting.charts.price import draw_price
from backtesting.reporting.charts.trades import draw_trades
from backtesting.reporting.completed_run import CompletedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHARTS", "ChartKind", "Theme", "render"]

ChartKind = Literal["equity", "price", "monthly", "trades", "drawdowns"]

CHARTS: Mapping[ChartKind, Callable[["Figure", CompletedRun, Palette], None]] = {
    "equity": draw_equity,
    "price": draw_price,
    "monthly": draw_monthly,
    "trades": draw_trades,
    "drawdowns": draw_drawdowns,
}


def render(kind: ChartKind, completed: CompletedRun, theme: Theme) -> bytes:
    """Return the picture as PNG, 800 pixels wide; the first one imports matplotlib, which takes a second or two."""
    palette = PALETTES[theme]
    with drawing(palette) as figure:
        CHARTS[kind](figure, completed, palette)
        return png(figure)
