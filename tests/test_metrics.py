"""Metrics of returns, drawdowns and the benchmark, against the contract's frozen figures and other libraries."""

import json
from collections.abc import Callable, Mapping
from math import sqrt

import empyrical
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from backtesting.errors import UnknownNameError
from backtesting.metrics import KEYS, METRICS, Evidence, measure, require_known
from backtesting.metrics.significance import minimum_track_record, probabilistic_sharpe
from backtesting.types import NS_PER_DAY, Floats
from tests.fixtures.evidence import CAPITAL, FIRST_DAY, days, evidence_of, evidence_of_equity
from tests.fixtures.series import SAMPLE_SYMBOLS, sample_bars
from tests.test_metrics_trades import ACCOUNT

SESSION = np.arange(1, 251)
R = 0.01 * np.sin(1.7 * SESSION) + 0.004 * np.sin(0.31 * SESSION) + 0.0005
B = 0.009 * np.sin(1.7 * SESSION + 0.5) + 0.0003

# Contract 13.2: empyrical, NumPy and skfolio on R and B, 252 sessions a year.
FROZEN = {
    "total_return": 0.15257811997165738,
    "annual_return": 0.15388820448123064,
    "annual_volatility": 0.12132860589395522,
    "max_drawdown": -0.03337382445007745,
    "sharpe_ratio": 1.240473019153703,
    "sortino_ratio": 1.8851304887302494,
    "calmar_ratio": 4.611044943663132,
    "omega_ratio": 1.197573916647702,
    "downside_deviation": 0.07983790138812015,
    "tail_ratio": 1.060831481724773,
    "var_95": -0.011761779053711717,
    "cvar_95": -0.012471390734830537,
    "alpha": 0.08236846791190255,
    "beta": 0.9745938755733785,
    "information_ratio": 1.0968842245861665,
    "up_capture": 1.0502794602087502,
    "down_capture": 0.961328054669675,
    "tracking_error": 0.07047631350095249,
    "correlation": 0.8142720849293953,
    "ulcer_index": 0.01675088298249873,
    "skewness": -0.0034988351363370537,
    "kurtosis_excess": -1.1497189961620327,
    "psr": 0.8910440325493623,
}

Oracle = Callable[[Floats, Floats], float]
ORACLES: Mapping[str, Oracle] = {
    "total_return": lambda r, _: empyrical.cum_returns_final(r),
    "annual_return": lambda r, _: empyrical.annual_return(r),
    "annual_volatility": lambda r, _: empyrical.annual_volatility(r),
    "sharpe_ratio": lambda r, _: empyrical.sharpe_ratio(r),
    "sortino_ratio": lambda r, _: empyrical.sortino_ratio(r),
    "calmar_ratio": lambda r, _: empyrical.calmar_ratio(r),
    "omega_ratio": lambda r, _: empyrical.omega_ratio(r),
    "max_drawdown": lambda r, _: empyrical.max_drawdown(r),
    "downside_deviation": lambda r, _: empyrical.downside_risk(r),
    "var_95": lambda r, _: empyrical.value_at_risk(r),
    "cvar_95": lambda r, _: empyrical.conditional_value_at_risk(r),
    "tail_ratio": lambda r, _: empyrical.tail_ratio(r),
    "benchmark_return": lambda _, b: empyrical.cum_returns_final(b),
    "benchmark_sharpe": lambda _, b: empyrical.sharpe_ratio(b),
    "benchmark_max_drawdown": lambda _, b: empyrical.max_drawdown(b),
    "beta": empyrical.beta,
    "alpha": empyrical.alpha,
    "information_ratio": lambda r, b: empyrical.excess_sharpe(r, b) * sqrt(252),
    "up_capture": empyrical.up_capture,
    "down_capture": empyrical.down_capture,
    "skewness": lambda r, _: stats.skew(r, bias=True),
    "kurtosis_excess": lambda r, _: stats.kurtosis(r, bias=True),
    "best_session": lambda r, _: np.max(r),
    "worst_session": lambda r, _: np.min(r),
    "positive_sessions": lambda r, _: np.mean(r > 0),
    "tracking_error": lambda r, b: np.std(r - b, ddof=1) * sqrt(252),
    "correlation": lambda r, b: np.corrcoef(r, b)[0, 1],
}

