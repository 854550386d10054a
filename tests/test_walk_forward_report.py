"""The report and the picture of a walk-forward: small whatever there is to tell, and no text covers another."""

import io
import json
from dataclasses import replace
from itertools import combinations
from typing import Any, get_args

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from backtesting.reporting.charts import JOB_CHARTS, JobChartKind, Theme, render_job
from backtesting.reporting.charts.canvas import PALETTES, WIDTH, drawing
from backtesting.reporting.runs import job_lines
from backtesting.reporting.walk_forward import WINDOWS_SHOWN, walk_forward_lines
from backtesting.types import Job
from backtesting.walk_forward.judging import DOUBTS, Evidence, doubts_of
from backtesting.walk_forward.windows import Scheme
from mcp_server.schemas.runs import StatusReply
from tests.fixtures.sweeps import wandering
from tests.test_charts import texts, words
from tests.test_job import Bench
from tests.test_walk_forward import SCHEME, asked

FOUR_KB, SIXTY_KB = 4000, 60_000
WORST = Evidence({"total_return": 0.1, "sharpe_ratio": 4.5, "psr": 0.5, "total_trades": 3, "benchmark_sharpe": 12.25},
                 4, 3, 1, 0.01, None)  # fmt: skip


def done(scheme: Scheme = SCHEME, n: int = 240, **options: Any) -> Job:
    bench = Bench(bars=wandering(3, n))
    return bench.done(asked(bench, scheme, **options))


@pytest.fixture(scope="module")
def job() -> Job:
    return done()


def retold(job: Job, **changes: Any) -> Job:
    return replace(job, result=dict(job.result or {}) | changes)


def size(job: Job) -> int:
    """Return the bytes of an answer about it, both forms together as JSON."""
    text = "\n".join(job_lines(job))
    return len(json.dumps({"content": text, "structure": StatusReply.of(job).model_dump(mode="json")}))


def test_the_report_says_what_was_made_where_and_how_positions_end(job: Job) -> None:
    said = "\n".join(walk_forward_lines(job))

    assert "sma_crossover on TEST 1d, 5 windows, tested 2020-03-21 to 2020-08-17" in said
    assert "Each window starts flat and is closed at its end, costs included" in said
    assert all(row["backtest_id"] in said for row in (job.result or {})["windows"])
    assert f"list_backtests(tag='{job.id}')" in said and "more windows" not in said


def test_a_window_in_cash_and_figures_that_are_undefined_say_so() -> None:
    said = "\n".join(walk_forward_lines(done(least=1000)))

    assert "There is nothing to judge" in said and "5 stayed in cash" in said
    assert "efficiency, the annual return kept from training: none (not_computed)" in said
    assert "none (zero_variance)" in said and "  cash  " in said


def test_the_answer_is_small_however_many_windows_parameters_and_doubts_there_are(job: Job) -> None:
    doubts = [[each.code, each.message] for each in doubts_of(WORST)]
    names = [f"a_long_name_of_a_parameter_{number}"[:20] for number in range(4)]
    result = job.result or {}
    row = result["windows"][0] | {"parameters": dict.fromkeys(names, 123), "train_sharpe": -1.23456789}
    worst = retold(
        job,
        doubts=doubts,
        windows=[row] * 300,
        drift={name: {"changed": 1 / 3, "mean_step": 1 / 7} for name in names},
        trials_counted=123_456_789,
    )

    assert len(doubts) == len(DOUBTS), "all at once"
    assert size(worst) < FOUR_KB
    assert f"offset={WINDOWS_SHOWN}" in "\n".join(job_lines(worst))


@pytest.mark.parametrize("theme", get_args(Theme))
def test_the_picture_is_800_pixels_wide_and_small(job: Job, theme: Theme) -> None:
    png = render_job("walk_forward", job, theme)

    assert Image.open(io.BytesIO(png)).width == WIDTH and len(png) <= SIXTY_KB


def test_every_kind_of_picture_of_a_job_is_drawn() -> None:
    assert tuple(JOB_CHARTS) == get_args(JobChartKind)


@pytest.mark.parametrize("which", ["five windows", "one window", "many windows", "cash", "long words"])
def test_no_text_covers_another_or_leaves_the_picture(job: Job, which: str) -> None:
    jobs = {
        "five windows": lambda: job,
        "one window": lambda: done(Scheme(train_sessions=80, test_sessions=150)),
        "many windows": lambda: done(Scheme(train_sessions=30, test_sessions=5), 700),
        "cash": lambda: done(least=1000),
        "long words": lambda: retold(job, sentence=f"Unproven: it made {12345.6789:.2%} after costs on data it had not "
                                     f"seen, where buy and hold made {98765.4321:.2%}, but 8 things speak against it."),
    }  # fmt: skip
    shown = jobs[which]()

    with drawing(PALETTES["light"]) as figure:
        JOB_CHARTS["walk_forward"](figure, shown, PALETTES["light"])
        FigureCanvasAgg(figure).draw()
        boxes = [(each.get_text(), each.get_window_extent().padded(-1)) for each in texts(figure)]
        said = words(figure)

    assert [(one, other) for (one, box), (other, next_) in combinations(boxes, 2) if box.overlaps(next_)] == []
    assert [name for name, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > WIDTH] == []
    assert "Walk-forward: sma_crossover on TEST 1d" in said and shown.id in said
    assert all(axes.get_ylabel() for axes in figure.axes)
