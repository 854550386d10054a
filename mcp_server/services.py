"""What the tools and resources call."""

from dataclasses import dataclass

from backtesting.data_import import DataImporter
from backtesting.engine import BacktestEngine
from backtesting.ports import AssetCatalog, BarSource, RunRepository
from backtesting.reports import Reports
from mcp_server.data_folders import DataFolders


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and stores that tools call; what they need is opened by whoever hands them in."""

    engine: BacktestEngine
    runs: RunRepository
    bars: BarSource
    catalog: AssetCatalog
    importer: DataImporter
    folders: DataFolders
    reports: Reports
