"""A whole walk-forward against a plain loop of single runs: the same winners, the same curve."""

from collections.abc import Iterator, Mapping
from math import prod
from threading import Event
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from backtesting.errors import InvalidInputError, LimitExceededError, NoBarsError
from backtesting.jobs.folds import WalkForwardRequest
from backtesting.objective import Objective
from backtesting.submission import Jobs
from backtesting.types import NS_PER_DAY, Asset, AssetClass, Bars, Chunk, Run, Timeframe
from backtesting.walk_forward.windows import Scheme
from tests.fixtures.in_memory import Desk, day
from tests.fixtures.series import bars_of, daily
from tests.fixtures.sweeps import wandering
from tests.test_job import Bench

FAST, SLOW = (2, 3, 5), (8, 13, 21)
SPACE = {"fast_period": FAST, "slow_period": SLOW}
SCHEME = Scheme(train_sessions=80, test_sessions=30)
SEEDS = range(5)


def asked(bench: Bench, scheme: Scheme = SCHEME, least: int = 1, **options: Any) -> WalkForwardRequest:
    return WalkForwardRequest(
        request=bench.desk.request("sma_crossover", **options),
        space=SPACE,
        objective=Objective(min_trades=least),
        scheme=scheme,
    )


def walked(bars: Bars, scheme: Scheme = SCHEME, **options: Any) -> tuple[Bench, Mapping[str, Any]]:
    bench = Bench(bars=bars)
    job = bench.done(asked(bench, scheme, **options))
    assert job.error is None and job.result
    return bench, job.result


# What a plain loop of single runs comes to


def single(desk: Desk, parameters: dict[str, int], first: int, last: int, **options: Any) -> Run:
    # the slowest set has 21 closes in its mean: 20 before, one that decides, one a crossing compares with
    return desk.run(
        "sma_crossover", parameters=parameters, start_date=day(first), end_date=day(last), history_bars=22, **options
    )


def best_set(desk: Desk, first: int, behind: int, least: int) -> dict[str, int] | None:
    """Run every set alone on the train span, from the bar on at which the slowest can fill."""
    start = {"trade_from": day(21)} if first < 21 else {}
    best, chosen = -np.inf, None
    for fast in FAST:
        for slow in SLOW:
            parameters = {"fast_period": fast, "slow_period": slow}
            metrics = single(desk, parameters, first, behind - 1, **start).summary.metrics  # type: ignore[union-attr]
            sharpe = metrics["sharpe_ratio"]
            if sharpe is not None and (metrics["total_trades"] or 0) >= least and sharpe > best:
                best, chosen = float(sharpe), parameters
    return chosen


def by_hand(bars: Bars, *, anchored: bool, least: int = 1) -> Iterator[tuple[dict[str, int] | None, Run | None]]:
    """Walk through windows of 80 and 30 days."""
    desk = Desk(bars)
    for test in range(80, len(bars) - 29, 30):
        chosen = best_set(desk, 0 if anchored else test - 80, test, least)
        yield chosen, single(desk, chosen, test, test + 29, close_at_end=True) if chosen else None


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_winners_and_curve_are_those_of_a_plain_loop_of_single_runs(seed: int, anchored: bool) -> None:  # noqa: FBT001
    bars = wandering(seed, 240)
    expected = list(by_hand(bars, anchored=anchored))

    _, result = walked(bars, SCHEME.model_copy(update={"anchored": anchored}))
    made = [run.summary.metrics["total_return"] if run and run.summary else 0.0 for _, run in expected]

    assert [row["parameters"] for row in result["windows"]] == [chosen for chosen, _ in expected]
    assert [row["test_return"] or 0.0 for row in result["windows"]] == made
    assert len(made) == 5
    assert result["metrics"]["total_return"] == pytest.approx(
        prod(1 + float(each or 0) for each in made) - 1, rel=1e-12
    )


def test_each_window_leaves_the_run_it_was_tested_by() -> None:
    bench, result = walked(wandering(3, 240))

    for row in result["windows"]:
        run = bench.desk.runs.get(row["backtest_id"])
        assert [run.request.start_date.isoformat(), run.request.end_date.isoformat()] == row["test"]
        again = Desk(wandering(3, 240)).engine.run(run.request)
        assert run.summary is not None and again.summary is not None
        assert run.summary.metrics == again.summary.metrics
        assert run.summary.metrics["total_return"] == row["test_return"]
        assert (run.summary.metrics["open_trades"], run.request.close_at_end) == (0, True)


def test_every_set_of_every_window_is_counted_once_however_often_it_is_walked() -> None:
    bench, result = walked(wandering(3, 240))
    again = bench.done(asked(bench)).result

    # 5 windows of 3 x 3 - 0 sets, and the 5 runs of their tests
    assert result["trials_counted"] == 5 * 9 + 5
    assert again and again["trials_counted"] == result["trials_counted"]
    assert [row["backtest_id"] for row in again["windows"]] == [row["backtest_id"] for row in result["windows"]]
    assert {each.sessions for each in bench.desk.runs.searched} == {80}


