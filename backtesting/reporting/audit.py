"""What looking back at a run came to, in plain text: a replay compared, a trade explained."""

from collections.abc import Iterator

from backtesting.reporting.text import trade_lines, value
from backtesting.types import Change, Decision, Explanation, FillDetail, MetricChange, Verification

TOLD_CHANGES, TOLD_METRICS = 12, 12
LONGEST = 160
COLUMNS = ("open", "high", "low", "close")
NO_CAUSE = "nothing it is made of is known to have changed: another processor, or a defect"
REASONS = {
    "stop": "the price reached the stop",
    "trailing": "the price reached the trailing stop",
    "target": "the price reached the target",
    "max_holding": "max_holding was over",
    "margin_call": "the close before left less equity than the maintenance margin",
    "end_of_data": "the period ended, and close_at_end was asked for",
}


def verification_lines(found: Verification) -> list[str]:
    """Return whether a replay gave the stored outcome, and what changed."""
    causes = [_told(each) for each in found.causes]
    if found.identical:
        beside = f", although this changed: {_several(causes)}" if causes else ""
        return [f"{found.run_id} identical: its replay gives the stored outcome, bit for bit{beside}"]
    return [
        f"{found.run_id} differs from its replay",
        *(f"- changed: {each}" for each in causes[:TOLD_CHANGES] or [NO_CAUSE]),
        *(f"- {_told(each)}" for each in found.effects[:TOLD_CHANGES]),
        *_metric_lines(found.metrics),
    ]


def explanation_lines(found: Explanation) -> list[str]:
    """Return why a trade was made, how each side was filled, and what ended it."""
    trade = found.trade
    lines = [f"{found.run_id}, trade {trade_lines([trade])[0]}", *([f"rule: {found.rule}"] if found.rule else [])]
    if found.changes:
        alone = "" if found.entry else ", so this is told from the stored trade alone"
        lines.append(f"changed since{alone}: {_several([_told(each) for each in found.changes])}")
    if found.entry_decision:
        lines += _decided("entry", found.entry_decision)
    lines += _filled("entry", found.entry)
    if found.exit_decision:
        lines += _decided("exit", found.exit_decision)
    elif trade.exit_reason:
        lines.append(f"exit: {REASONS.get(trade.exit_reason, trade.exit_reason)}")
    lines += _filled("exit", found.exit)
    if found.levels:
        when = "in that bar" if trade.exit_date else "for the next bar"
        lines.append(f"levels {when}: {', '.join(f'{name} {level:.6g}' for name, level in found.levels.items())}")
    return [*lines, _outcome(found)]


def _decided(side: str, decision: Decision) -> Iterator[str]:
    yield f"{side} decided at the close of {decision.date:%Y-%m-%d %H:%M}: {decision.condition}"
    moved = (f"{name} {_level(before)} -> {_level(at)}" for name, (before, at) in decision.indicators.items())
    yield f"  the bar before -> that bar: {', '.join(moved)}"


def _filled(side: str, fill: FillDetail | None) -> Iterator[str]:
    if fill:
        prices = " ".join(
            f"{name} {price:.6g}" for name, price in zip(("open", "high", "low", "close"), fill.bar, strict=True)
        )
        yield (
            f"{side} filled on {fill.date:%Y-%m-%d %H:%M} at {fill.price:.6g} (bar: {prices}); "
            f"fees {fill.fees:,.2f}, slippage {fill.slippage:,.2f}"
        )


def _outcome(found: Explanation) -> str:
    trade = found.trade
    held = "" if found.bars_held is None else f"held {found.bars_held} bars; "
    if trade.mae is None or trade.mfe is None:
        went = "how far the price went was not stored"
    else:
        went = f"the price went {trade.mae:.2%} against it and {trade.mfe:+.2%} for it at most"
    return f"{held}{went}; fees {trade.fees:,.2f}, slippage {trade.slippage or 0:,.2f}, borrow {trade.borrow or 0:,.2f}"


def _metric_lines(metrics: tuple[MetricChange, ...]) -> Iterator[str]:
    for each in metrics[:TOLD_METRICS]:
        by = "" if each.difference is None else f" ({each.difference:+.6g})"
        yield f"- {each.name}: {value(each.name, each.then)} -> {value(each.name, each.now)}{by}"
    if len(metrics) > TOLD_METRICS:
        yield f"- and {len(metrics) - TOLD_METRICS} more metrics"


def _told(change: Change) -> str:
    return f"{change.what}: {_short(change.then)} -> {_short(change.now)}"


def _several(told: list[str]) -> str:
    more = [f"and {len(told) - TOLD_CHANGES} more"] if len(told) > TOLD_CHANGES else []
    return "; ".join([*told[:TOLD_CHANGES], *more])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _level(number: float | None) -> str:
    return "undefined" if number is None else f"{number:.6g}"
