"""Optimisations: figures as of single runs, a holdout that is not seen, honest counts, and a verdict that holds."""

import json
from threading import Event
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from backtesting.errors import BacktestError, DatabaseUnavailableError, InvalidInputError, LimitExceededError
from backtesting.optimization import tpe
from backtesting.optimization.constraints import Constraint
from backtesting.optimization.lattice import Lattice
from backtesting.optimization.luck import appraisal
from backtesting.optimization.scoreboard import Scoreboard
from backtesting.optimization.sets import parts_of
from backtesting.optimization.study import prepared
from backtesting.parameter_grid import expand
from backtesting.strategies import SmaCrossover
from backtesting.sweep import evaluate_chunk
from backtesting.types import Bars, Job, JobStatus, Limits, RunFilter, SearchSpace, Timeframe, Trial
from tests.fixtures.in_memory import STOCK, Desk, no_record
from tests.fixtures.searches import PAIRS, asked, searched, walk, without_ids
from tests.test_job import Bench

FOUR_KB = 4000


def result_of(job: Job) -> dict[str, Any]:
    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    return dict(job.result or {})


# Figures


@pytest.mark.parametrize(
    "options",
    [
        {"method": "random", "trials": 12, "seed": 3},
        {"method": "tpe", "trials": 30, "seed": 3},
        {"space": {"fast_period": [2, 5], "slow_period": [20, 30], "position_size": [0.3, 1.0]}},
        {"stop_loss": 0.05, "space": {"fast_period": [1, 2, 3], "slow_period": [10, 15]}, "fill": "next_close"},
        {"strategy_id": "supertrend", "space": {"period": [5, 7], "multiplier": [1.0, 2.0]}, "min_trades": 1},
        {"strategy_id": "rsi", "space": None, "metric": "total_return", "min_trades": 1},
    ],
    ids=lambda options: options.get("method") or options.get("strategy_id") or "grid",
)
def test_every_figure_told_is_that_of_the_single_run_bit_for_bit(options: dict[str, Any]) -> None:
    bench, job = searched(walk(5, 600), top_k=8, **options)
    result = result_of(job)
    request = asked(**options).whole(bench.desk.engine)

    compared = 0
    for row in result["top"]:
        for period in ("train", "holdout"):
            parameters = {**result["fixed"], **row["parameters"]}
            told = {**result["periods"][period], "parameters": parameters}
            run = bench.desk.engine.run(
                request.model_validate(json.loads(request.model_dump_json()) | told), rerun=True
            )
            assert run.summary is not None
            assert row[period] == [run.summary.metrics[name] for name in result["columns"]]
            compared += 1

    assert compared >= 8 and len({json.dumps(row["parameters"]) for row in result["top"]}) == len(result["top"])


def test_the_holdout_is_not_seen_by_the_search() -> None:
    bars = walk(8, 900, memory=0.2)
    other = np.where(np.arange(len(bars)) < 630, 1.0, np.linspace(1, 3, len(bars)))
    changed = Bars(bars.time, *(column * other for column in bars.ohlcv[:4]), bars.volume)

    one, two = (result_of(searched(each, top_k=4)[1]) for each in (bars, changed))

    # 900 days, 0.3 of them held out: the 631st is the first
    assert one["periods"]["holdout"]["start_date"] == "2021-09-22"
    assert [(row["parameters"], row["train"]) for row in one["top"]] == [
        (row["parameters"], row["train"]) for row in two["top"]
    ]
    assert (one["surface"], one["typical"]) == (two["surface"], two["typical"])
    assert [row["holdout"] for row in one["top"]] != [row["holdout"] for row in two["top"]]


def test_the_winner_is_stored_as_a_run_over_both_periods_and_found_by_the_job() -> None:
    bench, job = searched(walk(5, 600), tags=("mine",))
    result = result_of(job)

    (found,) = bench.desk.runs.find(RunFilter(tag=job.id)).runs

    assert found.id == result["backtest_id"] and found.tags == ("mine", job.id)
    assert found.request.parameters == {**result["fixed"], **result["top"][0]["parameters"]}
    assert (str(found.request.start_date), str(found.request.end_date)) == ("2020-01-01", "2021-08-22")
    assert found.summary is not None and found.summary.metrics["total_trades"]


def test_without_a_holdout_the_whole_period_is_searched() -> None:
    result = result_of(searched(walk(5, 600), holdout=0)[1])

    assert list(result["periods"]) == ["train"] and "holdout" not in result["top"][0]
    assert "no holdout was kept" in result["verdict"]


