"""What a reviewer says of a run: each point raised by runs that deserve it and by no others, ranked, with a remedy."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backtesting.diagnostics import DIAGNOSTICS, LARGEST_NUMBER, diagnose
from backtesting.diagnostics.verdict import verdict
from backtesting.flags import Findings, flags_of
from backtesting.types import (
    Asset,
    AssetClass,
    Bars,
    Costs,
    Coverage,
    Diagnostic,
    Floats,
    Summary,
    Timeframe,
    Weight,
    instant,
)
from tests.fixtures.in_memory import STOCK, Desk
from tests.fixtures.series import bars_of, sample_bars

FREE = Costs(commission=0.0, slippage=0.0)
CHEAP = Costs(commission=0.0001, slippage=0.0)
DAYS = 401
FLAT = bars_of(np.full(DAYS, 100.0))
IN_AND_OUT = {"enter": tuple(range(0, 400, 4)), "leave": tuple(range(2, 400, 4))}
# Held over two of four bars: the second and the third return of each four.
HELD = np.isin(np.arange(DAYS - 1) % 4, (1, 2))


def path(returns: Floats) -> Bars:
    """Return bars that close at 100 and then go by the returns."""
    return bars_of(np.concatenate([[100.0], 100 * np.cumprod(1 + returns)]))


def summary_of(bars: Bars, asset_class: AssetClass = AssetClass.EQUITY, **asked: Any) -> Summary:
    asked = {"strategy_id": "scripted", "costs": CHEAP} | asked
    summary = Desk(bars, Asset("TEST", "Test", asset_class, "USD")).run(**asked).summary
    assert summary is not None
    return summary


def diagnosed(bars: Bars, **asked: Any) -> dict[str, Diagnostic]:
    """Return each point by its code."""
    return {each.code: each for each in summary_of(bars, **asked).diagnostics or ()}


def noise(size: float) -> Floats:
    return np.random.default_rng(1).normal(0, size, DAYS - 1)


def good_run(**asked: Any) -> Summary:
    """Return a run that earns where it is invested, while the asset falls where it is not: 100 trades, 400 sessions."""
    returns = np.where(HELD, 0.001, -0.001) + noise(0.003)
    return summary_of(path(returns), AssetClass.CRYPTO, parameters=IN_AND_OUT, **asked)


# How much, in which order


def test_at_most_five_points_are_made_the_gravest_first() -> None:
    raw = Desk(sample_bars("aapl")).run("rsi", costs="zero", adjustment="raw", fill="same_close").summary
    assert raw is not None and raw.diagnostics is not None

    weights = [each.weight for each in raw.diagnostics]
    assert len(weights) == LARGEST_NUMBER
    assert weights == sorted(weights, key=list(Weight).index)
    assert raw.diagnostics[0].code == "unadjusted_split_suspected"


def test_every_point_says_what_to_do_on_one_line() -> None:
    runs = [Desk(sample_bars("ibm")).run(each).summary for each in ("rsi", "macd", "sma_crossover", "buy_and_hold")]
    points = [each for run in runs if run for each in run.diagnostics or ()]

    assert len(points) >= 8
    assert all(each.issue.isprintable() and each.advice.isprintable() for each in points)
    assert all(0 < len(each.issue) <= 200 and 0 < len(each.advice) <= 100 for each in points)


def test_a_flag_is_judged_in_its_own_words() -> None:
    summary = summary_of(FLAT, costs="zero", parameters=IN_AND_OUT)

    flags = {flag.code: flag.message for flag in summary.flags}
    (point,) = [each for each in summary.diagnostics or () if each.code == "zero_costs"]
    assert point.issue == flags["zero_costs"]
    assert point.weight is Weight.SERIOUS


def test_two_flags_of_one_code_make_one_point() -> None:
    rising = path(np.where(np.arange(DAYS - 1) % 10 == 9, 0.0, 0.005))

    told = diagnosed(rising, strategy_id="buy_and_hold")["too_good"].issue

    assert "sharpe_ratio" in told and "; cagr" in told


def test_a_good_run_has_nothing_serious_against_it() -> None:
    summary = good_run()

    assert [each for each in summary.diagnostics or () if each.weight is not Weight.MINOR] == []


# Each point


def test_a_run_without_a_trade_is_told_so() -> None:
    point = diagnosed(FLAT)["never_traded"]

    assert point.weight is Weight.FATAL


def test_a_long_run_in_a_rising_market_has_no_edge_beyond_its_time_in_it() -> None:
    # The asset rises in every bar, the strategy holds half of them: no better than half of the asset.
    rising = path(0.001 + noise(0.002))

    point = diagnosed(rising, parameters=IN_AND_OUT)["only_time_in_the_market"]

    assert "no edge beyond being invested while the asset rose" in point.issue
    assert point.weight is Weight.SERIOUS


def test_a_run_that_chose_its_time_in_the_market_well_has_an_edge() -> None:
    assert "only_time_in_the_market" not in {each.code for each in good_run().diagnostics or ()}


def test_buy_and_hold_is_not_blamed_for_being_itself() -> None:
    told = diagnosed(path(0.001 + noise(0.002)), strategy_id="buy_and_hold")

    assert not {"only_time_in_the_market", "benchmark_not_beaten"} & told.keys()


def test_less_than_buy_and_hold_weighs_less_where_the_risk_was_smaller() -> None:
    # Held bars make .002 each with little noise, the others 2.1 % and -1.9 %: less return, higher Sharpe ratio.
    others = np.where(np.arange(DAYS - 1) % 4 == 0, 0.021, -0.019)
    calm = path(np.where(HELD, 0.002 + noise(0.002), others))
    point = diagnosed(calm, parameters=IN_AND_OUT)["benchmark_not_beaten"]

    assert point.weight is Weight.MINOR
    assert "Sharpe ratio is the higher one" in point.advice


def test_less_than_buy_and_hold_at_no_smaller_risk_is_serious() -> None:
    # rsi on IBM: 66.12 % and a Sharpe ratio of .2950, where buy and hold has 108.25 % and .3421.
    point = diagnosed(sample_bars("ibm"), strategy_id="rsi", costs="us_equity")["benchmark_not_beaten"]

    assert point.weight is Weight.SERIOUS
    assert point.issue == "buy and hold made 108.25% at the same costs, this 66.12%"


def test_a_gain_that_twice_the_costs_would_eat_is_sensitive_to_costs() -> None:
    # 100 trades that make .4 % each, less two sides at .15 %: about +10 % in all; at .3 % a side, about -18 %.
    gains = path(np.where(np.arange(DAYS - 1) % 4 == 1, 0.004, 0.0))
    costly = Costs(commission=0.0015, slippage=0.0)
    twice = Costs(commission=0.003, slippage=0.0)

    point = diagnosed(gains, parameters=IN_AND_OUT, costs=costly)["costs_decide"]

    really = summary_of(gains, parameters=IN_AND_OUT, costs=twice).metrics["total_return"]
    told = float(point.issue.rpartition("about ")[2].removesuffix("%")) / 100
    assert told == pytest.approx(really, abs=0.001)
    assert really is not None and really < 0


def test_a_loss_that_is_a_gain_without_costs_is_told_both_ways() -> None:
    gains = path(np.where(np.arange(DAYS - 1) % 4 == 1, 0.004, 0.0))

    point = diagnosed(gains, parameters=IN_AND_OUT, costs=Costs(commission=0.003, slippage=0.0))["costs_decide"]

    # 1.004^100 = 1.4906
    assert point.issue.endswith("without costs 49.06%")


def test_a_gain_that_survives_twice_its_costs_is_not_sensitive_to_them() -> None:
    gains = path(np.where(np.arange(DAYS - 1) % 4 == 1, 0.004, 0.0))

    assert "costs_decide" not in diagnosed(gains, parameters=IN_AND_OUT, costs=CHEAP)


def test_a_sharpe_ratio_whose_interval_holds_0_is_uncertain() -> None:
    summary = summary_of(sample_bars("msft"), strategy_id="macd", costs="us_equity")

    (point,) = [each for each in summary.diagnostics or () if each.code == "uncertain_sharpe"]
    low, high = summary.metrics["sharpe_ci95_low"], summary.metrics["sharpe_ci95_high"]
    assert low is not None and high is not None and low < 0 < high
    assert f"between {low:.2f} and {high:.2f}" in point.issue
    assert "takes 3,464 sessions to be told from 0, and there are 3,269" in point.advice


def test_a_sharpe_ratio_surely_above_or_below_0_is_not_uncertain() -> None:
    assert "uncertain_sharpe" not in diagnosed(sample_bars("ibm"), strategy_id="macd", costs="us_equity")
    assert "uncertain_sharpe" not in diagnosed(sample_bars("ibm"), strategy_id="sma_crossover", costs="us_equity")


def test_a_profit_of_few_trades_is_told_with_what_is_left_without_them() -> None:
    # Of 100 trades, one makes 50 % and the others nothing but their costs: none here.
    one = path(np.where(np.arange(DAYS - 1) == 201, 0.5, 0.0))

    point = diagnosed(one, parameters=IN_AND_OUT, costs=FREE)["concentrated_profit"]

    assert point.issue == "the best of 100 trades made 50,000.00 of the profit of 50,000.00: without, 0.00 are left"


def test_a_profit_of_a_tenth_of_the_trades_is_concentrated_and_one_of_more_is_not() -> None:
    def winners(count: int) -> Bars:
        first_held = np.flatnonzero(np.arange(DAYS - 1) % 4 == 1)[:count]
        return path(np.where(np.isin(np.arange(DAYS - 1), first_held), 0.01, 0.0))

    # At a size of 1 % of equity, all gains are equal: more than 80 % of 11 and of 14 take 9 and 12 trades.
    asked = {"parameters": IN_AND_OUT | {"position_size": 0.01}, "costs": FREE}
    assert "the best 9 of 100" in diagnosed(winners(11), **asked)["concentrated_profit"].issue
    assert "concentrated_profit" not in diagnosed(winners(14), **asked)


def test_one_of_a_handful_of_trades_is_not_told_to_be_few_twice() -> None:
    few = {"enter": (0, 8), "leave": (4,)}
    told = diagnosed(path(np.where(np.arange(DAYS - 1) == 2, 0.5, 0.0)), parameters=few, costs=CHEAP)

    assert "few_trades" in told and "concentrated_profit" not in told


def test_a_run_that_holds_nothing_for_most_of_the_period_is_told_from_when_to_when() -> None:
    # In at bar 11 and out at bar 21, in at bar 321: nothing is held at the closes of bars 21 to 320.
    told = diagnosed(FLAT, parameters={"enter": (10, 320), "leave": (20,)})

    assert told["long_idle"].issue.startswith("it held nothing from 2020-01-22 to 2020-11-16")
    assert told["long_idle"].weight is Weight.MINOR


def test_waiting_for_indicators_is_no_idleness() -> None:
    told = diagnosed(FLAT, parameters={"enter": (300,), "wait": 300})

    assert "long_idle" not in told


def test_open_positions_that_hold_the_profit_are_a_point() -> None:
    told = diagnosed(path(0.001 + noise(0.002)), strategy_id="buy_and_hold")

    assert told["open_profit"].weight is Weight.SERIOUS


def test_orders_too_small_and_bars_without_volume_are_minor_points() -> None:
    idle = Bars(FLAT.time, *FLAT.ohlcv[:4], np.zeros(DAYS))

    assert diagnosed(idle, parameters=IN_AND_OUT)["zero_volume_fills"].weight is Weight.MINOR


def test_costs_nobody_named_for_a_class_nobody_knows_are_a_minor_point() -> None:
    summary = summary_of(FLAT, AssetClass.UNKNOWN, costs=None, parameters=IN_AND_OUT)

    assert "costs_assumed" in {each.code for each in summary.diagnostics or ()}


def test_h6_an_account_that_was_used_up_is_the_first_point_with_its_day() -> None:
    result = Desk(FLAT).result("scripted", costs=CHEAP, parameters=IN_AND_OUT)
    found = Findings(
        request=Desk(FLAT).request(costs=CHEAP),
        asset=STOCK,
        series=Coverage(Timeframe.D1, instant(FLAT.time[0]), instant(FLAT.time[-1]), version="1"),
        gaps=None,
        costs=CHEAP,
        costs_assumed=False,
        calendar_assumed=False,
        missing_history=0,
        first_tradable=instant(FLAT.time[0]),
        bars=FLAT,
        trades=result.trades,
        held=np.ones(DAYS, dtype=bool),
        bankrupt=instant(FLAT.time[7]),
        counters=result.summary.counters,
        metrics=result.summary.metrics,
        sessions=DAYS - 1,
        held_return=0.0,
    )

    point = diagnose(found, flags_of(found))[0]

    assert (point.code, point.weight) == ("bankrupt", Weight.FATAL)
    assert "2020-01-08" in point.issue


# The verdict


def with_points(*weights: Weight, **metrics: float) -> Summary:
    """Return a good run as if it had these points and these figures."""
    run = good_run()
    points = tuple(Diagnostic("a_code", weight, "an issue", "an advice") for weight in weights)
    return replace(run, diagnostics=points, metrics={**run.metrics, **metrics})


def test_the_verdict_on_a_good_run_praises_nothing_and_names_what_is_not_known() -> None:
    told = verdict(good_run())

    assert told is not None
    assert told.startswith("Nothing serious speaks against it: it made ")
    assert told.endswith("That is the past, and only what was tried here is counted.")


@pytest.mark.parametrize("made", [-0.5, -1e-9, 0.0])
@pytest.mark.parametrize("weights", [(), (Weight.MINOR,), (Weight.SERIOUS,)])
def test_the_verdict_on_a_loss_is_never_good(made: float, weights: tuple[Weight, ...]) -> None:
    told = verdict(with_points(*weights, total_return=made, benchmark_return=-0.9))

    assert told is not None and told.startswith("It made no money")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ((Weight.SERIOUS,), "one serious doubt stands against it"),
        ((Weight.SERIOUS, Weight.SERIOUS, Weight.MINOR), "2 serious doubts stand against it"),
    ],
)
def test_the_verdict_counts_the_serious_doubts(weights: tuple[Weight, ...], words: str) -> None:
    told = verdict(with_points(*weights, total_return=0.1, benchmark_return=0.2))

    assert told is not None
    assert told.startswith("Not yet: it made 10.00% where buy and hold made 20.00%")
    assert words in told


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (0.1, "it made 10.00% where buy and hold made 20.00%, and one"),
        (0.3, "it made 30.00% where buy and hold made 20.00%, but one"),
        (0.2, "it made 20.00%, just what buy and hold made, and one"),
    ],
)
def test_the_verdict_sets_a_doubt_against_what_was_won_alone(made: float, told: str) -> None:
    summary = with_points(Weight.SERIOUS, total_return=made, benchmark_return=0.2)

    assert verdict(summary) == f"Not yet: {told} serious doubt stands against it."


@pytest.mark.parametrize("made", [0.5, -0.5])
def test_the_verdict_on_figures_that_are_not_real_is_no_whatever_they_are(made: float) -> None:
    told = verdict(with_points(Weight.FATAL, total_return=made))

    assert told is not None and told.startswith("No: ")


def test_the_verdict_on_a_run_without_trades_is_that_there_is_nothing_to_believe() -> None:
    assert verdict(summary_of(FLAT)) == "There is nothing to believe: it never traded."


def test_h6_the_verdict_on_a_bankrupt_account_is_that_all_is_lost() -> None:
    ruined = replace(
        with_points(total_return=-1.1),
        diagnostics=(Diagnostic("bankrupt", Weight.FATAL, "the account was used up", "risk less"),),
    )

    told = verdict(ruined)

    assert told is not None and told.startswith("It lost everything: -110.00%")


def test_a_run_nobody_reviewed_has_no_verdict() -> None:
    assert verdict(replace(good_run(), diagnostics=None)) is None


def test_every_rule_is_named_after_its_code() -> None:
    runs = [Desk(sample_bars(each)).run("rsi", costs="zero").summary for each in ("ibm", "aapl", "msft")]
    told = {each.code for run in runs if run for each in run.diagnostics or ()}

    names = [rule.__name__ for rule in DIAGNOSTICS]
    assert len(told) > 3 and told <= set(names)
    assert len(set(names)) == len(names)
