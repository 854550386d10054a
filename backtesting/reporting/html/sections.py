"""What a report says in words and tables: the verdict first, then trades, metrics and where it all comes from."""

from collections.abc import Mapping, Sequence

from backtesting.diagnostics.verdict import verdict as believed
from backtesting.judgement import MEANINGS
from backtesting.reporting.completed_run import CompletedRun
from backtesting.reporting.html.markup import NOTHING, Markup, element, items, joined, section, table
from backtesting.reporting.text import sentence, terms, untold, value
from backtesting.types import Diagnostic, Trade

MOST_TRADES = 1200  # of all runs together, so that the page stays below half a megabyte
BESIDE = (
    ("total return", "total_return", "benchmark_return"),
    ("Sharpe ratio", "sharpe_ratio", "benchmark_sharpe"),
    ("max drawdown", "max_drawdown", "benchmark_max_drawdown"),
)
SUMMED_UP = (
    "total_return",
    "annual_return",
    "sharpe_ratio",
    "max_drawdown",
    "total_trades",
    "win_rate",
    "cost_drag",
    "psr",
    "benchmark_return",
)
EXCURSIONS = "MAE and MFE: how far the price went against and for the trade while it was held, from its entry price."
TERMS = ("strategy_id", "asset_symbol", "timeframe", "start_date", "end_date", "initial_capital", "fill", "costs",
         "adjustment", "risk_free", "seed")  # fmt: skip
COLUMNS = ("#", "direction", "entry (UTC)", "entry price", "exit (UTC)", "exit price", "quantity", "fees", "profit",
           "profit %", "MAE %", "MFE %", "exit by")  # fmt: skip


def verdict(runs: Sequence[CompletedRun]) -> Markup:
    """Return whether to believe the runs and what speaks against it, then how they did beside buy and hold."""
    if len(runs) > 1:
        return section("verdict", "In short", _side_by_side(runs), *(_doubts(run, run.run.id) for run in runs))
    (run,) = runs
    return section("verdict", "In short", _doubts(run), _beside(run), element("p", _context(run)))


def _context(run: CompletedRun) -> str:
    """Return what the table beside buy and hold has no room for."""
    said = []
    if run.summary.metrics["exposure_matched_return"] is not None:
        said.append(f"Buy and hold with the same time in the market: {_told(run, 'exposure_matched_return')}.")
    if run.summary.metrics["psr"] is None:
        said.append("No probability can be given that the true Sharpe ratio is above 0.")
    else:
        chance = _told(run, "psr")
        said.append(
            f"The probability that the true Sharpe ratio is above 0 is {chance}, before counting what else was tried."
        )
    if run.summary.metrics.get("dsr") is not None:
        tried = run.summary.metrics["trials_counted"]
        said.append(
            f"That it is above what luck alone shows, with {tried} tried on this market, has {_told(run, 'dsr')}."
        )
    return " ".join(said)


def trades(runs: Sequence[CompletedRun]) -> Markup:
    """Return every trade, oldest first; of very many the first, and how many are left out."""
    share = MOST_TRADES // len(runs)
    meant = element("p", EXCURSIONS, class_="about") if any(run.trades for run in runs) else NOTHING
    return section("trades", "Trades", meant, *(_trades(run, share, titled=len(runs) > 1) for run in runs))


def metrics(runs: Sequence[CompletedRun]) -> Markup:
    """Return every metric with its unit and its definition."""
    columns = ["metric", *(run.run.id if len(runs) > 1 else "value" for run in runs), "unit", "definition"]
    rows = [[key, *(_told(run, key) for run in runs), *meaning] for key, meaning in MEANINGS.items()]
    return section("metrics", "Metrics", table(columns, rows, "numbers single" if len(runs) == 1 else "numbers"))


def provenance(runs: Sequence[CompletedRun]) -> Markup:
    """Return what was asked for, which bars it was measured on, what happened to orders, and what computed it."""
    facts = [_facts(run) for run in runs]
    names = dict.fromkeys(name for each in facts for name in each)
    columns = ["", *(run.run.id for run in runs)]
    rows = [[name, *(each.get(name, "") for each in facts)] for name in names]
    return section("provenance", "Data and provenance", table(columns, rows))


def _beside(run: CompletedRun) -> Markup:
    rows = [[label, _told(run, own), _told(run, held)] for label, own, held in BESIDE]
    return table(["", "strategy", "buy and hold"], rows, "numbers")