def test_the_result_is_small_by_default_and_bounded_however_large_the_search() -> None:
    space = {"fast_period": {"low": 1, "high": 40, "step": 1}, "slow_period": {"low": 41, "high": 140, "step": 1}}

    result = result_of(searched(walk(1, 600), space=space, min_trades=1)[1])

    assert result["sets"] == {"tried": 4000, "eligible": result["sets"]["eligible"], "possible": 4000, "skipped": 0}
    assert len(json.dumps(result)) < FOUR_KB
    assert len(result["surface"]["best"]) == len(result["surface"]["best"][0]) == 5


def test_the_best_so_far_is_told_while_the_search_goes_on() -> None:
    bench, heard = Bench(bars=walk(5, 600)), []
    job = bench.jobs.submit(asked(stop_loss=0.3))
    bench.queue.after = lambda _: heard.append(bench.queue.get(job.id).progress)

    bench.worker().serve(Event())

    best = [each.best["sharpe_ratio"] for each in heard if each.best]
    assert len(best) > 5 and best == sorted(best)
    assert best[-1] == result_of(bench.queue.get(job.id))["typical"]["best"]


OPTIONS = {
    "grid": {"stop_loss": 0.2},
    "random": {"method": "random", "stop_loss": 0.2, "trials": 28, "seed": 4},
    "tpe": {"method": "tpe", "trials": 28, "seed": 4},
}
CHANGED = "the stored bars changed while the optimisation was at work: run it again"
TRAIN = 280  # of 400 days


def interrupted(bars: Bars, options: dict[str, Any], last: int = 0) -> tuple[Bench, Job]:
    """Begin a search and lose the database once the chunk of this number is kept."""
    bench, stop = Bench(bars=bars), Event()
    job = bench.jobs.submit(asked(**options))

    def cut_off(number: int) -> None:
        if number >= last:
            stop.set()
            raise DatabaseUnavailableError("the database is gone")

    bench.queue.after = cut_off
    bench.worker().run(stop)
    bench.queue.after = lambda _: None
    return bench, job


def resumed(bench: Bench, job: Job) -> Job:
    while bench.queue.unfinished():
        bench.worker().serve(Event())
    return bench.queue.get(job.id)


def stored(bench: Bench, bars: Bars) -> None:
    bench.desk.bars.store(STOCK, Timeframe.D1, [bars], no_record)


def doubled(bars: Bars, first: int, last: int) -> Bars:
    """Return some of the bars, at twice the price."""
    part = bars.span(first, last)
    return Bars(part.time, *(column * 2 for column in part.ohlcv[:4]), part.volume)


@pytest.mark.parametrize("method", ["grid", "tpe"])
def test_a_search_that_was_stopped_is_resumed_and_equals_an_undisturbed_one(method: str) -> None:
    whole, undisturbed = searched(walk(5, 400), **OPTIONS[method])

    bench, job = interrupted(walk(5, 400), OPTIONS[method])
    kept = list(bench.queue.kept)
    ended = resumed(bench, job)

    assert len(kept) == 1
    assert without_ids(ended) == without_ids(undisturbed)
    assert sorted(bench.queue.kept) == sorted(whole.queue.kept) == list(range(len(whole.queue.kept)))


@pytest.mark.parametrize("method", OPTIONS)
def test_a_search_is_not_resumed_on_another_train_period_than_it_began_on(method: str) -> None:
    bars = walk(5, 440)
    bench, job = interrupted(bars.span(0, 400), OPTIONS[method])
    kept = list(bench.queue.kept)
    stored(bench, bars.span(400, 440))

    ended = resumed(bench, job)

    assert (ended.status, ended.error) == (JobStatus.FAILED, CHANGED)
    assert bench.queue.kept == kept and not bench.desk.runs.find(RunFilter(tag=job.id)).runs


@pytest.mark.parametrize("method", OPTIONS)
def test_a_search_is_resumed_when_only_days_that_are_held_out_changed(method: str) -> None:
    bars = walk(5, 400)
    bench, job = interrupted(bars, OPTIONS[method])
    stored(bench, doubled(bars, TRAIN, 400))

    told, before = result_of(resumed(bench, job)), result_of(searched(bars, **OPTIONS[method])[1])

    assert [row["train"] for row in told["top"]] == [row["train"] for row in before["top"]]
    assert [row["holdout"] for row in told["top"]] != [row["holdout"] for row in before["top"]]


