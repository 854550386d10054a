"""A run in plain text, for a terminal and for a chat: rounded, short, complete enough to stand alone."""

from collections.abc import Iterable, Sequence

from backtesting.diagnostics.verdict import verdict
from backtesting.judgement import MEANINGS
from backtesting.reporting.orders import extras, rates, size
from backtesting.types import Costs, Flag, MetricValue, Run, StrategyDescription, Summary, Trade

BESIDE_BENCHMARK = (
    ("total return", "total_return", "benchmark_return"),
    ("Sharpe ratio", "sharpe_ratio", "benchmark_sharpe"),
    ("max drawdown", "max_drawdown", "benchmark_max_drawdown"),
)
TRADING = """\
a year: return {annual_return}, volatility {annual_volatility}; Sortino {sortino_ratio}, Calmar {calmar_ratio}
trades: {total_trades} closed, {open_trades} open; won {win_rate}, profit factor {profit_factor}
average win {avg_win}, average loss {avg_loss}; in the market {exposure_time} of bars
costs: fees {fees_paid}, slippage {slippage_paid}, together {cost_drag} of return
Sharpe ratio between {sharpe_ci95_low} and {sharpe_ci95_high} with 95% confidence
probability that the true Sharpe ratio is above 0: {psr}, before counting what else was tried""".splitlines()
POSITION_SIZE = "Every strategy takes position_size too: the fraction of equity per entry, in (0, 1]."
LETTERS = (
    "(r: n session returns, b: those of buy and hold, rf: risk-free a session, p: periods a year, "
    "s: standard deviation with n - 1)"
)
JUDGEMENT = "probability that it is above what luck alone shows, with {trials_counted} tried on this market: {dsr}"
FILLS = {
    "next_open": "decided at a close, filled at the next open",
    "next_close": "decided at a close, filled at the next close",
    "same_close": "decided and filled at the same close",
}


def report(run: Run, most: int | None = None) -> str:
    """Return the whole run: what was tested, how it did beside buy and hold, and at last whether to believe it.

    `most` is how many of the reviewer's points are told in full; of more there are only the names.
    """
    if run.summary is None:
        return f"{headline(run)}\nReason: {run.error}" if run.error else headline(run)
    told = [*_comparison(run, run.summary), *_trading(run.summary), *_notes(run.summary), *_review(run.summary, most)]
    return "\n".join([headline(run), terms(run), "", *told])


def doubts(summary: Summary) -> list[str]:
    """Return whether to believe it, the reviewer's points, and then the flags that none of them tells."""
    return [line for line in (*_review(summary), *_notes(summary)) if line]


def untold(summary: Summary) -> list[Flag]:
    """Return the flags that no diagnostic tells."""
    told = {diagnostic.code for diagnostic in summary.diagnostics or ()}
    return [flag for flag in summary.flags if flag.code not in told]


def headline(run: Run) -> str:
    """Return the run's id, state, strategy, asset and period on one line."""
    request = run.request
    own = {name: value for name, value in request.parameters.items() if name != "position_size"}
    parameters = ", ".join(f"{name}={value}" for name, value in own.items())
    return (
        f"{run.id} {run.status}: {request.strategy_id}({parameters}) on {request.asset_symbol} "
        f"{request.timeframe}, {request.start_date} to {request.end_date}"
    )


def terms(run: Run) -> str:
    """Return how orders were sized, filled and charged, on which prices, and what idle cash earned (C4, C5)."""
    request = run.request
    charged = f"; {rates(Costs.model_validate(run.summary.provenance['costs']))}" if run.summary else ""
    protected = "".join(f"; {each}" for each in extras(request))
    return (
        f"{size(request)}, {FILLS[request.fill]}{protected}{charged}; {request.adjustment} prices; cash earns nothing"
    )


def value(key: str, number: MetricValue, reason: str = "undefined") -> str:
    """Return a metric rounded for reading (N4), or why there is none."""
    if number is None:
        return f"none ({reason})"
    unit, _ = MEANINGS[key]
    match unit:
        case "fraction":
            return f"{number:.2%}"
        case "money":
            return f"{number:,.2f}"
        case "count":
            return f"{number}"
        case "days" | "bars" | "sessions":
            return f"{number:,.1f} {unit}"
    return f"{number:.4f}"


