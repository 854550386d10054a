"""What the tools and resources call."""

from dataclasses import dataclass

from backtesting.data_import import DataImporter
from backtesting.engine import BacktestEngine
from backtesting.errors import BacktestError, RunNotFoundError
from backtesting.judgement import judged
from backtesting.ports import AssetCatalog, BarSource, RunRepository, TrialLedger
from backtesting.reports import Reports
from backtesting.running import Runner
from backtesting.submission import Jobs
from backtesting.types import Job, Run
from mcp_server.data_folders import DataFolders

LEAVES_RUNS = ("batch", "walk_forward")


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
    trials: TrialLedger
    runner: Runner
    jobs: Jobs

    def find(self, backtest_id: str) -> Run | Job:
        """Return what is known by the id: a run, as it is to be judged now, or long work."""
        if begun := self.runner.find(backtest_id):
            return judged(begun, self.trials)
        try:
            return judged(self.runs.get(backtest_id), self.trials)
        except RunNotFoundError as unknown:
            try:
                return self.jobs.get(backtest_id)
            except RunNotFoundError:
                raise unknown from None

    def run(self, backtest_id: str) -> Run:
        """Return a stored run; RunNotFoundError when there is none of that id, or not yet."""
        found = self.find(backtest_id)
        if isinstance(found, Run):
            return found
        if found.result and "backtest_id" in found.result:
            return self.run(found.result["backtest_id"])
        more = f"list_backtests(tag='{found.id}') has its runs, " if found.kind in LEAVES_RUNS else ""
        raise BacktestError(
            f"backtest_id: {found.id} is a {found.kind} and {found.status}; {more}get_backtest_status tells more",
            field="backtest_id",
        )