@pytest.mark.parametrize("method", OPTIONS)
def test_winners_are_not_run_on_other_bars_than_they_were_found_on(method: str) -> None:
    bench, bars = Bench(bars=walk(5, 400)), walk(5, 400)
    job = bench.jobs.submit(asked(**OPTIONS[method]))
    bench.queue.after = lambda _: stored(bench, doubled(bars, TRAIN - 1, TRAIN))

    ended = resumed(bench, job)

    assert (ended.status, ended.error) == (JobStatus.FAILED, CHANGED)


@pytest.mark.parametrize("method", OPTIONS)
def test_a_result_that_was_kept_is_told_whatever_is_stored_later(method: str) -> None:
    bars = walk(5, 440)
    whole, undisturbed = searched(bars.span(0, 400), **OPTIONS[method])
    bench, job = interrupted(bars.span(0, 400), OPTIONS[method], last=max(whole.queue.kept))
    stored(bench, bars.span(400, 440))

    assert bench.queue.get(job.id).status is not JobStatus.COMPLETED
    assert without_ids(resumed(bench, job)) == without_ids(undisturbed)


# What is counted


def test_every_set_counts_as_a_trial_and_a_repeated_search_counts_once() -> None:
    bench, first = searched(walk(5, 600))
    sets = result_of(first)["sets"]["tried"]

    second = bench.done(asked())
    wider = bench.done(asked(space=PAIRS | {"fast_period": {"low": 1, "high": 13, "step": 3}}))

    assert result_of(first)["trials_counted"] == sets == 34
    # the winner over both periods; the looks at the holdout are on other days
    assert result_of(second)["trials_counted"] == sets + 1
    assert result_of(wider)["trials_counted"] == sets + 1 + result_of(wider)["sets"]["tried"]


def test_the_stored_winner_is_judged_by_all_sets() -> None:
    bench, job = searched(walk(5, 600))
    run = bench.desk.runs.get(result_of(job)["backtest_id"])
    trial = Trial.of(run)
    assert trial is not None

    assert bench.desk.runs.count(trial).counted == result_of(job)["trials_counted"] + 1 + 3


# The verdict


SEEDS = range(50)


def verdicts(**walked: float) -> int:
    """Return how many winners of 50 seeded searches are called distinguishable from luck."""
    results = [result_of(searched(walk(seed, **walked), top_k=1)[1]) for seed in SEEDS]
    assert all(("is distinguishable" in each["verdict"]) is each["distinguishable"] for each in results)
    return sum(each["distinguishable"] for each in results)


def test_on_pure_noise_the_winner_is_called_luck_in_at_least_45_of_50_searches() -> None:
    assert verdicts() <= 5


def test_the_rise_of_a_market_is_not_taken_for_the_winners_merit() -> None:
    assert verdicts(drift=0.0004) <= 5


def test_rules_that_mostly_hold_the_asset_pass_no_more_often_on_noise() -> None:
    holding = {"period": [4, 6, 8, 10, 12, 14, 16, 18], "oversold": [50, 60, 70], "overbought": [85, 90, 95]}

    told = [
        result_of(searched(walk(seed, drift=0.0004), strategy_id="rsi", space=holding, top_k=1)[1]) for seed in SEEDS
    ]

    assert sum(each["distinguishable"] for each in told) <= 5


def test_a_planted_edge_is_found_in_at_least_45_of_50_searches() -> None:
    assert verdicts(memory=0.2) >= 45


def test_the_appraisal_ratio_is_that_of_a_regression_on_the_benchmark() -> None:
    desk = Desk(walk(3, 400, drift=0.001))
    result = desk.result("sma_crossover", parameters={"fast_period": 3, "slow_period": 12})
    held, made = result.benchmark.value, result.equity.value
    returns, others = made[1:] / made[:-1] - 1, held[1:] / held[:-1] - 1

    slope, alpha = np.polyfit(others, returns, 1)
    residual = returns - alpha - slope * others

    # the spread of the residual with the n - 1 of the returns' own, n is 399
    assert appraisal(result.summary) == pytest.approx(alpha / np.sqrt(np.square(residual).sum() / 398), rel=0.01)


def test_holding_the_asset_is_not_distinguishable_from_luck() -> None:
    rising, sizes = walk(3, 400, drift=0.002), {"position_size": [0.5, 1.0]}

    result = result_of(searched(rising, strategy_id="buy_and_hold", space=sizes, min_trades=0)[1])

    assert not result["distinguishable"] and "not distinguishable" in result["verdict"]


# Neighbours and surface


