import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import talib
from pydantic import Field, ValidationError

import backtesting.strategies
from backtesting.errors import InvalidInputError, UnknownNameError
from backtesting.strategies import STRATEGIES
from backtesting.strategy import (
    LARGEST_WINDOW,
    SearchRange,
    Strategy,
    StrategyRegistry,
    StrategyType,
    parameter_problems,
    split_position_size,
)
from backtesting.types import Bars, Signals
from tests.fixtures.series import SAMPLE_SYMBOLS, bars_of, p_bars, p_close, sample_bars

REGISTRY = StrategyRegistry(STRATEGIES)
OTHER_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "sma_crossover": {"fast_period": 1, "slow_period": 7},
    "rsi": {"period": 5, "oversold": 40, "overbought": 60.5},
    "macd": {"fast": 3, "slow": 7, "signal": 1},
    "ema_crossover": {"fast_period": 1, "slow_period": 7},
    "stochastic": {"k_period": 5, "k_smoothing": 1, "d_period": 4, "oversold": 30, "overbought": 60},
    "bollinger_reversion": {"period": 5, "deviations": 1},
    "bollinger_breakout": {"period": 7, "deviations": 0.5},
    "keltner": {"period": 9, "atr_period": 5, "multiplier": 1},
    "donchian_breakout": {"entry_period": 5, "exit_period": 8},
    "supertrend": {"period": 1, "multiplier": 1.5},
    "adx_trend": {"period": 2, "threshold": 10},
    "momentum": {"lookback": 10, "skip": 0},
}

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=REGISTRY.ids())
every_variant = pytest.mark.parametrize(
    "strategy",
    [
        *(strategy() for strategy in STRATEGIES),
        *(REGISTRY.configure(strategy_id, parameters)[0] for strategy_id, parameters in OTHER_PARAMETERS.items()),
    ],
    ids=repr,
)


def positions(signals: Signals) -> tuple[list[int], list[int]]:
    """Return the bars that decide entries when flat and exits when not; a decision at the last bar is never filled."""
    entered: list[int] = []
    left: list[int] = []
    for bar in range(len(signals.entries) - 1):
        holding = len(entered) > len(left)
        if signals.exits[bar] and holding:
            left.append(bar)
        elif signals.entries[bar] and not signals.exits[bar] and not holding:
            entered.append(bar)
    return entered, left


def differing_cuts(strategy: Strategy, bars: Bars) -> list[int]:
    """Return the bars k at which the run on bars up to k differs in any bit from the whole run."""
    whole = strategy.signals(bars)
    early = range(strategy.warmup + 3)
    late = np.linspace(strategy.warmup + 3, len(bars) - 1, 45).astype(int).tolist()
    return [cut for cut in (*early, *late) if bits(strategy.signals(bars[: cut + 1])) != bits(whole, cut + 1)]


def bits(signals: Signals, length: int | None = None) -> dict[str, bytes]:
    columns = {"entries": signals.entries, "exits": signals.exits, **signals.indicators}
    columns |= {"short_entries": signals.short_entries, "short_exits": signals.short_exits}
    return {name: column[:length].tobytes() for name, column in columns.items() if column is not None}


@every_variant
def test_later_bars_change_no_bit_of_earlier_signals_and_indicators(strategy: Strategy) -> None:
    assert differing_cuts(strategy, sample_bars("ibm").adjusted()) == []
    assert differing_cuts(strategy, p_bars()) == []


class Peeking(Strategy):
    """Fills its warm-up with the first average to come."""

    title: ClassVar[str] = "Peeking"
    strategy_type: ClassVar[StrategyType] = "momentum"

    @property
    def warmup(self) -> int:
        return 4

    def signals(self, bars: Bars) -> Signals:
        average = talib.SMA(bars.close, 5) if len(bars) > 1 else np.full(len(bars), np.nan)
        if np.isfinite(average).any():
            average[:4] = average[4]
        return Signals(bars.close > average, bars.close < average, {"average": average})


def test_the_look_ahead_check_catches_a_back_fill_inside_the_warm_up() -> None:
    assert differing_cuts(Peeking(), p_bars()) == [0, 1, 2, 3]


