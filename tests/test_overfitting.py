"""Luck is priced: published figures of the deflated Sharpe ratio, and a run judged by everything that was tried."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from backtesting.diagnostics.verdict import verdict
from backtesting.judgement import judged
from backtesting.metrics.significance import minimum_track_record, probabilistic_sharpe
from backtesting.overfitting import deflated_sharpe, expected_maximum, luckiest_sharpe, minimum_backtest_length
from backtesting.types import AssetClass, Bars, Limits, Run, RunStatus, TrialCount
from tests.fixtures.in_memory import NOW, Desk, between, no_record
from tests.fixtures.series import p_bars

A_YEAR = 250
V_A_YEAR = 0.5


@pytest.mark.parametrize(
    ("trials", "expected"), [(10, 1.57459830134575), (100, 2.5306028932016846), (1000, 3.255121513652723)]
)
def test_the_expected_greatest_of_n_is_the_published_one(trials: int, expected: float) -> None:
    assert expected_maximum(trials) == pytest.approx(expected, rel=1e-14)


def test_the_expected_greatest_of_n_is_near_that_of_simulated_normals() -> None:
    greatest = np.random.default_rng(1).standard_normal((20_000, 100)).max(axis=1)

    assert expected_maximum(100) == pytest.approx(greatest.mean(), rel=0.02)


def test_the_greatest_of_one_is_no_luck_at_all() -> None:
    assert expected_maximum(1) == expected_maximum(0) == 0.0


def test_the_probabilistic_sharpe_ratio_is_that_of_the_published_example() -> None:
    monthly = 1.585 / sqrt(12)

    assert probabilistic_sharpe(monthly, 24, -2.448, 10.164) == pytest.approx(0.9132343068848602, rel=1e-12)
    assert probabilistic_sharpe(monthly, 24, 0.0, 3.0) == pytest.approx(0.98159, abs=5e-6)


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "expected"),
    [(100, -3.0, 10.0, 0.9003968344), (46, -3.0, 10.0, 0.9505017), (88, 0.0, 3.0, 0.9504908)],
)
def test_the_deflated_sharpe_ratio_is_that_of_the_published_example(
    trials: int, skewness: float, kurtosis: float, expected: float
) -> None:
    count = TrialCount(trials, V_A_YEAR / A_YEAR)

    assert deflated_sharpe(2.5 / sqrt(A_YEAR), 1250, skewness, kurtosis, count) == pytest.approx(expected, abs=5e-8)


def test_what_luck_alone_would_show_is_that_of_the_published_example() -> None:
    assert luckiest_sharpe(TrialCount(100, V_A_YEAR / A_YEAR)) * sqrt(A_YEAR) == pytest.approx(1.7894, abs=5e-5)


@pytest.mark.parametrize(
    ("a_year", "sharpes", "shape", "years"),
    [
        (250, (2.0, 1.0), (0.0, 3.0), 2.7311878),
        (52, (2.0, 1.0), (0.0, 3.0), 2.8288336),
        (12, (3.0, 2.5), (-0.72, 5.78), 27.3529202),
    ],
)
def test_the_minimum_track_record_is_that_of_the_published_examples(
    a_year: int, sharpes: tuple[float, float], shape: tuple[float, float], years: float
) -> None:
    sharpe, reference = (each / sqrt(a_year) for each in sharpes)

    sessions = minimum_track_record(sharpe, *shape, reference)

    assert isinstance(sessions, float)
    assert sessions / a_year == pytest.approx(years, abs=5e-8)


def test_forty_five_trials_need_five_years_to_be_told_from_luck() -> None:
    assert minimum_backtest_length(45) == pytest.approx(4.998, abs=5e-4)


# A run in the light of what was tried


def noise(seed: int, count: int = 750) -> Bars:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    return between(np.concatenate([[100.0], close[:-1]]), close)


def told(run: Run, desk: Desk) -> dict[str, float | int | None]:
    summary = judged(run, desk.runs).summary
    assert summary is not None
    return {key: summary.metrics[key] for key in ("psr", "dsr", "trials_counted")}


def test_a_first_run_is_judged_as_if_nothing_else_had_been_tried() -> None:
    desk = Desk(p_bars())

    first = told(desk.run("buy_and_hold"), desk)

    assert first["trials_counted"] == 1
    assert first["dsr"] == pytest.approx(first["psr"], rel=1e-12)


def test_later_trials_count_against_an_earlier_run() -> None:
    desk = Desk(p_bars())
    run = desk.run("sma_crossover", parameters={"fast_period": 5, "slow_period": 20})
    before = told(run, desk)

    desk.run("sma_crossover", parameters={"fast_period": 9, "slow_period": 15})
    desk.run("buy_and_hold")

    after = told(run, desk)
    assert (before["trials_counted"], after["trials_counted"]) == (1, 3)
    assert after["dsr"] is not None and before["dsr"] is not None and after["dsr"] < before["dsr"]


def test_the_best_of_two_hundred_trials_on_noise_is_not_told_from_luck() -> None:
    desk = Desk(noise(seed=3))
    runs = [
        desk.run("sma_crossover", parameters={"fast_period": fast, "slow_period": slow}, costs="zero")
        for fast in range(2, 22)
        for slow in range(25, 75, 5)
    ]

    best = max(runs, key=lambda run: told(run, desk)["psr"] or 0.0)

    verdict = told(best, desk)
    assert verdict["trials_counted"] == 200
    assert verdict["psr"] is not None and verdict["dsr"] is not None
    assert verdict["dsr"] < 0.95 and verdict["dsr"] < verdict["psr"]


@pytest.mark.parametrize("seed", [101, 106, 107])
def test_the_best_of_many_tries_on_noise_is_never_said_to_stand(seed: int) -> None:
    desk = Desk(noise(seed=seed))
    runs = [
        desk.run("rsi", parameters={"period": period, "oversold": float(low), "overbought": float(high)}, costs="zero")
        for period in (2, 3, 4, 5, 6, 8)
        for low in range(20, 50, 5)
        for high in (50, 60, 70)
    ]

    summaries = [summary for run in runs if (summary := judged(run, desk.runs).summary) is not None]

    gains = [each for each in summaries if (each.metrics["total_return"] or 0) > 0]
    assert {each.metrics["trials_counted"] for each in summaries} == {108}
    assert all("Nothing serious" not in (verdict(each) or "") for each in gains)
    lucky = [each for each in gains if (each.metrics["dsr"] or 0) < 0.95]
    assert all("luck" in {point.code for point in each.diagnostics or ()} for each in lucky)


def test_a_run_without_a_sharpe_ratio_has_no_deflated_one_but_a_reason() -> None:
    desk = Desk(p_bars())

    summary = judged(desk.run("scripted"), desk.runs).summary

    assert summary is not None
    assert summary.metrics["dsr"] is None and summary.undefined["dsr"] == "zero_variance"
    assert summary.metrics["trials_counted"] == 1


def test_a_failed_run_is_not_judged() -> None:
    desk = Desk(p_bars())
    failed = Run(Run.new_id(), RunStatus.FAILED, desk.request(), created_at=NOW, completed_at=NOW, error="no bars")

    assert judged(failed, desk.runs) == failed


# The same request again


def test_the_same_request_on_the_same_bars_returns_the_stored_run() -> None:
    desk = Desk(p_bars())
    first = desk.run("sma_crossover")

    again = desk.run("sma_crossover", initial_capital=100_000.0)

    assert again == first and len(desk.runs.stored) == 1


def test_a_request_is_run_anew_when_asked_for() -> None:
    desk = Desk(p_bars())
    first = desk.run("sma_crossover")

    again = desk.engine.run(desk.request("sma_crossover"), rerun=True)

    assert again.id != first.id and again.summary == first.summary
    assert told(again, desk)["trials_counted"] == 1


def test_a_request_is_run_anew_where_the_asset_is_taken_for_something_else() -> None:
    desk = Desk(p_bars())
    first = desk.run("sma_crossover", costs="zero")
    desk.bars.describe(replace(desk.bars.asset("TEST"), asset_class=AssetClass.CRYPTO), ())

    again = desk.run("sma_crossover", costs="zero")

    assert again.id != first.id
    assert again.summary is not None and again.summary.provenance["periods_per_year"] == 365


def test_a_request_is_run_anew_on_other_bars() -> None:
    desk = Desk(p_bars())
    first = desk.run("sma_crossover")
    columns = [column * 1.01 for column in p_bars().ohlcv]
    desk.bars.store(desk.bars.asset("TEST"), first.request.timeframe, [Bars(p_bars().time, *columns)], no_record)

    assert desk.run("sma_crossover").id != first.id


def test_a_request_is_run_anew_when_other_versions_computed_it() -> None:
    desk = Desk(p_bars())
    first = desk.run("sma_crossover")
    assert first.summary is not None
    older = first.summary.provenance | {"versions": {"numpy": "1.0"}}
    desk.runs.stored[first.id] = (replace(first, summary=replace(first.summary, provenance=older)), None)

    assert desk.run("sma_crossover").id != first.id


def test_a_failed_request_is_tried_again() -> None:
    desk = Desk(p_bars()[:10])

    for _ in range(2):
        with pytest.raises(Exception, match="warm-up"):
            desk.run("sma_crossover")

    assert len(desk.runs.stored) == 2


def test_tags_are_stored_with_the_run() -> None:
    desk = Desk(p_bars())

    run = desk.engine.run(desk.request("buy_and_hold"), tags=("first idea",))

    assert desk.runs.get(run.id).tags == ("first idea",)


def test_more_bars_than_the_limit_are_refused_with_the_way_out_and_leave_nothing() -> None:
    desk = Desk(p_bars(), limits=Limits(bars=100))

    with pytest.raises(Exception, match=r"120 bars.*at most 100.*shorter period"):
        desk.run("buy_and_hold")

    assert desk.runs.stored == {}