def test_the_stability_is_the_share_of_its_advantage_that_the_neighbours_have() -> None:
    space = SearchSpace.model_validate({"parameters": {"fast_period": [1, 2, 3, 4], "slow_period": [10, 11, 12]}})
    lattice = Lattice(expand(SmaCrossover, space, {}))
    scores = np.array([0.0, 0, 0, 0, 2, 1, 0, 1, 1, 0, 0, 5])
    every = np.arange(12)

    plateau, peak = lattice.neighbourhood(4, every, scores), lattice.neighbourhood(11, every, scores)

    # around 2/11 are 0 0 0 0 1 0 1 1, the median of all is 0; around 4/12 are 1 1 0
    assert (plateau.count, plateau.median, plateau.stability) == (8, 0.0, 0.0)
    assert (peak.count, peak.median, peak.stability) == (3, 1.0, 0.2)


def test_a_neighbour_that_may_not_win_counts_as_the_worst() -> None:
    space = SearchSpace.model_validate({"parameters": {"fast_period": [1, 2, 3]}})
    lattice = Lattice(expand(SmaCrossover, space, {}))

    found = lattice.neighbourhood(1, np.arange(3), np.array([np.nan, 1.0, np.nan]))

    assert (found.count, found.median, found.stability) == (2, None, 0.0)


def test_the_surface_shows_the_best_over_all_other_parameters() -> None:
    space = {"fast_period": [1, 2, 3], "slow_period": [10, 20], "position_size": [0.5, 1.0]}
    grid = expand(SmaCrossover, SearchSpace.model_validate({"parameters": space}), {})
    scores = np.array([1.0, 2, 3, 4, np.nan, np.nan, 7, 6, 9, 10, 12, 11])

    surface = Lattice(grid).surface(scores, 1)

    assert (surface["rows"], surface["columns"]) == ("fast_period", "slow_period")
    assert (surface["row_values"], surface["column_values"]) == (["1", "2", "3"], ["10", "20"])
    assert surface["best"] == [[2, 4], [None, 7], [10, 12]]


# What is kept and how


def test_a_chunk_keeps_its_figures_to_the_last_bit_in_few_bytes() -> None:
    engine = Bench(bars=walk(5, 600)).desk.engine
    request = asked(space={"fast_period": {"low": 1, "high": 30, "step": 1}, "slow_period": [40, 50, 60]})
    study = prepared(request, engine)
    figures = evaluate_chunk(study.plan, study.loaded, study.grid)
    board, other = (Scoreboard(len(study.grid), request.objective) for _ in range(2))
    chunk = json.loads(json.dumps(board.packed(figures)))
    other.add(np.arange(90), chunk)

    for name in ("sharpe_ratio", "total_return", "total_trades"):
        assert other.column(name).tobytes() == figures.columns[name].tobytes()
    assert len(json.dumps(chunk)) < 40 * 90 + 200


def test_chunks_are_small_enough_to_be_repeated_and_large_enough_to_be_worth_it() -> None:
    engine = Bench(bars=walk(5, 600)).desk.engine
    fused, single = (prepared(asked(**more), engine) for more in ({}, {"stop_loss": 0.1}))

    sizes = [len(part) for part in parts_of(np.arange(1_000_000), fused)]
    singles = [len(part) for part in parts_of(np.arange(10_000), single)]

    assert (sum(sizes), max(sizes)) == (1_000_000, 20_000)
    assert sum(singles) == 10_000 and 100 < max(singles) < 1000


# Constraints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fast < slow", [True, False, True]),
        ("fast * 2 <= slow - 1", [True, False, False]),
        ("5 < slow < 8", [False, False, True]),
        ("slow / fast == 2", [False, False, True]),
        ("-fast >= -3", [True, False, False]),
        ("fast != slow", [True, False, True]),
    ],
)
def test_a_constraint_is_arithmetic_and_comparison(text: str, expected: list[bool]) -> None:
    values = {"fast": np.array([2, 5, 3.5]), "slow": np.array([10, 5, 7.0])}

    assert Constraint.read(text).holds(values).tolist() == expected


@pytest.mark.parametrize(
    "text",
    ["__import__('os').system('x')", "fast", "1 < 2", "a.b < 1", "f(a) < 1", "a <", "a < b or c", "a in b", "a[0] < 1",
     "a ** 9 < 1", "a < 'x'", "(" * 99 + "a" + ")" * 99 + "<" + "-" * 999 + "1", "a := 3", "lambda: 0 < a"],
)  # fmt: skip
def test_what_is_no_inequality_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no inequality of parameters"):
        Constraint.read(text)