@every_variant
@pytest.mark.parametrize("symbol", SAMPLE_SYMBOLS)
def test_the_declared_warmup_ends_where_every_indicator_is_defined(strategy: Strategy, symbol: str) -> None:
    bars = sample_bars(symbol).adjusted()
    defined = np.ones(len(bars), dtype=np.bool_)

    for values in strategy.signals(bars).indicators.values():
        defined &= np.isfinite(values)

    assert np.argmax(defined) == strategy.warmup
    assert np.all(defined[strategy.warmup :])


@every_variant
def test_signals_and_indicators_have_the_length_of_the_bars(strategy: Strategy) -> None:
    for length in (0, 1, 2, 119):
        signals = strategy.signals(p_bars()[:length])

        assert signals.entries.dtype == signals.exits.dtype == np.bool_
        assert {len(column) for column in (signals.entries, signals.exits)} == {length}
        for short in (signals.short_entries, signals.short_exits):
            assert short is None or (len(short) == length and short.dtype == np.bool_)
        assert {values.dtype for values in signals.indicators.values()} <= {np.dtype(np.float64)}
        assert {len(values) for values in signals.indicators.values()} <= {length}


@every_strategy
def test_indicators_have_forgotten_their_seed_after_the_unstable_bars(strategy: type[Strategy]) -> None:
    default, bars = strategy(), sample_bars("ibm").adjusted()
    settled = default.warmup + default.unstable

    early, late = (default.signals(part).indicators for part in (bars, bars[1000:]))

    for name, values in late.items():
        np.testing.assert_allclose(values[settled:], early[name][1000 + settled :], rtol=1e-6, atol=1e-6)


@every_strategy
def test_no_strategy_decides_on_a_price_that_never_moves_except_to_hold(strategy: type[Strategy]) -> None:
    signals = strategy().signals(bars_of(np.full(400, 100.1)))

    assert not signals.exits.any()
    assert not any(short.any() for short in (signals.short_entries, signals.short_exits) if short is not None)
    assert signals.entries.all() == signals.entries.any() == (strategy.strategy_type == "benchmark")


def test_the_sma_crossover_decides_one_bar_before_the_fills_of_the_golden_run() -> None:
    strategy = REGISTRY.configure("sma_crossover", {"fast_period": 5, "slow_period": 20})[0]

    entered, left = positions(strategy.signals(p_bars()))

    assert entered == [31, 63, 94]
    assert left == [47, 79, 110]


@pytest.mark.parametrize(("strategy_id", "closed"), [("sma_crossover", 36), ("rsi", 12), ("macd", 121)])
def test_decisions_on_the_ibm_sample_make_the_trades_vectorbt_counted(strategy_id: str, closed: int) -> None:
    strategy = REGISTRY.configure(strategy_id, {})[0]

    _, left = positions(strategy.signals(sample_bars("ibm").adjusted()))

    assert len(left) == closed


def test_the_sma_crossover_holds_one_position_at_the_end_of_the_ibm_sample() -> None:
    entered, left = positions(REGISTRY.configure("sma_crossover", {})[0].signals(sample_bars("ibm").adjusted()))

    assert len(entered) - len(left) == 1


def test_the_rsi_strategy_enters_below_oversold_and_leaves_above_overbought() -> None:
    close = p_close()
    strength = talib.RSI(close, 5)

    signals = REGISTRY.configure("rsi", {"period": 5})[0].signals(bars_of(close))

    assert signals.entries.any()
    assert signals.exits.any()
    assert (strength[signals.entries] < 30).all()
    assert (strength[np.flatnonzero(signals.entries) - 1] >= 30).all()
    assert (strength[signals.exits] > 70).all()
    assert (strength[np.flatnonzero(signals.exits) - 1] <= 70).all()


def test_the_macd_strategy_enters_where_the_histogram_turns_positive() -> None:
    close = p_close()
    histogram = talib.MACD(close, 12, 26, 9)[2]

    signals = REGISTRY.configure("macd", {})[0].signals(bars_of(close))

    turned = (histogram[1:] > 0) & (histogram[:-1] < 0)
    assert np.flatnonzero(signals.entries).tolist() == (np.flatnonzero(turned) + 1).tolist()


