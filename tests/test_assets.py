"""What a symbol's spelling says, and its other spellings."""

import pytest

from backtesting.assets import aliases, canonical, describe
from backtesting.types import AssetClass


@pytest.mark.parametrize(
    ("symbol", "asset_class", "exchange", "currency"),
    [
        ("BTCUSDT", "crypto", None, "USDT"),
        ("BTC-USD", "crypto", None, "USD"),
        ("btc/usdt", "crypto", None, "USDT"),
        ("ETH-EUR", "crypto", None, "EUR"),
        ("ETHBTC", "crypto", None, "BTC"),
        ("XBTUSD", "crypto", None, "USD"),
        ("PEPEUSDT", "crypto", None, "USDT"),
        ("BTC/USDT:USDT", "crypto", None, "USDT"),
        ("BTCUSDT.P", "crypto", None, "USDT"),
        ("BTC", "crypto", None, "USD"),
        ("EURUSD", "fx", None, "USD"),
        ("EUR/JPY", "fx", None, "JPY"),
        ("EUR-USD", "fx", None, "USD"),
        ("EURUSD=X", "fx", None, "USD"),
        ("JPY=X", "fx", None, "JPY"),
        ("XAUUSD", "fx", None, "USD"),
        ("^GSPC", "index", "XNYS", "USD"),
        ("^N225", "index", "XTKS", "JPY"),
        ("^NEVERHEARD", "index", None, "USD"),
        ("ES=F", "future", "CMES", "USD"),
        ("ESZ2024", "future", "CMES", "USD"),
        ("KC=F", "future", None, "USD"),
        ("AAPL", "equity", "XNYS", "USD"),
        ("BRK.B", "equity", "XNYS", "USD"),
        ("BRK-B", "equity", "XNYS", "USD"),
        ("VOD.L", "equity", "XLON", "GBP"),
        ("7203.T", "equity", "XTKS", "JPY"),
        ("SAP.DE", "equity", "XETR", "EUR"),
        ("RELIANCE.NS", "equity", "XNSE", "INR"),
        ("SPY", "etf", "ARCX", "USD"),
        ("QQQ", "etf", "XNAS", "USD"),
        ("prices_2020", "unknown", None, "USD"),
        ("7203", "unknown", None, "USD"),
        ("", "unknown", None, "USD"),
    ],
)
def test_the_form_of_a_symbol_tells_class_exchange_and_currency(
    symbol: str, asset_class: str, exchange: str | None, currency: str
) -> None:
    guess = describe(symbol)

    assert guess.asset.asset_class == asset_class
    assert (guess.asset.exchange, guess.asset.currency) == (exchange, currency)
    assert guess.asset.symbol == symbol.upper()
    assert all(guess.reasons)


def test_every_conclusion_has_its_reason() -> None:
    assert describe("AAPL").reasons == ("AAPL reads like a US share; New York is assumed",)
    assert describe("VOD.L").reasons == (".L marks XLON, which quotes in GBP, mostly in pence",)
    assert describe("x?").reasons == ("'X?' has no form we know: US dollars are assumed",)


def test_a_stated_exchange_decides_what_the_form_leaves_open() -> None:
    stated = describe("AAPL", exchange="NASDAQ")

    assert stated.asset.exchange == "XNAS"
    assert stated.reasons[-1] == "XNAS is stated as the exchange, which quotes in USD"
    assert describe("NASDAQ:AAPL").asset.exchange == "XNAS"
    assert describe("SPY", exchange="arcx").asset.asset_class is AssetClass.ETF


def test_a_share_may_be_called_like_a_coin() -> None:
    guess = describe("BTC", exchange="XNYS")

    assert guess.asset.asset_class is AssetClass.EQUITY
    assert guess.reasons == ("XNYS is stated as the exchange, which quotes in USD",)


def test_a_venue_of_coins_trades_coins() -> None:
    assert describe("BINANCE:SOLUSDT").asset.asset_class is AssetClass.CRYPTO
    assert describe("WIF", exchange="Kraken").asset.asset_class is AssetClass.CRYPTO


def test_an_exchange_nobody_knows_is_kept_as_stated() -> None:
    guess = describe("AAPL", exchange="moon")

    assert guess.asset.exchange == "MOON"
    assert "unknown" in guess.reasons[-1]


def test_spellings_of_one_pair_are_the_same_and_other_dollars_are_near() -> None:
    spellings = aliases("BTC/USDT")

    assert {"BTCUSDT", "BTC-USDT", "XBTUSDT"} <= set(spellings.same)
    assert {"BTC", "BTC-USD", "BTCUSD", "BTC/USDC"} <= set(spellings.near)
    assert "BTC/USDT" not in spellings.same
    assert not set(spellings.same) & set(spellings.near)


def test_a_coin_alone_is_near_to_its_pairs() -> None:
    spellings = aliases("btc")

    assert spellings.same == ("XBT",)
    assert {"BTC-USD", "BTCUSDT", "BTC/USDT"} <= set(spellings.near)


def test_a_pair_in_euros_is_near_to_no_pair_in_dollars() -> None:
    assert aliases("ETH-EUR").near == ("ETH",)


def test_a_perpetual_is_near_to_the_pair_and_not_the_same() -> None:
    spellings = aliases("BTCUSDT.P")

    assert spellings.same == ()
    assert "BTCUSDT" in spellings.near


@pytest.mark.parametrize(
    ("symbol", "same"),
    [
        ("EURUSD=X", ("EURUSD", "EUR-USD", "EUR/USD", "EUR_USD")),
        ("EUR/USD", ("EURUSD", "EUR-USD", "EUR_USD", "EURUSD=X")),
        ("BRK.B", ("BRK-B",)),
        ("AAPL", ()),
    ],
)
def test_currencies_and_share_classes_have_spellings_too(symbol: str, same: tuple[str, ...]) -> None:
    spellings = aliases(symbol)

    assert (spellings.same, spellings.near) == (same, ())


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC-USD", "EURUSD=X", "BRK-B", "ETHBTC"])
def test_being_the_same_is_mutual(symbol: str) -> None:
    assert all(symbol in aliases(other).same for other in aliases(symbol).same)


def test_symbols_are_compared_in_upper_case_without_blanks() -> None:
    assert canonical("  btc/usdt ") == "BTC/USDT"
