"""What a result says of its own making, counted again by other means."""

import json
import platform
import struct
from hashlib import sha256
from importlib.metadata import version
from itertools import chain

import numpy as np

from backtesting import CONTRACT_VERSION, VERSION
from backtesting.provenance import config_hash, data_hash
from backtesting.types import Bars, Costs
from tests.fixtures.in_memory import Desk, between, day
from tests.fixtures.series import p_bars, sample_bars

RATES = Costs(commission=0.001, slippage=0.0005)


def hash_of_rows(bars: Bars, adjustment: str) -> str:
    """Pack each bar by itself, as P2 says."""
    rows = (struct.pack("<q5d", int(bar[0]), *map(float, bar[1:])) for bar in zip(bars.time, *bars.ohlcv, strict=True))
    return sha256(b"".join(rows) + adjustment.encode("ascii")).hexdigest()


def test_p2_the_data_hash_is_of_each_bars_time_and_prices_and_of_the_adjustment() -> None:
    bars = sample_bars("aapl")

    assert data_hash(bars, "raw") == hash_of_rows(bars, "raw")
    assert data_hash(bars, "adjusted") == hash_of_rows(bars, "adjusted")
    assert data_hash(bars, "raw") != data_hash(bars, "adjusted")


def test_p2_the_data_hash_of_one_bar_is_this_one() -> None:
    # 1577836800000000000 ns, which is 2020-01-01; then 1, 2, 1, 2 and the volume 1000.
    time, one, two, thousand = "00008ab9359ae515", "000000000000f03f", "0000000000000040", "0000000000408f40"
    row = bytes.fromhex(time + one + two + one + two + thousand)

    assert data_hash(between([1], [2]), "raw") == sha256(row + b"raw").hexdigest()


def test_p2_a_run_hashes_the_adjusted_bars_it_used_history_included() -> None:
    desk = Desk(sample_bars("ibm"))

    run = desk.run("sma_crossover", start_date="2005-01-03", end_date="2005-12-30")

    assert run.summary is not None
    told = run.summary.provenance
    whole = sample_bars("ibm").adjusted()
    start, after = (np.datetime64(each, "ns").astype(np.int64) for each in ("2005-01-03", "2005-12-31"))
    first, last = np.searchsorted(whole.time, [start, after])
    # SMA 20/50 waits 49 bars; the bar before the period decides, and a crossing looks at the one before that.
    assert told["history_bars"] == 49 + 2
    assert told["bars"] == 252
    assert told["data_hash"] == hash_of_rows(whole[first - 51 : last], "adjusted")


def test_p2_the_config_hash_is_of_canonical_json_with_every_default() -> None:
    desk = Desk(p_bars())
    canonical = (
        '{"adjustment":"raw","asset_symbol":"TEST","benchmark":null,"close_at_end":false,"costs":{"borrow":null,'
        '"commission":0.001,"fixed":0.0,"half_spread":0.0,"min_fee":0.0,"participation":0.0,"per_unit":0.0,"slippage":0.0005,'
        '"slippage_atr":null},"delay_bars":1,"direction":"long","end_date":"2020-04-29","fees":null,'
        '"fill":"next_open","history_bars":null,"initial_capital":100000.0,"intrabar":"pessimistic",'
        '"limit_touch":false,"lot_size":0.0,"max_holding":null,"max_leverage":1.0,"min_notional":0.0,'
        '"parameters":{"fast_period":20,"position_size":1.0,"slow_period":50},"periods_per_year":null,'
        '"risk_free":0.0,"seed":0,"sizing":null,"slippage":null,"start_date":"2020-01-01","stop_base":"fill",'
        '"stop_loss":null,"strategy_id":"sma_crossover","take_profit":null,"timeframe":"1d","trade_from":null,'
        '"trailing_stop":null}'
    )

    run = desk.run("sma_crossover", costs=RATES)

    assert run.summary is not None
    assert run.summary.provenance["config_hash"] == sha256(canonical.encode()).hexdigest()
    assert config_hash(run.request) == sha256(canonical.encode()).hexdigest()


def test_p2_what_is_left_out_and_what_is_said_hash_alike_once_they_mean_the_same() -> None:
    desk = Desk(p_bars())

    left_out = desk.run("sma_crossover")
    said = desk.run(
        "sma_crossover",
        asset_symbol="test",
        parameters={"slow_period": 50, "position_size": 1, "fast_period": 20},
        costs="us_equity",
        adjustment="raw",
        fill="next_open",
    )

    assert config_hash(left_out.request) == config_hash(said.request)


def test_p1_a_result_carries_all_that_made_it() -> None:
    desk = Desk(p_bars())

    run = desk.run("scripted", start_date=day(10), end_date=day(100), costs=RATES, fill="next_close", seed=7)

    assert run.summary is not None
    told = dict(run.summary.provenance)
    assert told.pop("data_hash") == hash_of_rows(p_bars()[8:101], "raw")
    assert told.pop("config_hash") == config_hash(run.request)
    assert told == {
        "contract_version": "1.0",
        "bars": 91,
        "history_bars": 2,
        "base_bar": "2020-01-10T00:00:00+00:00",
        "first_bar": "2020-01-11T00:00:00+00:00",
        "last_bar": "2020-04-10T00:00:00+00:00",
        "resampled_from": None,
        "first_tradable_bar": "2020-01-11T00:00:00+00:00",
        "periods_per_year": 252.0,
        "engine": "vectorbt-rust",
        "bankrupt": None,
        "sessions": 91,
        "fill": "next_close",
        "adjustment": "raw",
        "costs": {"commission": 0.001, "slippage": 0.0005, "borrow": 0.01},
        "seed": 7,
        "market": {"asset_class": "equity", "exchange": None},
        "versions": {
            "backtesting-mcp": VERSION,
            "contract": CONTRACT_VERSION,
            "engine": "vectorbt-rust",
            "vectorbt": version("vectorbt"),
            "vectorbt-rust": version("vectorbt-rust"),
            "numpy": version("numpy"),
            "python": platform.python_version(),
        },
    }


def test_c4_costs_are_told_in_rates_even_where_a_preset_was_meant() -> None:
    run = Desk(p_bars()).run()

    assert run.request.costs == "us_equity"
    assert run.summary is not None
    assert run.summary.provenance["costs"] == {"commission": 0.0001, "slippage": 0.0002, "borrow": 0.01}


def test_n1_what_is_told_is_strict_json() -> None:
    run = Desk(p_bars()).run("scripted")

    assert run.summary is not None
    told = [run.summary.metrics, run.summary.undefined, run.summary.counters, run.summary.provenance]
    assert json.loads(json.dumps(told, allow_nan=False)) == [dict(each) for each in told]


def test_p3_the_same_request_gives_the_same_bits() -> None:
    desk = Desk(sample_bars("msft"))

    first, second = (desk.result("macd", parameters={"position_size": 0.7}, costs=RATES) for _ in range(2))

    assert list(map(str, chain(*first.summary.metrics.items()))) == list(
        map(str, chain(*second.summary.metrics.items()))
    )
    assert list(first.trades) == list(second.trades)
    assert first.equity.value.tobytes() == second.equity.value.tobytes()
    assert first.summary.provenance == second.summary.provenance
