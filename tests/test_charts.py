"""Pictures of runs: small, complete, legible in both themes, whatever the run."""

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, get_args

import empyrical
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from backtesting.errors import BacktestError
from backtesting.metrics import METRICS
from backtesting.metrics.growth import Drawdown
from backtesting.reporting.charts import CHARTS, ChartKind, Theme, render
from backtesting.reporting.charts.canvas import PALETTES, WIDTH, drawing
from backtesting.reporting.charts.drawdowns import apart
from backtesting.reporting.charts.monthly import monthly_table
from backtesting.reporting.charts.price import fills
from backtesting.reporting.charts.trades import edges
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.curve import extremes
from backtesting.types import NS_PER_DAY, Asset, AssetClass, EquityCurve, Timeframe, instant
from tests.fixtures.completed import completed, desk_of_ibm, of_every_size, walk
from tests.fixtures.evidence import days
from tests.fixtures.in_memory import Desk
from tests.fixtures.series import sample_bars

SIXTY_KB = 60_000
THEMES = get_args(Theme)


@pytest.fixture(scope="module")
def runs() -> dict[str, CompletedRun]:
    return of_every_size()


def drawn(kind: ChartKind, run: CompletedRun, theme: Theme = "light") -> Any:
    """Return the figure of a picture after drawing it."""
    with drawing(PALETTES[theme]) as figure:
        CHARTS[kind](figure, run, PALETTES[theme])
        FigureCanvasAgg(figure).draw()
        return figure


