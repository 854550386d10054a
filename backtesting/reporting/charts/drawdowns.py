"""The strategy under water, with its worst spells marked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backtesting.metrics.growth import Drawdown, worst_drawdowns
from backtesting.reporting.charts.canvas import (
    POINTS,
    Palette,
    date_axis,
    instants,
    legend,
    line,
    percent_axis,
    title,
)
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.curve import extremes
from backtesting.types import EquityCurve, nanoseconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = 5
SHALLOWEST_AXIS = -0.01
MARK_WIDTH, MARK_HEIGHT = 0.035, 0.075  # as fractions of the axes


def draw_drawdowns(figure: "Figure", completed: CompletedRun, palette: Palette) -> None:
    """Draw how far equity is below its last peak, and number the five deepest spells."""
    axes = figure.subplots()
    title(figure, axes, "Drawdowns", completed)
    depth = extremes(EquityCurve(completed.equity.time, completed.growth.drawdown), POINTS)
    line(axes, depth, color=palette.strategy, linewidth=0.9, label="equity below its last peak")
    spells = worst_drawdowns(completed.growth)[:MARKED]
    for number, spell in enumerate(spells):
        _fill(axes, number, spell, depth, palette)
    bottom = min(float(depth.value.min()) * 1.15, SHALLOWEST_AXIS)
    for number in apart(spells, int(depth.time[-1] - depth.time[0]), bottom):
        _number(axes, number, spells[number], palette)
    axes.set_ylim(bottom, -bottom * 0.02)
    percent_axis(axes, "drawdown")
    date_axis(axes, completed.equity.time, daily=completed.is_daily)
    legend(figure, columns=2)


def _fill(axes: "Axes", number: int, spell: Drawdown, depth: EquityCurve, palette: Palette) -> None:
    colour, told = palette.tints[number], _told(number, spell)
    end = nanoseconds(spell.recovery) if spell.recovery else depth.time[-1]
    within = (depth.time >= nanoseconds(spell.start)) & (depth.time <= end)
    time = instants(depth.time)
    axes.fill_between(time, depth.value, where=within.tolist(), color=colour, alpha=0.35, linewidth=0, label=told)


def _number(axes: "Axes", number: int, spell: Drawdown, palette: Palette) -> None:
    axes.annotate(
        str(number + 1),
        (instants(np.array([nanoseconds(spell.trough)]))[0], spell.depth),
        xytext=(0, -4),
        textcoords="offset points",
        ha="center",
        va="top",
        weight="bold",
        bbox={"boxstyle": "circle,pad=0.15", "facecolor": palette.background, "edgecolor": palette.tints[number]},
    )


def apart(spells: Sequence[Drawdown], span: int, bottom: float) -> list[int]:
    """Return the numbers of the spells whose marks do not cover that of a deeper one."""
    marked: list[int] = []
    for number, spell in enumerate(spells):
        near = (
            abs(nanoseconds(spell.trough) - nanoseconds(spells[other].trough)) < MARK_WIDTH * span
            and abs(spell.depth - spells[other].depth) < MARK_HEIGHT * -bottom
            for other in marked
        )
        if not any(near):
            marked.append(number)
    return marked


def _told(number: int, spell: Drawdown) -> str:
    lasted = f"{spell.days:,.0f} days" if spell.days >= 1 else f"{24 * spell.days:.1f} hours"
    until = f"{spell.recovery:%Y-%m-%d}" if spell.recovery else "not recovered"
    return f"{number + 1}: {spell.depth:.1%}, {spell.start:%Y-%m-%d} to {until}, {lasted}"
