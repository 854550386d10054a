"""Where bars come from: the visible list of the sample files that ship with the program."""

from pathlib import Path

from backtesting.data_sources.csv_file import CsvFile
from backtesting.types import Asset, AssetClass

_FOLDER = Path(__file__).parent / "sample"

SAMPLES: tuple[CsvFile, ...] = (
    CsvFile(_FOLDER / "ibm_daily.csv", Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")),
    CsvFile(_FOLDER / "aapl_daily.csv", Asset("AAPL", "Apple", AssetClass.EQUITY, "USD", "XNAS")),
    CsvFile(_FOLDER / "msft_daily.csv", Asset("MSFT", "Microsoft", AssetClass.EQUITY, "USD", "XNAS")),
)