def texts(figure: Any) -> list[Text]:
    """Return every text that is seen; an axis also keeps labels of ticks beyond its ends."""
    axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
    ticks = [(axis, tick) for axis in axes for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    hidden = {label for _, tick in ticks for label in (tick.label1, tick.label2)}
    inside = {tick.label1 for axis, tick in ticks if tick.label1.get_visible() and _sees(axis, tick)}
    seen = {each for each in figure.findobj(Text) if each not in hidden} | inside
    return [each for each in seen if each.get_visible() and each.get_text().strip()]


def _sees(axis: Any, tick: Any) -> bool:
    least, greatest = sorted(axis.get_view_interval())
    return bool(least <= tick.get_loc() <= greatest)


def words(figure: Any) -> str:
    return "\n".join(each.get_text() for each in texts(figure))


def test_every_kind_that_can_be_asked_for_is_drawn() -> None:
    assert tuple(CHARTS) == get_args(ChartKind)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize("size", ["13 years", "20 years", "minutes", "three trades", "no trades", "one open trade",
                                  "one day", "four days"])  # fmt: skip
def test_a_picture_is_800_pixels_wide_under_60_kb_and_in_the_themes_colours(
    runs: dict[str, CompletedRun], size: str, kind: ChartKind, theme: Theme
) -> None:
    png = render(kind, runs[size], theme)

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    wanted = struct.unpack("3B", bytes.fromhex(PALETTES[theme].background[1:]))
    assert len(png) <= SIXTY_KB
    assert picture.width == WIDTH
    assert picture.getpixel((WIDTH - 1, 0)) == pytest.approx(wanted, abs=6)


@pytest.mark.parametrize("kind", CHARTS)
@pytest.mark.parametrize("size", ["13 years", "20 years", "minutes", "three trades", "no trades", "one open trade",
                                  "one day", "four days"])  # fmt: skip
def test_no_text_covers_another_or_leaves_the_picture(
    runs: dict[str, CompletedRun], size: str, kind: ChartKind
) -> None:
    figure = drawn(kind, runs[size])

    boxes = [(each.get_text(), each.get_window_extent().padded(-1)) for each in texts(figure)]
    covered = [(one, other) for (one, box), (other, next_) in combinations(boxes, 2) if box.overlaps(next_)]
    outside = [name for name, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > WIDTH]
    assert covered == []
    assert outside == []


@pytest.mark.parametrize("kind", CHARTS)
def test_the_longest_verdict_stays_in_the_picture(runs: dict[str, CompletedRun], kind: ChartKind) -> None:
    run = runs["13 years"]
    grown = {**run.summary.metrics, "total_return": 12345.6789, "benchmark_return": 98765.4321}

    figure = drawn(kind, replace(run, summary=replace(run.summary, metrics=grown, diagnostics=())))

    assert "tried here is counted." in words(figure)
    assert max(each.get_window_extent().x1 for each in texts(figure)) <= WIDTH


@pytest.mark.parametrize("kind", CHARTS)
def test_a_picture_says_what_of_which_run_and_over_which_days_and_names_its_axes(
    runs: dict[str, CompletedRun], kind: ChartKind
) -> None:
    run = runs["13 years"]

    figure = drawn(kind, run)

    said = words(figure)
    assert "sma_crossover(fast_period=20, slow_period=50) on IBM 1d" in said
    assert "2000-03-01 to 2013-03-01" in said and run.run.id in said
    assert "It made no money: -26.02% after costs, where buy and hold made 129.00%." in said
    assert all(axes.get_ylabel() for axes in figure.axes)
    assert figure.legends or len(figure.axes) > 1, "a legend, or the bar of a heat map"


def test_the_equity_is_told_beside_buy_and_hold_as_the_readme_shows_it(runs: dict[str, CompletedRun]) -> None:
    said = words(drawn("equity", runs["13 years"]))

    assert "strategy 73,983 (-26.0%)" in said and "buy and hold 229,002 (+129.0%)" in said
    assert "equity (USD)" in said and "drawdown" in said


def test_a_run_stored_without_its_benchmark_is_drawn_alone(runs: dict[str, CompletedRun]) -> None:
    run = runs["13 years"]
    alone = replace(run, benchmark=None)

    assert "buy and hold 229,002" not in words(drawn("equity", alone))


def test_the_price_carries_every_fill(runs: dict[str, CompletedRun]) -> None:
    run = runs["13 years"]

    (axes,) = drawn("price", run).axes

    close, buys, sells = axes.get_lines()
    assert list(close.get_ydata())[-1] == run.bars.close[-1]  # type: ignore[union-attr]
    assert list(buys.get_ydata()) == [trade.entry_price for trade in run.trades]
    assert list(sells.get_ydata()) == [trade.exit_price for trade in run.trades if trade.exit_price]


def test_a_short_position_is_entered_by_selling_and_left_by_buying(runs: dict[str, CompletedRun]) -> None:
    first = runs["13 years"].trades[0]

    assert fills([replace(first, direction="short")]) == (
        [(first.exit_date, first.exit_price)],
        [(first.entry_date, first.entry_price)],
    )


def test_a_price_without_bars_is_refused(runs: dict[str, CompletedRun]) -> None:
    run = runs["one day"]

    with pytest.raises(BacktestError, match="bars"):
        render("price", replace(run, bars=None), "light")


def test_a_run_without_closed_trades_says_so(runs: dict[str, CompletedRun]) -> None:
    assert "no closed trades" in words(drawn("trades", runs["no trades"]))
    assert "no closed trades, 1 still open" in words(drawn("trades", runs["one open trade"]))


def test_the_distribution_counts_wins_and_losses(runs: dict[str, CompletedRun]) -> None:
    said = words(drawn("trades", runs["13 years"]))

    # README: 36 closed trades, 41.67 % won, so 15; one still open
    assert "won 15" in said and "lost 21" in said and "1 still open, left out" in said


def test_the_worst_spells_are_listed_with_depth_and_days(runs: dict[str, CompletedRun]) -> None:
    said = words(drawn("drawdowns", runs["13 years"]))

    assert "1: -60.9%" in said and "not recovered" in said


def test_a_symbol_that_looks_like_a_formula_is_written_as_it_is() -> None:
    odd = Asset("$A_1$^{", "Odd", AssetClass.UNKNOWN, "USD")

    run = completed(Desk(walk(60), odd), "buy_and_hold", costs="zero")

    assert "$A_1$^{" in words(drawn("equity", run))
    assert render("equity", run, "dark")


def test_a_price_that_multiplies_is_drawn_on_a_logarithmic_axis() -> None:
    apple = Desk(sample_bars("aapl"), Asset("AAPL", "Apple", AssetClass.EQUITY, "USD"))

    (axes,) = drawn("price", completed(apple, "buy_and_hold")).axes

    assert axes.get_yscale() == "log" and axes.get_ylabel() == "adjusted price (USD), log"


def test_the_heat_map_has_a_row_a_year_and_leaves_months_outside_the_run_empty(runs: dict[str, CompletedRun]) -> None:
    years, table = monthly_table(runs["13 years"])

    assert years == list(range(2000, 2014)) and table.shape == (14, 13)
    assert np.isnan(table[0, :2]).all() and np.isnan(table[-1, 3:12]).all()
    assert np.isfinite(table[:, 12]).all()


def test_the_heat_map_shows_the_months_and_years_of_empyrical(runs: dict[str, CompletedRun]) -> None:
    run = runs["13 years"]
    levels = np.concatenate([[run.capital], run.equity.value])
    returns = pd.Series(levels[1:] / levels[:-1] - 1, index=pd.DatetimeIndex(run.equity.time))

    _, table = monthly_table(run)

    months, years = table[:, :12], table[:, 12]
    monthly = empyrical.aggregate_returns(returns, "monthly")
    assert months[np.isfinite(months)].tolist() == pytest.approx(list(monthly), rel=1e-9)
    assert years.tolist() == pytest.approx(list(empyrical.aggregate_returns(returns, "yearly")), rel=1e-9)


def test_of_two_marks_that_would_touch_only_the_deeper_is_drawn() -> None:
    first = datetime(2000, 1, 1, tzinfo=UTC)
    deep, near, far = (
        Drawdown(first, first + timedelta(days=day), None, depth, 100.0)
        for day, depth in ((50, -0.5), (51, -0.48), (90, -0.3))
    )

    assert apart([deep, near, far], 100 * NS_PER_DAY, -0.6) == [0, 2]


def test_a_long_curve_is_drawn_in_few_points_and_loses_no_extreme() -> None:
    value = np.sin(np.arange(100_000) / 900.0)
    value[77_777] = -5.0
    curve = EquityCurve(days(100_000), value)

    few = extremes(curve, 1600)

    assert len(few.time) <= 1602
    assert few.value.min() == -5.0 and few.value.max() == value.max()
    assert (few.time[0], few.time[-1]) == (curve.time[0], curve.time[-1])


@pytest.mark.parametrize("returns", [[5.0], [-3.0], [0.0], [-10.0, 0.1, 4.0], [2.0, 2.0, 2.0], list(range(-50, 500))])
def test_bins_hold_every_trade_and_part_at_zero(returns: list[float]) -> None:
    bins = edges(np.array(returns, dtype=float))

    counted, _ = np.histogram(returns, bins)
    assert counted.sum() == len(returns)
    assert 0.0 in bins.tolist()
    assert len(bins) <= 43


def test_definitions_of_metrics_are_one_line() -> None:
    assert all(metric.definition and "\n" not in metric.definition for metric in METRICS)


def test_a_run_of_minutes_has_the_hour_of_its_first_bar() -> None:
    desk = Desk(walk(4, NS_PER_DAY // 24), Asset("X", "X", AssetClass.FX, "USD"), Timeframe.H1)
    run = completed(desk, "buy_and_hold", timeframe="1h")

    assert f"{instant(run.equity.time[0]):%H:%M}" in words(drawn("equity", run))


def test_pictures_of_two_threads_do_not_disturb_each_other() -> None:
    run = completed(desk_of_ibm())
    alone = {theme: render("equity", run, theme) for theme in THEMES}

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda theme: (theme, render("equity", run, theme)), THEMES * 4))

    assert all(png == alone[theme] for theme, png in together)
