"""Metrics of trades and activity, worked by hand."""

from math import sqrt

import numpy as np
import pytest

from backtesting.metrics import METRICS, Evidence, measure
from tests.fixtures.evidence import CAPITAL, days, evidence_of_equity, trades_of

# Bars lie two days apart. Entry bar, exit bar, entry price, profit, 1 unit each; the last trade is open.
#   returns: .03, -.01, -.01, .01, (.01); held 2, 1, 3, 2 bars
ROWS = [
    (0, 2, 10_000.0, 300.0),
    (2, 3, 10_000.0, -100.0),
    (3, 6, 20_000.0, -200.0),
    (6, 8, 10_000.0, 100.0),
    (8, 9, 5_000.0, 50.0),
]
# Deviations of 300, -100, -200, 100 from their mean 25: 275, -125, -225, 75; their squares sum to 147 500.
ACCOUNT = {
    "total_trades": 4,
    "winning_trades": 2,
    "losing_trades": 2,
    "open_trades": 1,
    "win_rate": 2 / 4,
    "profit_factor": 400 / 300,
    "avg_win": 400 / 2,
    "avg_loss": -300 / 2,
    "payoff_ratio": 200 / 150,
    "expectancy": 100 / 4,
    "avg_trade_return": 0.02 / 4,
    "best_trade": 0.03,
    "worst_trade": -0.01,
    "max_consecutive_losses": 2,
    "avg_holding_bars": 8 / 4,
    "avg_holding_days": 16 / 4,
    "avg_mae": (-0.01 - 0.02 - 0.03 - 0.04) / 4,
    "avg_mfe": (0.02 + 0.03 + 0.04 + 0.05) / 4,
    "sqn": sqrt(4) * 25 / sqrt(147_500 / 3),
    "kelly": 0.5 - 0.5 / (200 / 150),
    "win_rate_incl_open": 3 / 5,
    "profit_factor_incl_open": 450 / 300,
    # Positions of 100 000 x (0, .5, .9, 0, ...) at 5 of 10 closes, the rest none; equity is 100 000 throughout.
    "exposure_time": 5 / 10,
    "avg_gross_exposure": (0.5 + 0.9 + 0.6 + 0.3 + 0.2) / 10,
    "max_gross_exposure": 0.9,
    # 36 525 traded is 18 262.50 each way, .182625 of equity, in 19 days of which a year has 365.25.
    "turnover_annual": 0.182625 * 365.25 / 19,
    "fees_paid": 12.5,
    "slippage_paid": 7.25,
    "cost_drag": 0.0 - 0.004,
}


def account(rows: list[tuple[int, int, float, float]], open_: tuple[int, ...] = ()) -> Evidence:
    time = days(10, every=2)
    units = np.array([0, 500, 450, 0, 600, 0, 0, 150, 0, 200.0])
    close = np.array([100, 100, 200, 100, 100, 100, 100, 200, 100, 100.0])

    return evidence_of_equity(
        np.full(10, CAPITAL),
        time,
        close,
        units=units,
        trades=trades_of(time, rows, open_),
        traded=36_525.0,
        fees_paid=12.5,
        slippage_paid=7.25,
        costless_return=0.004,
    )


@pytest.mark.parametrize("key", ACCOUNT)
def test_metric_equals_the_account_worked_by_hand(key: str) -> None:
    values, _ = measure(account(ROWS, open_=(4,)))

    assert values[key] == pytest.approx(ACCOUNT[key])


def test_counts_are_whole_numbers() -> None:
    values, _ = measure(account(ROWS))

    counts = [metric.key for metric in METRICS if metric.unit == "count"]
    assert {type(values[key]) for key in counts} == {int}


def test_without_trades_there_are_no_trade_statistics() -> None:
    values, reasons = measure(account([]))

    assert [values[key] for key in ("total_trades", "winning_trades", "losing_trades", "open_trades")] == [0] * 4
    statistics = set(ACCOUNT) - {key for key, value in values.items() if value is not None}
    assert len(statistics) == 18
    assert {reasons[key] for key in statistics} == {"no_trades"}


def test_an_open_trade_alone_counts_only_where_it_is_included() -> None:
    values, reasons = measure(account(ROWS[:1], open_=(0,)))

    assert values["win_rate_incl_open"] == 1
    assert reasons["win_rate"] == "no_trades"
    assert reasons["profit_factor_incl_open"] == "no_losing_trades"


def test_only_winners_give_no_profit_factor() -> None:
    values, reasons = measure(account([ROWS[0], ROWS[3]]))

    relative = ("profit_factor", "avg_loss", "payoff_ratio", "kelly", "profit_factor_incl_open")
    assert {reasons[key] for key in relative} == {"no_losing_trades"}
    assert values["profit_factor"] is None
    assert (values["win_rate"], values["avg_win"], values["max_consecutive_losses"]) == (1, 200, 0)


def test_only_losers_give_a_profit_factor_of_zero() -> None:
    values, reasons = measure(account(ROWS[1:3]))

    assert (values["profit_factor"], values["win_rate"], values["max_consecutive_losses"]) == (0, 0, 2)
    assert {reasons[key] for key in ("avg_win", "payoff_ratio", "kelly")} == {"no_winning_trades"}


def test_a_trade_that_breaks_even_neither_wins_nor_loses_and_ends_a_run_of_losses() -> None:
    values, _ = measure(account([ROWS[0], ROWS[1], (3, 4, 10_000.0, 0.0), ROWS[2]]))

    assert (values["total_trades"], values["winning_trades"], values["losing_trades"]) == (4, 1, 2)
    assert (values["avg_win"], values["avg_loss"], values["win_rate"]) == (300, -150, 0.25)
    assert values["kelly"] == pytest.approx(0.25 - 0.75 / 2)
    assert values["max_consecutive_losses"] == 1


def test_one_trade_or_equal_trades_have_no_system_quality_number() -> None:
    _, one = measure(account(ROWS[:1]))
    _, equal = measure(account([ROWS[0], ROWS[0]]))

    assert (one["sqn"], equal["sqn"]) == ("too_short", "zero_variance")


def test_a_position_without_equity_is_no_exposure() -> None:
    evidence = evidence_of_equity([0.0, 0.0], days(2), units=np.array([1.0, 0.0]))

    assert measure(evidence)[0]["max_gross_exposure"] == 0
