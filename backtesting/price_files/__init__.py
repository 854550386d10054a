"""Any price file a user has: recognised, explained, and read into rows without a guess left unsaid."""

from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.hints import Hints
from backtesting.price_files.price_file import PriceFile, price_files, skipped_in

__all__ = ["Hints", "PriceFile", "UnreadableFileError", "price_files", "skipped_in"]
