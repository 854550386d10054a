"""The parts, made from the settings and wired together; importing what they need takes half a second."""

import sys
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from threading import RLock

from backtesting.asset_edit import AssetEditor
from backtesting.data_import import DataImporter
from backtesting.engine import BacktestEngine
from backtesting.fetching import Fetcher
from backtesting.file_import import FileOutcome, Watch, import_files
from backtesting.jobs import JOB_KINDS
from backtesting.provider_import import FetchOutcome, fetch_series
from backtesting.reports import Reports
from backtesting.running import Runner
from backtesting.strategy import StrategyRegistry
from backtesting.submission import Jobs
from backtesting.types import FetchRequest, ImportRequest
from backtesting.worker import Worker
from config.executors import local_executor, open_executor
from config.settings import PROJECT, Settings
from config.storage import add_samples, data_home, made, make_data_folders, make_stores
from database.stores import Stores
from mcp_server.services import Services
from utils.process import Companion

COMPANION = (sys.executable, str(PROJECT / "main.py"), "worker", "--until-eof")
REPORT_FOLDER, SCRATCH_FOLDER = "reports", "scratch"


class Application:
    """The use cases on one database, which is opened by the first call that needs it."""

    def __init__(self, settings: Settings, registry: StrategyRegistry) -> None:
        self.settings = settings
        self.registry = registry
        self.limits = settings.limits()
        self._stores = made(partial(make_stores, settings))
        self._guard = RLock()
        self._is_open = False
        self._companion = Companion(COMPANION, PROJECT)
        self._services: Services | None = None

    def services(self) -> Services:
        """Return what the tools call, on an open database; what an earlier session left unfinished is resumed."""
        stores = self.stores()
        with self._guard:
            if self._services is None:
                engine = self._engine
                jobs = Jobs(stores.jobs, JOB_KINDS, engine, self._companion.ensure, self.limits)
                self._services = Services(
                    engine=engine,
                    runs=stores.runs,
                    bars=stores.bars,
                    catalog=stores.catalog,
                    importer=DataImporter(stores.bars, stores.importing),
                    folders=make_data_folders(self.settings),
                    reports=Reports(stores.runs, stores.bars, stores.trials, data_home(self.settings) / REPORT_FOLDER),
                    trials=stores.trials,
                    runner=Runner(engine, partial(local_executor, self.limits, self.scratch), self.limits),
                    jobs=jobs,
                )
                jobs.resume()
            return self._services

    def worker(self) -> Worker:
        """Return what serves long work, on an open database."""
        opened = partial(open_executor, self.settings.executor_url, self.limits, self.scratch)
        stores = self.stores()
        return Worker(stores.jobs, JOB_KINDS, self._engine, opened, stores.trials)

    @property
    def scratch(self) -> Path:
        """Where tasks find what they share."""
        return data_home(self.settings) / SCRATCH_FOLDER

    @cached_property
    def _engine(self) -> BacktestEngine:
        return BacktestEngine(self.registry, self._stores.bars, self._stores.runs, limits=self.limits)

    def import_files(self, request: ImportRequest, watch: Watch) -> Iterator[FileOutcome]:
        """Import what lies at a path, file by file; `watch` is told how far it is."""
        stores = self.stores()
        return import_files(DataImporter(stores.bars, stores.importing), request, watch=watch)

    def asset_editor(self) -> AssetEditor:
        """Return what changes the descriptions of assets."""
        stores = self.stores()
        return AssetEditor(stores.bars, stores.catalog, stores.descriptions)

    def fetch(self, request: FetchRequest) -> Iterator[FetchOutcome]:
        """Fetch series from a provider, one after the other."""
        stores = self.stores()
        return fetch_series(Fetcher(stores.bars, DataImporter(stores.bars, stores.importing)), request)

    def stores(self, *, upgrade: bool = False) -> Stores:
        """Return the open stores; a database of our own, or one to upgrade, is brought up to date with the sample."""
        with self._guard:
            if upgrade or not self._is_open:
                self._stores.open([strategy.describe() for strategy in self.registry], upgrade=upgrade)
                if upgrade or self._stores.upgrades_itself:
                    add_samples(self._stores)
                self._is_open = True
        return self._stores

    def leave(self) -> None:
        """Let our worker end, and leave the embedded server, which the last to leave stops."""
        self._companion.leave()
        self._stores.leave()

    def close(self) -> None:
        """Let our worker end, close the connections and leave the embedded server."""
        self._companion.leave()
        if self._services:
            self._services.runner.close()
        self._stores.close()
