"""What is made of stored runs: pictures for a chat, pages for a browser, files for other programs."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from backtesting.data_loader import load_bars, require_period
from backtesting.errors import BacktestError
from backtesting.judgement import judged
from backtesting.ports import BarSource, RunRepository, TrialLedger
from backtesting.provenance import data_hash
from backtesting.reporting.charts import ChartKind, Theme, render
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.exports import files
from backtesting.reporting.html import chart_of, page
from backtesting.resampling import AnyTimeframe
from backtesting.types import Bars, Run

ExportFormat = Literal["html", "csv", "parquet", "json"]
MOST_RUNS = 6


class Reports:
    """The use case: ids of stored runs go in; what comes out shows what was measured then. Safe to share.

    `folder` is made when the first file is written, for this user alone.
    """

    def __init__(self, runs: RunRepository, bars: BarSource, trials: TrialLedger, folder: Path) -> None:
        self._runs = runs
        self._trials = trials
        self._bars = bars
        self._folder = folder

    def chart(self, run_id: str, kind: ChartKind, theme: Theme = "light") -> bytes:
        """Return a picture of a completed run, as PNG."""
        return render(kind, self.completed(run_id, with_bars=kind == "price"), theme)

    def curves(self, run_id: str) -> dict[str, Any]:
        """Return what the page for a chat needs to draw a completed run."""
        return chart_of(self.completed(run_id))

    def page(self, run_ids: Sequence[str]) -> str:
        """Return the report of one run, or the comparison of up to six, as one page of HTML that needs no network."""
        return page(self._all(run_ids))

    def export(self, run_ids: Sequence[str], wanted: ExportFormat) -> list[Path]:
        """Write the runs' files and return where they are; each appears whole or not at all."""
        runs = self._all(run_ids)
        if wanted == "html":
            contents: Mapping[str, bytes] = {_page_name(runs): page(runs).encode()}
        else:
            contents = {name: content for run in runs for name, content in files(run, wanted).items()}
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return [_write(self._folder / name, content) for name, content in contents.items()]
        except OSError as error:
            raise BacktestError(
                f"{self._folder} cannot be written: {error.strerror}; set BACKTEST_DATA_DIR to a directory of yours"
            ) from error

    def completed(self, run_id: str, *, with_bars: bool = False) -> CompletedRun:
        """Return a run with all that is kept of it; BacktestError when it has no result, or no longer its bars."""
        run = judged(self._runs.get(run_id), self._trials)
        summary = run.require_summary()
        return CompletedRun(
            run=run,
            summary=summary,
            trades=self._runs.trades(run_id, 0, summary.trades),
            equity=self._runs.equity(run_id),
            benchmark=self._runs.benchmark(run_id),
            asset=self._bars.asset(run.request.asset_symbol),
            bars=self._bars_of(run) if with_bars else None,
        )

    def _all(self, run_ids: Sequence[str]) -> list[CompletedRun]:
        wanted = list(dict.fromkeys(run_ids))
        if not 1 <= len(wanted) <= MOST_RUNS:
            raise BacktestError(f"backtest_ids: {len(wanted)} runs; name 1 to {MOST_RUNS}", field="backtest_ids")
        return [self.completed(run_id) for run_id in wanted]

    def _bars_of(self, run: Run) -> Bars:
        """Return the bars of the run's period; BacktestError when they are no longer those it was measured on."""
        provenance = run.require_summary().provenance
        source, asset = AnyTimeframe(self._bars), self._bars.asset(run.request.asset_symbol)
        period = require_period(source, asset, run.request)
        loaded = load_bars(source, run.request, period, provenance["history_bars"])
        if data_hash(loaded.bars, loaded.adjustment) != provenance["data_hash"]:
            raise BacktestError(
                f"the stored bars of {run.request.asset_symbol} have changed since {run.id}, so its fills would stand "
                "beside prices it never saw: run the backtest again, or choose another kind",
                field="kind",
            )
        return loaded.bars[loaded.history :]


def _page_name(runs: Sequence[CompletedRun]) -> str:
    return "-".join([runs[0].run.id, *(each.run.id.removeprefix("bt-") for each in runs[1:])]) + ".html"


def _write(path: Path, content: bytes) -> Path:
    """Write a file that nobody ever sees half of, readable by this user alone."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(draft).unlink()
        raise
    return path