def test_the_choice_does_not_depend_on_what_comes_after_the_train_span() -> None:
    bars = wandering(2, 240)
    # upside down from bar 140 on, where the third test begins, so that highs are made of lows
    sides = ((bars.open, bars.open), (bars.high, bars.low), (bars.low, bars.high), (bars.close, bars.close))
    pivot = bars.close[139] ** 2
    turned = daily(*(np.concatenate([column[:140], pivot / mirrored[140:]]) for column, mirrored in sides))

    (_, before), (_, after) = walked(bars), walked(turned)

    kept = ["parameters", "train_sharpe", "test_return"]
    assert [[row[key] for key in kept] for row in before["windows"][:2]] == [
        [row[key] for key in kept] for row in after["windows"][:2]
    ]
    assert before["windows"][2]["parameters"] == after["windows"][2]["parameters"]
    assert before["windows"][2]["test_return"] != after["windows"][2]["test_return"]


def test_anchored_windows_train_from_the_first_day_on_and_rolling_ones_move() -> None:
    (_, rolling), (_, anchored) = (
        walked(wandering(3, 240), SCHEME.model_copy(update={"anchored": each})) for each in (False, True)
    )

    assert [row["train"][0] for row in anchored["windows"]] == [day(0).isoformat()] * 5
    assert [row["train"][0] for row in rolling["windows"]] == [day(n).isoformat() for n in (0, 30, 60, 90, 120)]
    assert [row["test"] for row in rolling["windows"]] == [row["test"] for row in anchored["windows"]]


def test_purge_and_embargo_keep_bars_between_training_and_the_first_fill() -> None:
    bench, result = walked(wandering(3, 240), SCHEME.model_copy(update={"purge_bars": 4, "embargo_bars": 6}))

    assert [row["train"][1] for row in result["windows"]] == [day(n).isoformat() for n in (79, 109, 139, 169, 199)]
    assert [row["test"][0] for row in result["windows"]] == [day(n).isoformat() for n in (84, 114, 144, 174, 204)]
    for row in result["windows"]:
        trades = bench.desk.runs.trades(row["backtest_id"], 0, 100)
        assert all((trade.entry_date.date() - trade.entry_date.date().fromisoformat(row["test"][0])).days >= 6
                   for trade in trades)  # fmt: skip
    assert sum(row["test_trades"] for row in result["windows"]) > 0


def test_where_no_set_qualifies_the_window_stays_in_cash_and_says_so() -> None:
    _, result = walked(wandering(3, 240), least=1000)

    assert {row["reason"] for row in result["windows"]} == {"no parameter set qualified on the train span"}
    assert (result["verdict"], result["idle_windows"]) == ("nothing_to_judge", 5)
    assert result["metrics"]["total_return"] == 0.0
    assert (result["efficiency"], result["undefined"]["efficiency"]) == (None, "not_computed")


def noise(seed: int) -> Bars:
    """Return eight years of days whose returns are independent, without drift."""
    random = np.random.default_rng(1000 + seed)
    close = 100 * np.exp(np.cumsum(random.normal(-0.00005, 0.01, 2000)))
    return bars_of(close)


def test_noise_is_not_called_robust() -> None:
    scheme = Scheme(train_sessions=250, test_sessions=125)

    verdicts = [walked(noise(seed), scheme)[1]["verdict"] for seed in range(12)]

    assert verdicts.count("robust") == 0
    assert verdicts.count("lost") >= 4, "costs alone make most of them losers"


def planted(seed: int) -> Bars:
    """Return days that rise for 20 days and then fall for 20, over little noise."""
    drift = np.repeat(np.resize([0.008, -0.008], 100), 20)
    return bars_of(100 * np.exp(np.cumsum(drift + np.random.default_rng(seed).normal(0, 0.004, 2000))))


def test_a_planted_edge_is_found() -> None:
    _, result = walked(planted(1), Scheme(train_sessions=250, test_sessions=125))

    assert (result["verdict"], [code for code, _ in result["doubts"]]) == ("unproven", ["too_good"])
    assert result["metrics"]["psr"] > 0.99 and result["positive_windows"] == 1.0


# Markets with other days