# Capital 100 000, then 20 bars, one every two days: up to 110, two spells under water, the second to the end.
#   bar     0    1    2    3    4 ... 18   19
#   equity  110  99   104.5 110  88 ... 88  99     (thousands)
#   dd      0   -.1  -.05  0   -.2 ...  -.2 -.1
# Recovery of the first spell: bar 0 to bar 3, 6 days; of the second: bar 3 to the last bar 19, 32 days.
CURVE = np.array([110, 99, 104.5, 110, *[88] * 15, 99]) * 1000.0
HAND_WORKED = {
    "final_capital": 99_000.0,
    "total_return": -0.01,
    "max_drawdown": -0.2,
    "avg_drawdown": (-0.1 - 0.2) / 2,
    "max_drawdown_days": 32.0,
    "ulcer_index": sqrt((0.1**2 + 0.05**2 + 15 * 0.2**2 + 0.1**2) / 20),
    "recovery_factor": -0.01 / 0.2,
}
# Published: min_track_record; hand-worked below: cagr, martin_ratio, benchmark returns.
ELSEWHERE = {
    "cagr",
    "martin_ratio",
    "min_track_record",
    "excess_return",
    "exposure_matched_return",
    "total_return_optimistic",
    "borrow_paid",
}
RESAMPLED = {"sharpe_ci95_low", "sharpe_ci95_high"}  # arch, in test_metrics_bootstrap.py


def metrics_of(evidence: Evidence) -> dict[str, float | int | None]:
    return measure(evidence)[0]


def reasons_of(evidence: Evidence) -> dict[str, str]:
    return measure(evidence)[1]


def sample_returns(symbol: str) -> Floats:
    price = sample_bars(symbol).adj_close

    return price[1:] / price[:-1] - 1


# What is listed


def test_every_metric_has_an_expected_value_from_elsewhere() -> None:
    tested = FROZEN.keys() | ORACLES.keys() | HAND_WORKED.keys() | ACCOUNT.keys() | ELSEWHERE | RESAMPLED

    assert set(KEYS) == tested


def test_keys_are_unique_and_definitions_fit_on_a_line() -> None:
    definitions = [metric.definition for metric in METRICS]

    assert len(set(KEYS)) == len(KEYS)
    assert all(0 < len(definition) <= 95 and definition.isprintable() for definition in definitions)
    assert not [definition for definition in definitions if definition.endswith(".")]


def test_known_names_come_back_once_each_in_the_order_asked_for() -> None:
    assert require_known(["sqn", "cagr", "sqn"]) == ["sqn", "cagr"]


def test_all_unknown_names_are_refused_at_once_each_with_its_nearest() -> None:
    with pytest.raises(UnknownNameError) as refused:
        require_known(["sharp_ratio", "cagr", "sortino"], field="objective")

    message = str(refused.value)
    assert message.startswith(
        "objective: unknown metric 'sharp_ratio' - did you mean 'sharpe_ratio'?, "
        "'sortino' - did you mean 'sortino_ratio'?; known: alpha, "
    )
    assert refused.value.field == "objective"


# Against other programs


@pytest.mark.parametrize("key", FROZEN)
def test_metric_equals_the_frozen_figure(key: str) -> None:
    assert metrics_of(evidence_of(R, B))[key] == pytest.approx(FROZEN[key], rel=1e-11)


def test_a5_sharpe_ratio_is_over_the_risk_free_rate() -> None:
    assert metrics_of(evidence_of(R, B, risk_free=0.02))["sharpe_ratio"] == pytest.approx(1.0772517801538872)


def test_a5_alpha_is_over_the_risk_free_rate() -> None:
    expected = empyrical.alpha(R, B, risk_free=1.02 ** (1 / 252) - 1)

    assert metrics_of(evidence_of(R, B, risk_free=0.02))["alpha"] == pytest.approx(expected)


