"""The strategies on offer, in the order they are listed: one module each, one line here."""

from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategies.macd import MacdCrossover
from backtesting.strategies.rsi import RsiReversal
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.strategy import Strategy

STRATEGIES: tuple[type[Strategy], ...] = (
    SmaCrossover,
    RsiReversal,
    MacdCrossover,
    BuyAndHold,
)