@pytest.mark.parametrize("asset_class", [AssetClass.CRYPTO, AssetClass.FX])
def test_windows_of_hours_are_cut_where_the_days_of_the_market_begin(asset_class: AssetClass) -> None:
    bench = Bench()
    hours = wandering(3, 40 * 24)
    bars = Bars(hours.time[0] + np.arange(len(hours)) * NS_PER_DAY // 24, *hours.ohlcv)
    bench.desk = Desk(bars, Asset("HOURLY", "Hourly", asset_class, "USD"), Timeframe.H1)
    bench.jobs = Jobs(bench.queue, bench.kinds, bench.desk.engine, lambda: None)
    scheme = Scheme(train_sessions=10, test_sessions=5, purge_bars=30, embargo_bars=3)
    span = {"start_date": day(1), "end_date": day(38), "timeframe": Timeframe.H1}

    job = bench.done(asked(bench, scheme, **span))

    # 38 days from the second on: 10 to train, 2 for 30 purged hours, then 5 at a time
    assert job.error is None and job.result
    assert [row["test"] for row in job.result["windows"]] == [
        [day(first).isoformat(), day(first + 4).isoformat()] for first in (13, 18, 23, 28, 33)
    ]
    assert [row["train"][1] for row in job.result["windows"]] == [day(n).isoformat() for n in (10, 15, 20, 25, 30)]
    assert len(job.result["picture"]["equity"][0]) <= 402
    assert job.result["metrics"]["total_trades"] == sum(row["test_trades"] for row in job.result["windows"]) > 10


# Refusals


def test_a_period_too_short_for_one_window_is_refused_before_it_is_queued() -> None:
    bench = Bench(bars=wandering(1, 100))

    with pytest.raises(InvalidInputError, match=r"100 sessions, and the first window needs 110.*train_sessions 70"):
        bench.jobs.submit(asked(bench))
    assert not bench.queue.unfinished()


def test_a_train_span_shorter_than_the_warm_up_is_refused() -> None:
    bench = Bench(bars=wandering(1, 100))

    with pytest.raises(NoBarsError, match="longest set of the space needs 20 bars of warm-up"):
        bench.jobs.submit(asked(bench, Scheme(train_sessions=15, test_sessions=10)))


def test_a_first_day_to_trade_is_the_windows_own_business() -> None:
    bench = Bench(bars=wandering(1, 240))

    with pytest.raises(InvalidInputError, match="trade_from: the windows say"):
        bench.jobs.submit(asked(bench, trade_from=day(50)))


def test_a_strategy_without_ranges_needs_a_space() -> None:
    bench = Bench(bars=wandering(1, 240))

    with pytest.raises(InvalidInputError, match="space: buy_and_hold has none of its own left to search"):
        bench.jobs.submit(WalkForwardRequest(request=bench.desk.request("buy_and_hold")))


def test_more_sets_and_windows_than_the_limit_are_refused_with_the_ways_to_stay_under_it() -> None:
    bench = Bench(bars=wandering(1, 700))
    wide = {"fast_period": tuple(range(2, 52)), "slow_period": tuple(range(60, 160))}
    request = bench.desk.request("sma_crossover")

    with pytest.raises(LimitExceededError, match=r"space: 5,000 sets in each of 250 windows.*at most 1,000,000"):
        bench.jobs.submit(
            WalkForwardRequest(request=request, space=wide, scheme=Scheme(train_sessions=200, test_sessions=2))
        )


def test_constraints_say_which_sets_are_tried() -> None:
    bench = Bench(bars=wandering(3, 240))
    narrowed = asked(bench).model_copy(update={"constraints": ("4 * fast_period <= slow_period",)})

    result = bench.done(narrowed).result

    # of 2, 3, 5 and 8, 13, 21: 2 with all three, 3 with 13 and 21, 5 with 21
    assert result and result["sets"] == 3 + 2 + 1
    assert all(4 * row["parameters"]["fast_period"] <= row["parameters"]["slow_period"] for row in result["windows"])


def test_parameters_that_are_set_are_not_searched_and_fit_the_sets_that_are() -> None:
    bench = Bench(bars=wandering(3, 240))
    # 60 is not below the default of 50, but below all that are searched
    request = bench.desk.request("sma_crossover", parameters={"fast_period": 60})

    job = bench.done(WalkForwardRequest(request=request, space={"slow_period": (61, 62)}, scheme=SCHEME))

    assert job.error is None and job.result and list(job.result["drift"]) == ["slow_period"]
    with pytest.raises(InvalidInputError, match=r"parameters.fast_period: is searched by space, too"):
        bench.jobs.submit(WalkForwardRequest(request=request, space=SPACE, scheme=SCHEME))


def test_without_a_space_the_ranges_of_the_strategy_are_searched() -> None:
    bench = Bench(bars=wandering(1, 900))
    job = bench.done(WalkForwardRequest(request=bench.desk.request("sma_crossover")))

    # 10 fast and 10 slow ones from 20 to 200; 5 to 50 is not below 20 for 20, 25, ... 50, nor below 40 for 40, 45, 50
    assert job.result and job.result["sets"] == 100 - 7 - 3
    assert len(job.result["windows"]) == (900 - 504) // 126


# Interrupted


def test_bars_that_change_while_it_is_at_work_end_it_readably() -> None:
    undisturbed, result = walked(wandering(3, 240))
    row = result["windows"][0]
    bench = Bench(bars=wandering(3, 240))
    job = bench.jobs.submit(asked(bench))
    claim = bench.queue.claim(uuid4())
    assert claim is not None
    bench.queue.keep(claim.lease, Chunk(0, row | {"test_return": row["test_return"] + 1e-9}), job.progress)
    bench.queue.release(claim.lease.owner)

    bench.worker().serve(Event())

    told = bench.queue.get(job.id).error
    assert told == "the stored bars changed while the walk-forward was at work: run it again"
    assert sorted(undisturbed.queue.kept) == list(range(5))
