"""The one gate through which bars come into the store: read, checked, stored whole or not at all."""

from collections.abc import Iterable

from backtesting.data_loader import check_bars
from backtesting.data_sources.csv_file import CsvFile
from backtesting.errors import BadBarsError
from backtesting.ports import BarStore


class DataImporter:
    """The use case: a source goes in, its bars are stored."""

    def __init__(self, store: BarStore) -> None:
        self._store = store

    def load(self, sources: Iterable[CsvFile]) -> int:
        """Check and store each source; return the number of bars. BadBarsError names the source that breaks T5."""
        return sum(self._load(source) for source in sources)

    def _load(self, source: CsvFile) -> int:
        bars = source.read()
        try:
            check_bars(bars)
        except BadBarsError as error:
            raise BadBarsError(f"{source.path.name}: {error}") from error
        return self._store.store(source.asset, source.timeframe, bars)