def _side_by_side(runs: Sequence[CompletedRun]) -> Markup:
    rows = [["believe it?", *(believed(run.summary) or "not reviewed" for run in runs)]]
    rows += [["strategy", *(run.name for run in runs)], ["period", *(run.period for run in runs)]]
    rows += [[key.replace("_", " "), *(_told(run, key) for run in runs)] for key in SUMMED_UP]
    rows += [["warnings", *(str(len(run.summary.flags)) for run in runs)]]
    return _differences(runs) + table(["", *(run.run.id for run in runs)], rows, "numbers")


def _differences(runs: Sequence[CompletedRun]) -> Markup:
    """Name the terms in which the runs differ besides strategy and parameters: they make figures hard to compare."""
    requests = [run.run.request.model_dump(mode="json") for run in runs]
    differing = [name for name in TERMS[1:] if any(each[name] != requests[0][name] for each in requests)]
    if not differing:
        return element("p", "All were run over the same period of the same symbol, on the same terms.")
    named = ", ".join(name.replace("_", " ") for name in differing)
    return element("p", f"These runs differ in {named}: compare their figures with care.", class_="doubt")


def _doubts(run: CompletedRun, of: str = "") -> Markup:
    """Return the verdict, the reviewer's points, and then the warnings that none of them tells."""
    heading = element("h3", "Believe it?" + (f" {of}" if of else ""))
    answer = element("p", believed(run.summary) or "Nobody has reviewed this run.", class_="verdict")
    points = [_point(each) for each in run.summary.diagnostics or ()]
    notes = [element("b", flag.code) + Markup(": ") + element("span", flag.message) for flag in untold(run.summary)]
    known = element("h3", "Know this") + items(notes) if notes else NOTHING
    return element("div", heading, answer, items(points) if points else NOTHING, known, class_="doubt")


def _point(point: Diagnostic) -> Markup:
    said = f"{point.issue}. {sentence(point.advice)}"
    return element("b", f"{point.weight}, {point.code}") + Markup(": ") + element("span", said)


def _trades(run: CompletedRun, most: int, *, titled: bool) -> Markup:
    heading = element("h3", f"{run.run.id}: {run.name}") if titled else NOTHING
    if not run.trades:
        return heading + element("p", "No trades.")
    left_out = len(run.trades) - most
    more = f"The first {most:,} of {len(run.trades):,} trades; an export as CSV holds them all." if left_out > 0 else ""
    stamp = "%Y-%m-%d" if run.is_daily else "%Y-%m-%d %H:%M"
    shown = table(COLUMNS, (_cells(trade, stamp) for trade in run.trades[:most]), "numbers sortable")
    return joined([heading, element("p", more) if more else NOTHING, shown])


def _cells(trade: Trade, stamp: str) -> list[str]:
    return [
        str(trade.number),
        trade.direction,
        trade.entry_date.strftime(stamp),
        f"{trade.entry_price:,.4f}",
        trade.exit_date.strftime(stamp) if trade.exit_date else "open",
        "" if trade.exit_price is None else f"{trade.exit_price:,.4f}",
        f"{trade.quantity:,.4f}",
        f"{trade.fees:,.2f}",
        f"{trade.pnl:,.2f}",
        f"{trade.pnl_percent:.2f}",
        _percent(trade.mae),
        _percent(trade.mfe),
        trade.exit_reason or "",
    ]


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f}"


def _told(run: CompletedRun, key: str) -> str:
    return value(key, run.summary.metrics.get(key), run.summary.undefined.get(key, "not_computed"))


def _facts(run: CompletedRun) -> Mapping[str, str]:
    request, known = run.run.request.model_dump(mode="json"), dict(run.summary.provenance)
    versions = known.pop("versions", {})
    asset = f"{run.asset.name}, {run.asset.asset_class}, {run.asset.currency}, {run.asset.exchange or 'no exchange'}"
    facts = {"run at": f"{run.run.created_at:%Y-%m-%d %H:%M:%S} UTC", "terms": terms(run.run), "asset": asset}
    facts |= {name.replace("_", " "): _plain(request[name]) for name in TERMS}
    facts |= {f"parameter {name}": _plain(each) for name, each in request["parameters"].items()}
    facts |= {name.replace("_", " "): _plain(each) for name, each in known.items() if name not in request}
    facts |= {f"count of {name.replace('_', ' ')}": str(each) for name, each in run.summary.counters.items()}
    return facts | {f"version of {name}": str(each) for name, each in versions.items()}


def _plain(fact: object) -> str:
    """Return a fact in words: what is not there is none, a list its entries, a mapping its pairs."""
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in fact.items()) or "none"
    if isinstance(fact, (list, tuple)):
        return ", ".join(map(_plain, fact)) or "none"
    return "none" if fact is None else str(fact)
