"""Pictures for a chat, drawn by the modules beside it: one line each in `CHARTS` of a run, in `JOB_CHARTS` of a job."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from backtesting.reporting.charts.canvas import PALETTES, Palette, Theme, drawing, png
from backtesting.reporting.charts.drawdowns import draw_drawdowns
from backtesting.reporting.charts.equity import draw_equity
from backtesting.reporting.charts.monthly import draw_monthly
from backtesting.reporting.charts.price import draw_price
from backtesting.reporting.charts.trades import draw_trades
from backtesting.reporting.charts.walk_forward import draw_walk_forward
from backtesting.reporting.completed_run import CompletedRun
from backtesting.types import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CHARTS", "JOB_CHARTS", "ChartKind", "JobChartKind", "Theme", "render", "render_job"]

ChartKind = Literal["equity", "price", "monthly", "trades", "drawdowns"]
JobChartKind = Literal["walk_forward"]

CHARTS: Mapping[ChartKind, Callable[["Figure", CompletedRun, Palette], None]] = {
    "equity": draw_equity,
    "price": draw_price,
    "monthly": draw_monthly,
    "trades": draw_trades,
    "drawdowns": draw_drawdowns,
}
JOB_CHARTS: Mapping[JobChartKind, Callable[["Figure", Job, Palette], None]] = {"walk_forward": draw_walk_forward}


def render(kind: ChartKind, completed: CompletedRun, theme: Theme) -> bytes:
    """Return the picture as PNG, 800 pixels wide; the first one imports matplotlib, which takes a second or two."""
    palette = PALETTES[theme]
    with drawing(palette) as figure:
        CHARTS[kind](figure, completed, palette)
        return png(figure)


def render_job(kind: JobChartKind, job: Job, theme: Theme) -> bytes:
    """Return the picture of a completed job of that kind as PNG, 800 pixels wide."""
    palette = PALETTES[theme]
    with drawing(palette) as figure:
        JOB_CHARTS[kind](figure, job, palette)
        return png(figure)