@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_metrics_of_a_real_curve_equal_other_libraries(symbol: str) -> None:
    r, b = sample_returns(symbol), sample_returns("ibm" if symbol != "ibm" else "msft")
    values = metrics_of(evidence_of(r, b))

    assert {key: values[key] for key in ORACLES} == pytest.approx({key: of(r, b) for key, of in ORACLES.items()}, 1e-10)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=2, max_size=80))
def test_metrics_equal_other_libraries_wherever_both_are_defined(pairs: list[tuple[int, int]]) -> None:
    r, b = np.array(pairs).T / 10_000
    values = metrics_of(evidence_of(r, b))
    with np.errstate(all="ignore"):
        expected = {key: float(of(r, b)) for key, of in ORACLES.items() if values[key] is not None}
    defined = {key: value for key, value in expected.items() if np.isfinite(value)}

    assert {key: values[key] for key in defined} == pytest.approx(defined, rel=1e-10, abs=1e-10)


def test_psr_has_the_published_values() -> None:
    monthly = 1.585 / sqrt(12)

    assert probabilistic_sharpe(monthly, 24, -2.448, 10.164) == pytest.approx(0.9132343068848602)
    assert probabilistic_sharpe(monthly, 24, 0.0, 3.0) == pytest.approx(0.98159, abs=1e-5)


def test_psr_is_over_the_risk_free_rate() -> None:
    sharpe, skewness, kurtosis = 1.0772517801538872 / sqrt(252), stats.skew(R), stats.kurtosis(R) + 3
    error = sqrt((1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) / 249)

    assert metrics_of(evidence_of(R, risk_free=0.02))["psr"] == pytest.approx(stats.norm.cdf(sharpe / error))


def test_minimum_track_record_has_the_published_values() -> None:
    def years(sharpe: float, reference: float, periods: int, skewness: float = 0.0, kurtosis: float = 3.0) -> float:
        return minimum_track_record(sharpe / sqrt(periods), skewness, kurtosis, reference / sqrt(periods)) / periods

    assert years(2.0, 1.0, 250) == pytest.approx(2.7311878, rel=1e-7)
    assert years(2.0, 1.0, 52) == pytest.approx(2.8288336, rel=1e-7)
    assert years(3.0, 2.5, 12, skewness=-0.72, kurtosis=5.78) == pytest.approx(27.3529202, rel=1e-7)


def test_after_its_minimum_track_record_a_sharpe_ratio_is_95_percent_sure() -> None:
    sessions = metrics_of(evidence_of(R, B))["min_track_record"]

    assert probabilistic_sharpe(R.mean() / R.std(ddof=1), sessions, stats.skew(R), stats.kurtosis(R) + 3) == (
        pytest.approx(0.95)
    )


# By hand


def test_drawdowns_of_a_curve_worked_by_hand() -> None:
    values = metrics_of(evidence_of_equity(CURVE, days(20, every=2)))

    assert {key: values[key] for key in HAND_WORKED} == pytest.approx(HAND_WORKED)


def test_a_spell_under_water_ends_at_the_bar_that_recovers() -> None:
    values = metrics_of(evidence_of_equity([110_000, 99_000, 110_000, 120_000], days(4, every=2)))

    assert values["max_drawdown_days"] == 4


def test_martin_ratio_is_annual_return_over_risk_free_per_ulcer() -> None:
    values = metrics_of(evidence_of(R, risk_free=0.02))

    assert values["martin_ratio"] == pytest.approx((0.15388820448123064 - 0.02) / 0.01675088298249873)


def test_cagr_goes_by_calendar_days_from_the_base() -> None:
    four_years = days(2, every=1460)
    evidence = evidence_of_equity([CAPITAL, 1.1**4 * CAPITAL], four_years)

    assert metrics_of(evidence)["cagr"] == pytest.approx(0.1)  # base a day earlier: 1461 days = 4 years of 365.25


