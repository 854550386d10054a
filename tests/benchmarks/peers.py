"""Other engines on the same bars and rules, each in an interpreter of its own: `python peers.py ENGINE FILE.npz`.

Runs once for every line it reads, and answers with the processor's seconds that took. SMA 10/30 crossover, long only,
filled at the next open unless told otherwise, 0.1 % commission; knows nothing of this project.
"""

import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

FAST, SLOW, COMMISSION, CASH = 10, 30, 0.001, 100_000.0


def vectorbt_with_stats(frame: pd.DataFrame) -> Callable[[], object]:
    """Vectorbt's high level: signals, portfolio, statistics, readable trades."""
    import vectorbt as vbt  # noqa: PLC0415 - one engine a process

    every = frame.index[1] - frame.index[0]

    def run() -> object:
        fast, slow = vbt.MA.run(frame.Close, FAST), vbt.MA.run(frame.Close, SLOW)
        enter, leave = (cross(slow).vbt.fshift(1) for cross in (fast.ma_crossed_above, fast.ma_crossed_below))
        portfolio = vbt.Portfolio.from_signals(
            frame.Close, enter, leave, price=frame.Open, fees=COMMISSION, init_cash=CASH, freq=every
        )
        return portfolio.stats(), portfolio.trades.records_readable, portfolio.value()

    return run


def backtesting_py(frame: pd.DataFrame) -> Callable[[], object]:
    """backtesting.py with its statistics and trades."""
    from backtesting.lib import crossover  # noqa: PLC0415

    from backtesting import Backtest, Strategy  # noqa: PLC0415

    def mean(values: Any, window: int) -> Any:
        return pd.Series(values).rolling(window).mean()

    class Crossing(Strategy):  # type: ignore[misc] # the engine has no types
        def init(self) -> None:
            self.fast, self.slow = (self.I(mean, self.data.Close, window) for window in (FAST, SLOW))

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.buy()
            elif crossover(self.slow, self.fast):
                self.position.close()

    return lambda: Backtest(frame, Crossing, cash=CASH, commission=COMMISSION).run()


def backtrader(frame: pd.DataFrame) -> Callable[[], object]:
    """Backtrader with two of its analyzers."""
    import backtrader as bt  # noqa: PLC0415

    class Crossing(bt.Strategy):  # type: ignore[misc] # the engine has no types
        def __init__(self) -> None:
            self.cross = bt.ind.CrossOver(bt.ind.SMA(period=FAST), bt.ind.SMA(period=SLOW))

        def next(self) -> None:
            if self.cross > 0 and not self.position:
                self.order_target_percent(target=0.95)
            elif self.cross < 0 and self.position:
                self.close()

    def run() -> object:
        cerebro = bt.Cerebro()
        cerebro.addstrategy(Crossing)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(COMMISSION)
        for analyzer in (bt.analyzers.TradeAnalyzer, bt.analyzers.DrawDown):
            cerebro.addanalyzer(analyzer)
        return cerebro.run()

    return run


def nautilus_trader(frame: pd.DataFrame) -> Callable[[], object]:
    """NautilusTrader with its statistics and positions; it fills at the close that decided."""
    from nautilus_trader.backtest import engine as backtest  # noqa: PLC0415
    from nautilus_trader.config import LoggingConfig  # noqa: PLC0415
    from nautilus_trader.indicators import SimpleMovingAverage  # noqa: PLC0415
    from nautilus_trader.model import currencies, data, enums, identifiers, instruments, objects  # noqa: PLC0415
    from nautilus_trader.trading.strategy import Strategy  # noqa: PLC0415

    dollar, venue = currencies.USD, identifiers.Venue("SIM")
    symbol = identifiers.InstrumentId.from_str("WALK.SIM")
    tick, one = objects.Price.from_str("0.01"), objects.Quantity.from_int(1)
    fees = dict.fromkeys(("maker_fee", "taker_fee"), Decimal(str(COMMISSION)))
    stock = instruments.Equity(symbol, symbol.symbol, dollar, 2, tick, one, 0, 0, **fees)
    every = "1-DAY" if frame.index[1] - frame.index[0] >= pd.Timedelta(days=1) else "1-MINUTE"
    kind = data.BarType.from_str(f"{symbol}-{every}-LAST-EXTERNAL")
    stamps, rows = frame.index.as_unit("ns").asi8.tolist(), frame.to_numpy().tolist()
    bars = [
        data.Bar(kind, *map(stock.make_price, prices), objects.Quantity(volume, 0), at, at)
        for (*prices, volume), at in zip(rows, stamps, strict=True)
    ]

    class Crossing(Strategy):  # type: ignore[misc] # the engine has no types
        def on_start(self) -> None:
            self.fast, self.slow = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW)
            self.was_above = True
            for indicator in (self.fast, self.slow):
                self.register_indicator_for_bars(kind, indicator)
            self.subscribe_bars(kind)

        def on_bar(self, bar: Any) -> None:
            if not self.slow.initialized:
                return
            is_above = self.fast.value > self.slow.value
            if is_above and not self.was_above:
                free = 0.95 * float(self.portfolio.account(venue).balance_free(dollar))
                units = stock.make_qty(int(free / float(bar.close)))
                self.submit_order(self.order_factory.market(symbol, enums.OrderSide.BUY, units))
            elif self.was_above and not is_above:
                self.close_all_positions(symbol)
            self.was_above = is_above

    def run() -> object:
        engine = backtest.BacktestEngine(backtest.BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
        cash = [objects.Money(CASH, dollar)]
        engine.add_venue(venue, enums.OmsType.NETTING, enums.AccountType.CASH, cash, base_currency=dollar)
        engine.add_instrument(stock)
        engine.add_data(bars)
        engine.add_strategy(Crossing())
        engine.run()
        told = engine.get_result(), engine.trader.generate_positions_report()
        engine.dispose()
        return told

    return run


ENGINES = {
    "vectorbt": vectorbt_with_stats,
    "backtesting.py": backtesting_py,
    "backtrader": backtrader,
    "nautilus_trader": nautilus_trader,
}


def main(engine: str, path: str) -> None:
    """Run once unmeasured, say so, then once for every line."""
    warnings.simplefilter("ignore")
    columns = np.load(path)
    names = ("Open", "High", "Low", "Close", "Volume")
    frame = pd.DataFrame({name: columns[name.lower()] for name in names}, index=pd.to_datetime(columns["time"]))
    answers, sys.stdout = sys.stdout, sys.stderr  # some engines draw progress bars
    run = ENGINES[engine](frame)
    run()
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        begun = time.process_time()
        run()
        print(time.process_time() - begun, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