def test_buy_and_hold_asks_to_enter_at_every_close_and_never_to_leave() -> None:
    signals = REGISTRY.configure("buy_and_hold", {})[0].signals(p_bars())

    assert signals.entries.all()
    assert not signals.exits.any()


@pytest.mark.parametrize(
    ("strategy_id", "warmup", "unstable"),
    [
        ("sma_crossover", 49, 0),
        ("ema_crossover", 25, 250),
        ("rsi", 14, 250),
        ("macd", 33, 250),
        ("stochastic", 17, 0),
        ("bollinger_reversion", 19, 0),
        ("bollinger_breakout", 19, 0),
        ("keltner", 19, 250),
        ("donchian_breakout", 20, 0),
        ("supertrend", 10, 250),
        ("adx_trend", 27, 250),
        ("momentum", 252, 0),
        ("buy_and_hold", 0, 0),
    ],
)
def test_default_warmups_are_those_of_the_contract(strategy_id: str, warmup: int, unstable: int) -> None:
    strategy = REGISTRY.configure(strategy_id, {})[0]

    assert (strategy.warmup, strategy.unstable) == (warmup, unstable)


@every_strategy
def test_defaults_are_valid(strategy: type[Strategy]) -> None:
    assert REGISTRY.configure(strategy.id(), strategy.default_parameters())[0] == strategy()


@every_strategy
def test_every_strategy_says_what_it_is(strategy: type[Strategy]) -> None:
    assert strategy.description().endswith(".")
    assert strategy.description() != Strategy.description()
    assert strategy.title
    assert strategy.strategy_type in {"trend_following", "mean_reversion", "momentum", "benchmark"}


def test_the_ids_are_the_modules_of_the_package() -> None:
    modules = {path.stem for path in Path(backtesting.strategies.__path__[0]).glob("*.py")} - {"__init__"}

    assert set(REGISTRY.ids()) == modules


@every_strategy
def test_the_schema_holds_every_default_and_description_and_no_made_up_titles(strategy: type[Strategy]) -> None:
    schema = strategy.parameters_schema()

    assert '"title"' not in json.dumps(schema)
    assert set(schema) == {"type", "properties", "additionalProperties"}
    assert {name: each["default"] for name, each in schema["properties"].items()} == strategy.default_parameters()
    assert all(each["description"] for each in schema["properties"].values())


@every_strategy
def test_integer_parameters_are_bounded(strategy: type[Strategy]) -> None:
    properties = strategy.parameters_schema()["properties"].values()

    assert all(
        each["minimum"] >= 0 and each["maximum"] <= LARGEST_WINDOW for each in properties if each["type"] == "integer"
    )


@every_strategy
def test_every_parameter_has_a_search_range_within_its_bounds(strategy: type[Strategy]) -> None:
    properties = strategy.parameters_schema()["properties"]

    assert strategy.search.keys() == properties.keys()
    for name, searched in strategy.search.items():
        assert properties[name]["minimum"] <= searched.low < searched.high <= properties[name]["maximum"]
        assert {type(value) for value in searched.values} == {type(properties[name]["default"])}


@every_strategy
def test_corners_of_the_search_make_a_strategy_unless_a_rule_between_parameters_is_broken(
    strategy: type[Strategy],
) -> None:
    ends = [[(name, end) for end in (searched.low, searched.high)] for name, searched in strategy.search.items()]

    refused = [parameter_problems(strategy, dict(corner)) for corner in product(*ends)]

    assert [] in refused
    assert {problem.path for problems in refused for problem in problems} <= {"parameters"}


def test_a_search_range_holds_both_ends_and_every_step_between() -> None:
    assert SearchRange(5, 20, 5).values == (5, 10, 15, 20)
    assert SearchRange(1.0, 1.5, 0.25).values == (1.0, 1.25, 1.5)
    assert SearchRange(0.1, 0.4, 0.1).values == pytest.approx((0.1, 0.2, 0.3, 0.4))


