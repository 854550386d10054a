"""Where bars come from: the visible list of the sample files that ship with the program."""

from dataclasses import dataclass
from pathlib import Path

from backtesting.types import Asset, AssetClass

_FOLDER = Path(__file__).parent / "sample"


@dataclass(frozen=True, slots=True)
class Sample:
    """A price file whose asset is known."""

    path: Path
    asset: Asset


SAMPLES: tuple[Sample, ...] = (
    Sample(_FOLDER / "ibm_daily.csv", Asset("IBM", "IBM", AssetClass.EQUITY, "USD", "XNYS")),
    Sample(_FOLDER / "aapl_daily.csv", Asset("AAPL", "Apple", AssetClass.EQUITY, "USD", "XNAS")),
    Sample(_FOLDER / "msft_daily.csv", Asset("MSFT", "Microsoft", AssetClass.EQUITY, "USD", "XNAS")),
)