def test_constraints_leave_only_the_sets_that_hold_them() -> None:
    result = result_of(searched(walk(5, 600), constraints=["slow_period >= 4 * fast_period"], top_k=20)[1])

    assert result["sets"]["skipped"] == 40 - result["sets"]["possible"] > 1
    assert all(row["parameters"]["slow_period"] >= 4 * row["parameters"]["fast_period"] for row in result["top"])


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {"fast_perod": [1, 2]}}, r"space\.fast_perod: unknown parameter.*did you mean.*fast_period"),
        ({"parameters": {"slow": 3}}, r"parameters\.slow: unknown parameter.*known: fast_period"),
        ({"parameters": {"slow_period": 30}}, r"parameters\.slow_period: is searched by space, too"),
        ({"space": {"fast_period": [60], "slow_period": [50]}}, "none of 1 combinations is valid.*must be below"),
        ({"constraints": ["fast_perid < 3"]}, r"constraints\.0: unknown parameter fast_perid.*did you mean"),
        ({"constraints": ["fast_period > 99"]}, "the constraints exclude them all"),
        ({"strategy_id": "buy_and_hold", "space": None}, "space: buy_and_hold.. has none of its own left|buy_and_hold"),
        ({"holdout": 0.01}, r"holdout: 0\.01 of 400 sessions leaves 4 for holdout, at least 20"),
        ({"start_date": "2020-01-01", "end_date": "2020-02-10"}, "leaves 12 for holdout, at least 20"),
        ({"strategy_id": "sma_crossing"}, "unknown strategy.*sma_crossover"),
        ({"asset_symbol": "TSET"}, "TSET"),
        ({"method": "tpe", "beside": ["total_return"]}, "beside: tpe looks for one metric"),
        ({"method": "tpe", "trials": 9999}, "trials: tpe proposes at most 2,000"),
        (
            {"sizing": {"method": "fixed_units", "units": 1}, "space": {"position_size": [0.1]}},
            "position_size is short",
        ),
        ({"start_date": "1990-01-01"}, "reaches outside the stored"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_it_is_queued(options: dict[str, Any], message: str) -> None:
    bench = Bench(bars=walk(5, 400))

    with pytest.raises(BacktestError, match=message):
        bench.jobs.submit(asked(**options))

    assert bench.queue.unfinished() == []


def test_more_sets_than_the_limit_are_refused_with_the_way_to_stay_under_it() -> None:
    bench = Bench(bars=walk(5, 400), limits=Limits(combinations=30))

    with pytest.raises(LimitExceededError, match=r"space: 40 combinations, .* at most 30: narrow a range, or raise"):
        bench.jobs.submit(asked())
    with pytest.raises(LimitExceededError, match=r"trials: 31 are asked for .* at most 30: lower trials"):
        bench.jobs.submit(asked(method="random", trials=31))


@pytest.mark.parametrize(
    "options",
    [{"metric": "luck"}, {"method": "magic"}, {"holdout": 0.9}, {"top_k": 99}, {"constraints": ["x("]}, {"spaces": 1}],
)
def test_what_is_not_understood_is_refused_by_its_field(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        asked(**options)


def test_a_search_without_any_set_that_may_win_says_why() -> None:
    job = searched(walk(5, 400), min_trades=500)[1]

    assert job.status is JobStatus.FAILED
    assert "none of 34 sets has 500 closed trades" in (job.error or "") and "lower min_trades" in (job.error or "")


def test_a_market_without_moves_has_no_winner() -> None:
    still = walk(5, 400)
    still = Bars(still.time, *([np.full(400, 10.0)] * 4), still.volume)

    job = searched(still, strategy_id="bollinger_reversion", space={"period": [5, 7]})[1]

    assert job.status is JobStatus.FAILED and "none of 2 sets" in (job.error or "")


def test_tpe_without_optuna_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpe, "find_spec", lambda _: None)

    with pytest.raises(BacktestError, match=r"tpe needs Optuna, .*pip install optuna.*method random"):
        Bench(bars=walk(5, 400)).jobs.submit(asked(method="tpe"))


def test_tpe_tries_as_many_different_sets_as_asked_for() -> None:
    bench, job = searched(walk(5, 600), method="tpe", trials=28)

    *rounds, _ = [chunk for _, chunk in sorted(bench.queue._rows[job.id].chunks.items())]  # noqa: SLF001
    tried = [number for chunk in rounds for number in chunk["sets"]]

    assert len(tried) == len(set(tried)) == result_of(job)["sets"]["tried"] == 28


def test_unknown_names_are_told_together() -> None:
    with pytest.raises(InvalidInputError) as refused:
        Bench(bars=walk(5, 400)).jobs.submit(asked(parameters={"slow": 3, "fats": 2}))

    assert "slow" in str(refused.value) and "fats" in str(refused.value)
