import json
from typing import Any, ClassVar, Self

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from backtesting.errors import InvalidInputError
from backtesting.strategies import STRATEGIES
from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategy import StrategyRegistry
from backtesting.strategy_check import StrategyReport, check_config

REGISTRY = StrategyRegistry(STRATEGIES)
KNOWN = ", ".join(sorted(REGISTRY.ids()))
SMA_DEFAULTS = {"fast_period": 20, "slow_period": 50, "position_size": 1.0}
MEGABYTE = "x" * 1_000_000


def check(strategy_id: Any, parameters: Any) -> StrategyReport:
    return check_config(REGISTRY, {"strategy_id": strategy_id, "parameters": parameters})


def suggested(strategy_id: Any, parameters: Any) -> dict[str, Any]:
    suggestion = check(strategy_id, parameters).suggestion
    assert suggestion is not None
    return suggestion["parameters"]


def paths(report: StrategyReport) -> list[str]:
    return [problem.path for problem in report.problems]


def test_a_valid_configuration_is_reported_with_its_warmup_and_all_parameters() -> None:
    report = check("rsi", {"oversold": 25, "position_size": 0.95})

    assert report == StrategyReport(
        valid=True,
        strategy_id="rsi",
        warmup=14,
        unstable=250,
        effective={"period": 14, "oversold": 25.0, "overbought": 70.0, "position_size": 0.95},
    )


def test_every_problem_is_reported_at_once_with_its_path() -> None:
    report = check_config(
        REGISTRY,
        {
            "strategy_id": "sma_crosover",
            "parameters": {"fast_period": "x", "slow_period": 0, "windw": 3, "position_size": 2},
            "capital": 1,
        },
    )

    assert paths(report) == [
        "strategy_id",
        "capital",
        "parameters.fast_period",
        "parameters.slow_period",
        "parameters.windw",
        "parameters.position_size",
        "parameters",
    ]
    assert "did you mean 'sma_crossover'?" in report.problems[0].message
    assert report.strategy_id is None
    assert report.warmup is report.unstable is report.effective is None


def test_a_rule_that_would_surface_after_the_fields_are_mended_is_reported_too() -> None:
    report = check("sma_crossover", {"fast_period": "60", "slow_period": 10.0})

    assert paths(report) == ["parameters.fast_period", "parameters.slow_period", "parameters"]
    assert report.problems[2].message.startswith("fast_period 60 must be below slow_period 10")


