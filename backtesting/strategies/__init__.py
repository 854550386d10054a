"""The strategies on offer, in the order they are listed: one module each, one line here."""

from backtesting.strategies.adx_trend import AdxTrend
from backtesting.strategies.bollinger_breakout import BollingerBreakout
from backtesting.strategies.bollinger_reversion import BollingerReversion
from backtesting.strategies.buy_and_hold import BuyAndHold
from backtesting.strategies.donchian_breakout import DonchianBreakout
from backtesting.strategies.ema_crossover import EmaCrossover
from backtesting.strategies.keltner import KeltnerBreakout
from backtesting.strategies.macd import MacdCrossover
from backtesting.strategies.momentum import Momentum
from backtesting.strategies.rsi import RsiReversal
from backtesting.strategies.sma_crossover import SmaCrossover
from backtesting.strategies.stochastic import StochasticReversal
from backtesting.strategies.supertrend import SupertrendReversal
from backtesting.strategy import Strategy

STRATEGIES: tuple[type[Strategy], ...] = (
    SmaCrossover,
    EmaCrossover,
    RsiReversal,
    MacdCrossover,
    StochasticReversal,
    BollingerReversion,
    BollingerBreakout,
    KeltnerBreakout,
    DonchianBreakout,
    SupertrendReversal,
    AdxTrend,
    Momentum,
    BuyAndHold,
)
