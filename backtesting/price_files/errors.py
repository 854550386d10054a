"""What a price file can have wrong with it."""

from backtesting.errors import BacktestError


class UnreadableFileError(BacktestError):
    """A price file cannot be read, or can be read in two ways."""

    code = "unreadable_file"