def test_a_broken_rule_is_reported_once() -> None:
    assert paths(check("sma_crossover", {"fast_period": 60, "slow_period": 10})) == ["parameters"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"fast_period": 60, "slow_period": 10}, {"fast_period": 10, "slow_period": 60}),
        ({"fast_period": 40, "slow_period": 40}, {"fast_period": 20, "slow_period": 40}),
        ({"fast_period": 5, "slow_period": 5}, {"fast_period": 5, "slow_period": 50}),
        ({"fast_period": "10", "slow_period": 30.0}, {"fast_period": 10, "slow_period": 30}),
        ({"fast_period": " 1e1 "}, {"fast_period": 10}),
        ({"slow_period": 1e308}, {"slow_period": 5000}),
        ({"slow_period": 10**400}, {"slow_period": 5000}),
        ({"fast_period": -(10**400)}, {"fast_period": 1}),
        ({"fast": 5, "slowPeriod": 9}, {"fast_period": 5, "slow_period": 9}),
        ({"fast_period": 7, "fastperiod": 8}, {"fast_period": 7}),
        ({"fast_period": True, "slow_period": None}, {}),
        ({"fast_period": float("nan"), "slow_period": float("inf")}, {}),
        ({"fast_period": [5], "slow_period": {"bars": 9}}, {}),
        ({"fast_period": "ten", "stop": 3}, {}),
        ({"fast_period": MEGABYTE, MEGABYTE: 1}, {}),
        ({"position_size": 0}, {}),
        ({"position_size": 95}, {}),
        ({"position_size": "0.5"}, {"position_size": 0.5}),
        ({"position-size": 0.5}, {"position_size": 0.5}),
    ],
)
def test_the_suggestion_keeps_what_can_be_kept(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert suggested("sma_crossover", given) == {**SMA_DEFAULTS, **expected}


def test_only_the_fields_of_a_broken_rule_are_changed() -> None:
    expected = {"fast": 12, "slow": 26, "signal": 5, "position_size": 0.5}

    assert suggested("macd", {"fast": 26, "slow": 26, "signal": 5, "position_size": 0.5}) == expected


class Fussy(BuyAndHold):
    """Wants a sum of exactly three, and does not say which fields it means."""

    title: ClassVar[str] = "Fussy"
    left: int = Field(default=1, description="One part")
    right: int = Field(default=2, description="The other part")

    @model_validator(mode="after")
    def _sums_to_three(self) -> Self:
        if self.left + self.right != 3:
            raise ValueError("the sum must be 3")
        return self


def test_defaults_are_suggested_where_nothing_nearer_keeps_the_rules() -> None:
    report = check_config(StrategyRegistry([Fussy]), {"strategy_id": Fussy.id(), "parameters": {"left": 7, "right": 8}})

    assert report.suggestion is not None
    assert report.suggestion["parameters"] == {"left": 1, "right": 2, "position_size": 1.0}


@pytest.mark.parametrize(
    ("asked", "suggested_id"),
    [
        ("SMA Crossover", "sma_crossover"),
        ("sma", "sma_crossover"),
        ("rsi_strategy", "rsi"),
        ("MACD", "macd"),
        ("buy & hold", "buy_and_hold"),
    ],
)
def test_the_suggestion_names_the_nearest_strategy(asked: str, suggested_id: str) -> None:
    suggestion = check(asked, {}).suggestion

    assert suggestion is not None
    assert suggestion["strategy_id"] == suggested_id


@pytest.mark.parametrize("asked", ["", "x", "../../etc/passwd", "1' OR '1'='1", MEGABYTE, None, 5, True, ["rsi"], {}])
def test_an_id_near_no_strategy_lists_the_known_ones_and_suggests_none(asked: Any) -> None:
    report = check(asked, {"position_size": 7, "period": "x"})

    assert paths(report) == ["strategy_id", "parameters.position_size"]
    assert report.problems[0].message.endswith(f"known: {KNOWN}")
    assert report.suggestion is None


def test_missing_keys_are_required() -> None:
    report = check_config(REGISTRY, {})

    assert [str(problem) for problem in report.problems] == [
        f"strategy_id: is required; known: {KNOWN}",
        "parameters: is required",
    ]


def test_misspelt_top_level_keys_are_understood() -> None:
    report = check_config(REGISTRY, {"strategy": "rsi", "params": {"period": 7}})

    assert report.suggestion is not None
    assert report.suggestion["strategy_id"] == "rsi"
    assert report.suggestion["parameters"]["period"] == 7
    assert "did you mean 'parameters'?" in " ".join(map(str, report.problems))


@pytest.mark.parametrize("parameters", [None, [], "fast=3", 7, True, [["fast_period", 3]]])
def test_parameters_that_are_no_object_are_refused_and_replaced_by_defaults(parameters: Any) -> None:
    report = check("sma_crossover", parameters)

    assert paths(report) == ["parameters"]
    assert report.strategy_id == "sma_crossover"
    assert report.suggestion == {"strategy_id": "sma_crossover", "parameters": SMA_DEFAULTS}


@pytest.mark.parametrize(
    "parameters",
    [{"period": 0, "levels": 3}, {"oversold": 80}, {"period": "x", "oversold": float("nan"), "overbought": 101}],
)
def test_the_problems_begin_with_those_a_run_would_report(parameters: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        REGISTRY.configure("rsi", parameters)[0]

    problems = check("rsi", parameters).problems

    assert problems[: len(caught.value.problems)] == caught.value.problems


@pytest.mark.parametrize("strategy_id", ["rsi", "nothing like it"])
def test_long_input_is_never_echoed(strategy_id: str) -> None:
    junk = {MEGABYTE: MEGABYTE, "period": MEGABYTE, "oversold": [MEGABYTE], "position_size": MEGABYTE}

    report = check_config(REGISTRY, {"strategy_id": strategy_id, "parameters": junk, MEGABYTE: MEGABYTE})

    assert max(len(str(problem)) for problem in report.problems) < 300


def test_a_thousand_unknown_fields_give_a_bounded_report() -> None:
    junk = {f"field{number}": number for number in range(1000)}

    report = check_config(REGISTRY, {"strategy_id": "rsi", "parameters": junk, **junk})

    assert not report.valid
    assert len(report.problems) <= 201


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([10**400, "20", "0.5", 20.0, 1e308, "nan", "'; DROP TABLE runs; --"]),
)
junk = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
names = st.sampled_from([name for each in STRATEGIES for name in each.model_fields] + ["position_size", "fast_perod"])
parameter_sets = st.dictionaries(names | st.text(max_size=8), junk | st.integers(-10, 100) | st.floats(-1, 101))
configs = st.fixed_dictionaries(
    {},
    optional={"strategy_id": st.sampled_from(REGISTRY.ids()) | junk, "parameters": parameter_sets | junk, "id": junk},
)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(config=configs)
@example(config={"strategy_id": "rsi", "parameters": {"oversold": 100, "overbought": 100}})
@example(config={"strategy_id": "macd", "parameters": {"slow": 1}})
def test_any_json_is_survived_and_every_suggestion_is_valid(config: dict[str, Any]) -> None:
    report = check_config(REGISTRY, config)

    assert report.valid == (not report.problems)
    assert all(problem.message for problem in report.problems)
    if report.valid:
        assert check(report.strategy_id, report.effective) == report
    elif report.suggestion is not None:
        json.dumps(report.suggestion, allow_nan=False)
        assert check_config(REGISTRY, report.suggestion).valid
