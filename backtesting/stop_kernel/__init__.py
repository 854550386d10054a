"""Our own compiled kernel, for what vectorbt cannot express: stops, shorts with margin, lots, and other costs or sizes.

The only place that knows numba. `loop` holds the order of events of a bar, `stops` the orders that wait inside bars,
`account` the arithmetic of fills, `layout` what they work on. Importing this package costs what importing numba costs.
"""

from backtesting.stop_kernel.layout import RULES, TRADE, Market, Orders, files_of
from backtesting.stop_kernel.loop import Account, trade, warm

__all__ = ["RULES", "TRADE", "Account", "Market", "Orders", "files_of", "trade", "warm"]