@pytest.mark.parametrize("ends", [(5, 20, 4), (5, 20, 0), (5, 20, -5), (20, 5, 5), (5, 5, 1), (0, float("nan"), 1)])
def test_a_search_range_that_misses_its_end_is_refused(ends: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="whole steps above low"):
        SearchRange(*ends)


def test_a_search_for_a_parameter_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="search names windw, which is no parameter"):

        class Misspelt(Peeking):
            search: ClassVar[Mapping[str, SearchRange]] = {"windw": SearchRange(1, 2, 1)}
            window: int = Field(default=1, description="Bars")


@pytest.mark.parametrize(
    ("strategy_id", "parameters", "words"),
    [
        ("sma_crossover", {"fast_period": 50}, "fast_period 50 must be below slow_period 50: lower"),
        ("rsi", {"oversold": 80}, "oversold 80.0 must be below overbought 70.0: lower"),
        ("macd", {"fast": 30, "slow": 20}, "fast 30 must be below slow 20: lower"),
        ("ema_crossover", {"fast_period": 26}, "fast_period 26 must be below slow_period 26: lower"),
        ("stochastic", {"overbought": 10}, "oversold 20.0 must be below overbought 10.0: lower"),
        ("momentum", {"skip": 252}, "skip 252 must be below lookback 252: lower"),
    ],
)
def test_a_broken_rule_names_both_fields_both_values_and_the_remedy(
    strategy_id: str, parameters: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=f"parameters: {words}"):
        REGISTRY.configure(strategy_id, parameters)[0]


def test_create_reports_every_wrong_parameter_with_its_path() -> None:
    with pytest.raises(InvalidInputError) as caught:
        REGISTRY.configure("sma_crossover", {"fast_perod": 5, "fast_period": 0, "slow_period": "x"})[0]

    assert {problem.path for problem in caught.value.problems} == {
        "parameters.fast_perod",
        "parameters.fast_period",
        "parameters.slow_period",
    }
    assert "did you mean 'fast_period'?" in str(caught.value)


def test_a_misspelt_position_size_is_recognised() -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'position_size'"):
        REGISTRY.configure("buy_and_hold", {"positon_size": 0.5})[0]


def test_an_unknown_id_offers_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'sma_crossover'") as caught:
        REGISTRY.configure("sma_crosover", {})[0]

    assert caught.value.field == "strategy_id"


def test_the_registry_keeps_the_order_listed() -> None:
    assert list(REGISTRY) == list(STRATEGIES)
    assert REGISTRY.ids()[:3] == ("sma_crossover", "ema_crossover", "rsi")


def test_two_strategies_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="share an id"):
        StrategyRegistry([STRATEGIES[0], STRATEGIES[0]])


def test_a_created_strategy_never_changes() -> None:
    strategy = REGISTRY.configure("sma_crossover", {})[0]

    with pytest.raises(ValidationError, match="frozen"):
        strategy.fast_period = 3  # type: ignore[attr-defined]


def test_a_strategy_may_not_have_a_position_size_of_its_own() -> None:
    with pytest.raises(TypeError, match="position_size belongs to the request"):

        class Greedy(Peeking):
            position_size: float = Field(default=1.0, description="Mine")


@pytest.mark.parametrize("field", [Field(default=1), Field(description="Bars")], ids=["undescribed", "no default"])
def test_a_parameter_needs_a_default_and_a_description(field: Any) -> None:
    with pytest.raises(TypeError, match="window needs a default and a description"):

        class Vague(Peeking):
            window: int = field


def test_position_size_is_1_unless_given_and_is_taken_out_of_the_parameters() -> None:
    given = {"fast_period": 3, "position_size": 0.25}

    assert split_position_size({"fast_period": 3}) == (1.0, {"fast_period": 3})
    assert split_position_size(given) == (0.25, {"fast_period": 3})
    assert given == {"fast_period": 3, "position_size": 0.25}


@pytest.mark.parametrize("size", [0, -0.5, 1.01, float("nan"), float("inf"), 10**400, "0.5", True, None, [0.5]])
def test_a_position_size_outside_0_to_1_is_refused(size: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        split_position_size({"position_size": size})

    assert caught.value.field == "parameters.position_size"
