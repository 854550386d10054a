"""The words of a walk-forward: whatever the figures are, a loser is never called robust, nor is what is doubtful."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting.parameter_grid import expand
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.types import SearchSpace
from backtesting.walk_forward.drift import Drift, changed, drift_of
from backtesting.walk_forward.judging import Evidence, Standing, Verdict, efficiency_of, judge

FLAWLESS: dict[str, Any] = {
    "total_return": 0.8,
    "sharpe_ratio": 1.4,
    "psr": 0.99,
    "total_trades": 60,
    "benchmark_return": 0.3,
    "benchmark_sharpe": 0.5,
}
NUMBERS = st.one_of(st.none(), st.floats(-2, 6), st.just(float("nan")), st.just(float("inf")))


def evidence_of(
    *, windows: int = 10, idle: int = 0, positive: int = 8, efficiency: float | None = 0.7, **metrics: Any
) -> Evidence:
    reason = "train_return_not_positive" if efficiency is None else None
    return Evidence(FLAWLESS | metrics, windows, idle, positive, efficiency, reason)


def codes(verdict: Verdict) -> set[str]:
    return {doubt.code for doubt in verdict.doubts}


EVIDENCE = st.builds(
    evidence_of,
    windows=st.integers(1, 40),
    idle=st.integers(0, 5),
    positive=st.integers(0, 40),
    efficiency=st.one_of(st.none(), st.floats(-5, 5)),
    total_return=NUMBERS,
    sharpe_ratio=NUMBERS,
    psr=st.one_of(st.none(), st.floats(0, 1)),
    total_trades=st.one_of(st.none(), st.integers(0, 500)),
    benchmark_return=NUMBERS,
    benchmark_sharpe=NUMBERS,
)


@given(evidence=EVIDENCE, loss=st.floats(-3, 0))
def test_a_loss_is_never_called_robust(evidence: Evidence, loss: float) -> None:
    lost = judge(replace(evidence, metrics=dict(evidence.metrics) | {"total_return": loss}))

    assert lost.standing in {Standing.LOST, Standing.NOTHING}
    assert not lost.sentence.startswith("Robust")
    assert "robust" not in lost.sentence.lower().replace("not robust", "")


@given(evidence=EVIDENCE)
def test_what_is_called_robust_made_money_surely_and_often_and_nothing_speaks_against_it(
    evidence: Evidence,
) -> None:
    verdict = judge(evidence)

    if verdict.standing is Standing.ROBUST:
        metrics = evidence.metrics
        assert metrics["total_return"] > 0 and metrics["psr"] >= 0.95 and metrics["total_trades"] >= 30
        assert evidence.windows >= 5 and evidence.positive >= 0.6 * evidence.windows
        assert evidence.efficiency is not None and evidence.efficiency >= 0.5
        assert verdict.doubts == ()
    else:
        assert "Robust" not in verdict.sentence


def test_what_nothing_speaks_against_is_robust_so_far() -> None:
    verdict = judge(evidence_of())

    assert verdict.standing is Standing.ROBUST
    assert verdict.sentence == (
        "Robust so far: it made 80.00% after costs on data it had not seen, where buy and hold made 30.00%, "
        "and 8 of 10 windows made money. That is the past."
    )


@pytest.mark.parametrize(
    ("worse", "code"),
    [
        ({"windows": 4, "positive": 4}, "few_windows"),
        ({"total_trades": 29}, "few_trades"),
        ({"idle": 3}, "idle_windows"),
        ({"psr": 0.94}, "not_sure"),
        ({"psr": None}, "not_sure"),
        ({"positive": 5}, "seldom_positive"),
        ({"efficiency": 0.49}, "inefficient"),
        ({"efficiency": None}, "inefficient"),
        ({"benchmark_sharpe": 1.4}, "beaten_by_holding"),
        ({"sharpe_ratio": 4.1}, "too_good"),
    ],
)
def test_one_doubt_is_enough_to_leave_it_unproven(worse: dict[str, Any], code: str) -> None:
    verdict = judge(evidence_of(**worse))

    assert (verdict.standing, codes(verdict)) == (Standing.UNPROVEN, {code})
    assert verdict.sentence.endswith("but one thing speaks against it.")


def test_without_a_trade_there_is_nothing_to_judge() -> None:
    assert judge(evidence_of(total_trades=0, total_return=0.0)).standing is Standing.NOTHING
    assert judge(evidence_of(windows=3, idle=3, positive=0)).standing is Standing.NOTHING


def test_efficiency_sets_the_annual_return_out_of_sample_against_the_compounded_one_in_sample() -> None:
    # a year at 21 % and a year at 0 % are two years at sqrt(1.21) - 1 = 10 % each
    efficiency, reason = efficiency_of(0.05, [(0.21, 252), (0.0, 252)])

    assert efficiency == pytest.approx(0.5) and reason is None


def test_a_longer_train_span_weighs_more_in_the_efficiency() -> None:
    # three years at 10 % and one at 0 %: 1.1 ** (3 / 4) a year
    efficiency, _ = efficiency_of(0.02, [(0.10, 756), (0.0, 252)])

    assert efficiency == pytest.approx(0.02 / (1.1**0.75 - 1))


@pytest.mark.parametrize("trained", [[(-0.1, 252)], [(0.5, 252), (-1.0, 252)], [(0.0, 252)]])
def test_where_training_made_nothing_there_is_no_efficiency_and_a_reason(trained: list[tuple[float, int]]) -> None:
    assert efficiency_of(0.2, trained) == (None, "train_return_not_positive")


def test_where_nothing_was_chosen_or_tested_efficiency_is_not_computed() -> None:
    assert efficiency_of(None, [(0.1, 252)]) == efficiency_of(0.1, [(None, 252)]) == (None, "not_computed")


def test_drift_tells_how_often_and_how_far_each_parameter_changed() -> None:
    space = SearchSpace(parameters={"fast_period": (5, 10, 15), "slow_period": (50, 100)})
    grid = expand(SmaCrossover, space, {})
    chosen = [dict(zip(("fast_period", "slow_period"), each, strict=True)) for each in
              [(5, 50), (15, 50), (10, 50), (10, 50)]]  # fmt: skip

    # fast moved by 10, 5, 0 of a range of 10; slow never
    assert drift_of(chosen, grid) == {"fast_period": Drift(2 / 3, 0.5), "slow_period": Drift(0.0, 0.0)}
    assert changed(chosen) == 2 / 3


def test_a_single_choice_has_no_drift() -> None:
    grid = expand(SmaCrossover, SearchSpace(parameters={"fast_period": (5, 10)}), {"slow_period": 50})

    assert drift_of([{"fast_period": 5}], grid) == {"fast_period": Drift(None, None)}
    assert changed([]) is None and np.isfinite(grid.columns["fast_period"]).all()