def metric_lines(metrics: dict[str, MetricValue], undefined: dict[str, str]) -> str:
    """Return the metrics as a list of `name value` pairs, one a line, and at last those that have none, by reason."""
    lines = [f"{key} {value(key, number)}" for key, number in metrics.items() if number is not None]
    reasons = dict.fromkeys(undefined.values())
    return "\n".join(lines + [f"none ({each}): {_named(undefined, each)}" for each in reasons])


def definition_lines(names: Sequence[str]) -> str:
    """Return what each named metric is, one a line, and what the letters stand for."""
    return "\n".join([*(f"{name}, {': '.join(MEANINGS[name])}" for name in names), LETTERS])


def trade_lines(trades: Iterable[Trade]) -> list[str]:
    """Return one line a trade: days, prices, quantity, profit after costs."""
    return [_trade_line(trade) for trade in trades]


def strategy_lines(strategies: Iterable[StrategyDescription]) -> str:
    """Return each strategy on one line with its parameters' defaults."""
    lines = [f"{_rule(each)}{_defaults(each)}" for each in strategies]
    return "\n".join([*lines, POSITION_SIZE])


def parameter_lines(strategy: StrategyDescription) -> str:
    """Return the strategy and under it each parameter: default, range and meaning."""
    parameters = [
        f"  {name}={rule['default']} ({rule['minimum']} to {rule['maximum']}): {rule['description']}"
        for name, rule in strategy.parameters_schema["properties"].items()
    ]
    return "\n".join([_rule(strategy), *parameters, POSITION_SIZE])


def sentence(text: str) -> str:
    """Return the words as a sentence."""
    return f"{text[0].upper()}{text[1:]}."


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows with the first column left and the others right aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _comparison(run: Run, summary: Summary) -> list[str]:
    told = _told(summary)
    held = run.request.initial_capital * (1 + (summary.metrics["benchmark_return"] or 0.0))
    other = run.request.benchmark
    rows = [
        ("", "strategy", f"buy and hold {other}" if other else "buy and hold"),
        ("final capital", told["final_capital"], f"{held:,.2f}"),
    ]
    rows += [(label, told[own], told[benchmark]) for label, own, benchmark in BESIDE_BENCHMARK]
    of = f" {run.request.asset_symbol}" if other else ""
    return [*table(rows), f"buy and hold{of} with the same time in the market: {told['exposure_matched_return']}"]


def _trading(summary: Summary) -> list[str]:
    lines = [*TRADING, *([JUDGEMENT] if "dsr" in summary.metrics else [])]
    told = [line.format_map(_told(summary)) for line in lines]
    if summary.metrics.get("borrow_paid"):
        told.append(f"borrow paid: {_told(summary)['borrow_paid']}")
    return told


def _told(summary: Summary) -> dict[str, str]:
    """Return every metric as text."""
    return {key: value(key, number, summary.undefined.get(key, "")) for key, number in summary.metrics.items()}


def _notes(summary: Summary) -> list[str]:
    notes = [f"- {flag.code}: {flag.message}" for flag in untold(summary)]
    return ["", "Know this:", *notes] if notes else []


def _review(summary: Summary, most: int | None = None) -> list[str]:
    if (answer := verdict(summary)) is None:
        return []
    found = summary.diagnostics or ()
    points = [f"- {each.weight}, {each.code}: {each.issue}. {sentence(each.advice)}" for each in found[:most]]
    if left := [each.code for each in found[len(points) :]]:
        points.append(f"- and {', '.join(left)}: section='review' tells them")
    return ["", f"Believe it? {answer}", *points]


def _trade_line(trade: Trade) -> str:
    reason = "" if trade.exit_reason == "signal" else f" ({trade.exit_reason})"
    left = f"{trade.exit_date:%Y-%m-%d} at {trade.exit_price:.4f}{reason}" if trade.exit_date else "still open"
    return (
        f"#{trade.number} {trade.direction} {trade.quantity:.4f}: {trade.entry_date:%Y-%m-%d} at "
        f"{trade.entry_price:.4f} -> {left}; {trade.pnl:+,.2f} ({trade.pnl_percent:+.2f}%)"
    )


def _named(undefined: dict[str, str], reason: str) -> str:
    return ", ".join(name for name, given in undefined.items() if given == reason)


def _rule(strategy: StrategyDescription) -> str:
    return f"{strategy.id} ({strategy.strategy_type}): {strategy.description}"


def _defaults(strategy: StrategyDescription) -> str:
    told = ", ".join(f"{name}={value}" for name, value in strategy.default_parameters.items())
    return f" ({told})" if told else ""
