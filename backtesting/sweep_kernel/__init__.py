"""Our own compiled kernel for sweeps: signals, fills and statistics of one parameter set in one pass, no arrays by bar.

`sums` adds up as NumPy does, `account` is vectorbt's arithmetic of plain orders, `scan` finds the next signal, `loop`
goes through the sets. Importing this package costs what importing numba costs.
"""

from backtesting.sweep_kernel.layout import RAW, Course, Ground, Terms, rooms
from backtesting.sweep_kernel.loop import machine_code

__all__ = ["RAW", "Course", "Ground", "Terms", "machine_code", "rooms"]
