"""Which parameter sets are better: directions, ties, several statistics, and sets that never win."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import rankdata

from backtesting.objective import Objective, rank, scores
from backtesting.sweep_figures import STATISTICS, Figures, Statistic

NAN = float("nan")


def figures_with(columns: Mapping[str, Any], trades: int = 50, failed: tuple[int, ...] = ()) -> Figures:
    """Return figures of as many sets as the columns have; what is not told is 1, trades are enough."""
    count = len(next(iter(columns.values())))
    told = {name: np.asarray(columns.get(name, np.ones(count)), np.float64) for name in STATISTICS}
    told["total_trades"] = np.asarray(columns.get("total_trades", np.full(count, trades)), np.float64)
    codes = {name: np.isnan(column).astype(np.uint8) for name, column in told.items()}
    return Figures(told, codes, np.isin(np.arange(count), failed))


def test_the_highest_sharpe_ratio_comes_first_by_default() -> None:
    figures = figures_with({"sharpe_ratio": [0.5, 2.0, -1.0, 1.0]})

    assert rank(figures, Objective()).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("max_drawdown", [-0.3, -0.1, -0.2], [1, 2, 0]),
        ("annual_volatility", [0.3, 0.1, 0.2], [1, 2, 0]),
        ("fees_paid", [3.0, 1.0, 2.0], [1, 2, 0]),
        ("total_return", [0.3, 0.1, 0.2], [0, 2, 1]),
    ],
)
def test_the_direction_follows_from_the_metric(metric: Any, values: list[float], expected: list[int]) -> None:
    assert rank(figures_with({metric: values}), Objective(metric=metric)).tolist() == expected


def test_undefined_failed_and_seldom_trading_sets_never_win() -> None:
    figures = figures_with(
        {"sharpe_ratio": [9.0, NAN, 8.0, 1.0, float("inf")], "total_trades": [9, 50, 50, 10, 50]}, failed=(2,)
    )

    assert rank(figures, Objective(min_trades=10)).tolist() == [3]
    assert rank(figures, Objective(min_trades=0)).tolist() == [0, 3]


def test_where_no_set_may_win_nothing_is_ranked() -> None:
    ranked = rank(figures_with({"sharpe_ratio": [NAN, NAN]}), Objective())

    assert (ranked.tolist(), ranked.dtype) == ([], np.int64)


def test_of_equal_sets_the_first_is_first() -> None:
    assert rank(figures_with({"win_rate": [0.5, 0.6, 0.5, 0.6]}), Objective(metric="win_rate")).tolist() == [1, 3, 0, 2]


def test_several_statistics_count_by_the_sum_of_their_places() -> None:
    figures = figures_with({"total_return": [0.9, 0.5, 0.8, 0.1], "max_drawdown": [-0.9, -0.1, -0.2, -0.8]})

    # places 0 2 1 3 and 3 0 1 2, together 3 2 2 5
    assert rank(figures, Objective(metric="total_return", beside=("max_drawdown",))).tolist() == [1, 2, 0, 3]


@pytest.mark.parametrize("seed", range(5))
def test_no_set_is_better_in_one_statistic_than_the_winner_and_not_worse_in_the_others(seed: int) -> None:
    random = np.random.default_rng(seed)
    names: tuple[Statistic, ...] = ("sharpe_ratio", "max_drawdown", "fees_paid")
    figures = figures_with({name: random.integers(0, 12, 400) for name in names})

    ranked = rank(figures, Objective(metric="sharpe_ratio", beside=names[1:]))
    points = np.array([scores(figures, name) for name in names])
    winner = points[:, [ranked[0]]]

    assert not ((points >= winner).all(axis=0) & (points > winner).any(axis=0)).any()
    # scipy's smallest places of the negated scores, added up
    places = sum(rankdata(-row, method="min") for row in points)
    assert (np.diff(places[ranked]) >= 0).all() and len(ranked) == 400


@pytest.mark.parametrize("refused", [{"metric": "sharp"}, {"beside": ["luck"]}, {"min_trades": -1}, {"goal": "x"}])
def test_what_cannot_be_ranked_by_is_refused(refused: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Objective.model_validate(refused)