def test_a_first_day_below_the_capital_is_a_drawdown() -> None:
    evidence = evidence_of_equity([20 / 21 * CAPITAL] * 3, days(3))

    values = metrics_of(evidence)
    assert values["max_drawdown"] == values["total_return"] == pytest.approx(-1 / 21)
    assert values["max_drawdown_days"] == 3


def test_a_rounding_error_is_no_drawdown() -> None:
    evidence = evidence_of_equity([CAPITAL, CAPITAL * (1 - 2e-16), CAPITAL * 1.01], days(3))

    assert metrics_of(evidence)["max_drawdown"] == 0
    assert reasons_of(evidence)["calmar_ratio"] == "no_drawdown"


def test_exposure_matched_return_holds_the_benchmark_as_much_as_the_strategy_holds() -> None:
    # Half of equity is held on average (1, then 0): .5 x .1 + .5 x .02 = .06 a session, 1.06^2 - 1 = .1236.
    evidence = evidence_of([0.0, 0.0], [0.1, 0.1], units=np.array([1000.0, 0]), periods_per_year=1.0, risk_free=0.02)

    assert metrics_of(evidence)["exposure_matched_return"] == pytest.approx(0.1236)
    assert metrics_of(evidence)["excess_return"] == pytest.approx(-0.21)


def test_a_strategy_that_is_its_benchmark_has_beta_one_and_no_active_risk() -> None:
    evidence = evidence_of(R, R)

    values = metrics_of(evidence)
    assert (values["beta"], values["correlation"]) == pytest.approx((1, 1))
    assert (values["alpha"], values["tracking_error"]) == pytest.approx((0, 0))
    assert reasons_of(evidence)["information_ratio"] == "zero_variance"


def test_rounding_errors_beside_the_benchmark_are_no_active_risk() -> None:
    evidence = evidence_of(R, R + 1e-15 * np.sin(SESSION))

    assert reasons_of(evidence)["information_ratio"] == "zero_variance"


def test_information_ratio_does_not_depend_on_the_risk_free_rate() -> None:
    assert metrics_of(evidence_of(R, B, risk_free=0.02))["information_ratio"] == pytest.approx(1.0968842245861665)


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_no_correlation_is_beyond_one(factor: float) -> None:
    curves = [R[:sessions] for sessions in range(2, 250)]
    correlations = [metrics_of(evidence_of(curve, factor * curve))["correlation"] for curve in curves]

    assert correlations == pytest.approx([factor] * len(curves))
    assert max(map(abs, correlations)) <= 1


# Sessions


