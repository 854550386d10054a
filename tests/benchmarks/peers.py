"""Other engines on the same bars and rules, each in an interpreter of its own: `python peers.py ENGINE FILE.npz`.

Runs once for every line it reads, and answers with the seconds that took. SMA 10/30 crossover, long only, filled at the
next open, 0.1 % commission; knows nothing of this project.
"""

import sys
import time
import warnings
from collections.abc import Callable
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


ENGINES = {"vectorbt": vectorbt_with_stats, "backtesting.py": backtesting_py, "backtrader": backtrader}


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
        begun = time.perf_counter()
        run()
        print(time.perf_counter() - begun, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