def test_returns_of_intraday_bars_are_daily_but_drawdowns_see_every_bar() -> None:
    six_hours = FIRST_DAY + np.arange(12) * (NS_PER_DAY // 4)
    equity = np.array([101, 80, 120, 110, 111, 112, 113, 121, 90, 100, 105, 108.9]) * 1000
    evidence = evidence_of_equity(equity, six_hours)

    np.testing.assert_allclose(evidence.returns, [0.1, 0.1, -0.1])
    assert metrics_of(evidence)["max_drawdown"] == pytest.approx(90 / 121 - 1)


def test_a_first_bar_that_cannot_trade_is_the_base() -> None:
    evidence = evidence_of_equity([100_000, 110_000, 99_000], days(3), base_time=None)

    np.testing.assert_allclose(evidence.returns, [0.1, -0.1])
    assert metrics_of(evidence)["cagr"] == pytest.approx(0.99 ** (365.25 / 2) - 1)


def test_the_first_session_of_intraday_bars_counts_from_its_first_bar() -> None:
    half_days = FIRST_DAY + np.arange(4) * (NS_PER_DAY // 2)
    evidence = evidence_of_equity([100_000, 110_000, 105_000, 99_000], half_days, base_time=None)

    np.testing.assert_allclose(evidence.returns, [0.1, -0.1])


# Undefined


def test_flat_equity_has_no_ratios() -> None:
    evidence = evidence_of([0.0] * 5, [0.01, -0.01, 0.02, 0.0, 0.01])

    reasons = reasons_of(evidence)
    zero_variance = {"sharpe_ratio", "skewness", "kurtosis_excess", "tail_ratio", "beta", "correlation", "alpha", "psr"}
    assert {reasons[key] for key in zero_variance} == {"zero_variance"}
    assert {reasons[key] for key in ("calmar_ratio", "martin_ratio", "recovery_factor", "avg_drawdown")} == {
        "no_drawdown"
    }
    assert (reasons["sortino_ratio"], reasons["omega_ratio"]) == ("no_downside", "no_losses")
    assert metrics_of(evidence)["max_drawdown"] == metrics_of(evidence)["ulcer_index"] == 0


@pytest.mark.parametrize("constant", [0.01, 0.001, 0.0001, 1e-5, 1e-6, -0.0001])
def test_a_constant_return_has_no_sharpe_ratio(constant: float) -> None:
    reasons = reasons_of(evidence_of([constant] * 250))

    assert reasons["sharpe_ratio"] == reasons["psr"] == reasons["min_track_record"] == "zero_variance"


def test_a_benchmark_that_does_not_move_gives_no_beta() -> None:
    reasons = reasons_of(evidence_of(R))

    relative = ("beta", "correlation", "alpha", "benchmark_sharpe")
    assert {reasons[key] for key in relative} == {"benchmark_zero_variance"}
    assert reasons["up_capture"] == reasons["down_capture"] == "too_short"


def test_a_negative_sharpe_ratio_has_no_track_record_that_proves_it() -> None:
    evidence = evidence_of(-R)

    assert reasons_of(evidence)["min_track_record"] == "sharpe_not_positive"
    assert minimum_track_record(0.0, 0.0, 3.0) == "sharpe_not_positive"


def test_a_sharpe_ratio_whose_error_vanishes_has_no_probability() -> None:
    # 1 - g3 SR + (g4 - 1) / 4 x SR^2 = 1 - 1 x 2 + 1 / 4 x 4 = 0
    assert probabilistic_sharpe(2.0, 100, 1.0, 2.0) == "zero_variance"


def test_a_fifth_percentile_of_zero_gives_no_tail_ratio() -> None:
    assert reasons_of(evidence_of([0.0] * 10 + [0.01] * 10))["tail_ratio"] == "no_downside"


@pytest.mark.parametrize("base_time", [None, FIRST_DAY - NS_PER_DAY])
def test_one_bar_is_too_short_for_any_ratio(base_time: int | None) -> None:
    evidence = evidence_of([0.01], [0.02], base_time=base_time)

    too_short = {key for key, reason in reasons_of(evidence).items() if reason == "too_short"}
    assert too_short >= {"annual_return", "annual_volatility", "sharpe_ratio", "sortino_ratio", "calmar_ratio"}
    assert too_short >= {"var_95", "best_session", "beta", "tracking_error", "information_ratio", "up_capture", "psr"}
    assert too_short >= {"turnover_annual", "skewness", "tail_ratio", "omega_ratio", "exposure_matched_return"}
    assert ("cagr" in too_short) == (base_time is None)
    assert metrics_of(evidence)["total_return"] == pytest.approx(0.01)


def test_two_sessions_of_one_day_apart_in_hours_have_no_yearly_growth() -> None:
    before_and_after_midnight = FIRST_DAY + np.array([23, 25]) * (NS_PER_DAY // 24)
    evidence = evidence_of_equity([101_000, 102_000], before_and_after_midnight, base_time=FIRST_DAY + NS_PER_DAY // 2)

    assert reasons_of(evidence)["cagr"] == reasons_of(evidence)["turnover_annual"] == "too_short"


def test_two_equal_bars_are_flat() -> None:
    evidence = evidence_of([0.0, 0.0])

    assert metrics_of(evidence)["annual_return"] == metrics_of(evidence)["annual_volatility"] == 0
    assert reasons_of(evidence)["sharpe_ratio"] == "zero_variance"


def test_losing_every_day_is_measured() -> None:
    values = metrics_of(evidence_of([-0.01, -0.02, -0.03], [0.01, -0.01, 0.01]))

    assert values["omega_ratio"] == 0
    assert values["sharpe_ratio"] == pytest.approx(-2 * sqrt(252))  # mean -.02, s .01
    assert values["max_drawdown"] == values["total_return"] == pytest.approx(0.99 * 0.98 * 0.97 - 1)
    assert values["max_drawdown_days"] == 3


def test_equity_that_reaches_zero_has_lost_everything_and_loses_no_more() -> None:
    evidence = evidence_of_equity([50_000, 0, 0, 0], days(4), units=np.array([500.0, 500, 0, 0]))

    values = metrics_of(evidence)
    np.testing.assert_allclose(evidence.returns, [-0.5, -1, 0, 0])
    assert values["total_return"] == values["max_drawdown"] == values["cagr"] == values["annual_return"] == -1
    assert values["max_gross_exposure"] == 1


def test_h6_a_bankrupt_account_lost_everything_a_year_and_has_no_ratio() -> None:
    # From 100 000 to 50 000, then 10 000 owed, where trading ends.
    evidence = evidence_of_equity([50_000, -10_000, -10_000], days(3), benchmark=CURVE[:3], bankrupt_bar=1)
    values, reasons = measure(evidence)

    assert (values["cagr"], values["annual_return"]) == (-1, -1)
    assert (values["final_capital"], values["total_return"]) == pytest.approx((-10_000, -1.1))
    assert values["max_drawdown"] == pytest.approx(-1.1)
    own = {metric.key for metric in METRICS if metric.unit == "ratio"} - {"benchmark_sharpe"}
    assert {reasons[key] for key in own | {"psr", "min_track_record", "alpha"}} == {"bankrupt"}


def test_h6_the_benchmark_of_a_bankrupt_account_keeps_its_figures() -> None:
    bankrupt = evidence_of_equity([50_000, -10_000, -10_000], days(3), benchmark=CURVE[:3], bankrupt_bar=1)
    solvent = evidence_of_equity([50_000, 60_000, 70_000], days(3), benchmark=CURVE[:3])

    keys = ("benchmark_return", "benchmark_sharpe", "benchmark_max_drawdown")
    assert [metrics_of(bankrupt)[key] for key in keys] == [metrics_of(solvent)[key] for key in keys]
    assert metrics_of(bankrupt)["benchmark_sharpe"] is not None


def test_capital_lost_on_the_first_day_gives_no_turnover() -> None:
    evidence = evidence_of_equity([0.0, 0.0], days(2), traded=CAPITAL)

    assert reasons_of(evidence)["turnover_annual"] == "not_computed"


def test_growth_beyond_all_numbers_is_not_computed() -> None:
    evidence = evidence_of([20.0, 20.0])  # 21^252 > 1.8e308

    assert metrics_of(evidence)["annual_return"] is None
    assert reasons_of(evidence)["annual_return"] == "not_computed"


wealth = st.one_of(st.just(0.0), st.floats(1e-9, 1e15), st.floats(99_999, 100_001))


@settings(derandomize=True, deadline=None)
@given(
    curves=st.lists(st.tuples(wealth, wealth), min_size=1, max_size=40),
    risk_free=st.floats(-0.5, 0.5),
    base_time=st.sampled_from([None, FIRST_DAY - NS_PER_DAY]),
)
def test_whatever_the_curve_every_metric_is_a_plain_finite_number_or_has_a_reason(
    curves: list[tuple[float, float]], risk_free: float, base_time: int | None
) -> None:
    equity, benchmark = zip(*curves, strict=True)
    evidence = evidence_of_equity(
        equity, days(len(curves)), benchmark=np.array(benchmark), risk_free=risk_free, base_time=base_time
    )
    values, reasons = measure(evidence)

    json.dumps([values, reasons], allow_nan=False)
    assert tuple(values) == KEYS
    assert {key for key, value in values.items() if value is None} == set(reasons)
    assert {type(value) for value in values.values()} <= {float, int, type(None)}
