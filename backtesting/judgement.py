"""A run in the light of everything that was tried on its market.

It is worked out when the run is read, not when it is stored: trials made later count as well, for whoever picks the
best of a hundred runs owes the hundred to the first of them too. What competes is every distinct configuration on the
same symbol and timeframe whose period overlaps. The data hash alone would be too narrow: the bars used include the
warm-up, so that two parameter sets on one period seldom share it.
"""

from collections.abc import Mapping
from dataclasses import replace

from backtesting.diagnostics import ranked
from backtesting.metrics import METRICS, Undefined
from backtesting.overfitting import deflated_sharpe
from backtesting.ports import TrialLedger
from backtesting.types import Diagnostic, MetricValue, Run, Summary, Trial, TrialCount, Weight

TRIALS_COUNTED, DEFLATED_SHARPE = "trials_counted", "dsr"
# unit and definition, as of a metric
JUDGED: Mapping[str, tuple[str, str]] = {
    DEFLATED_SHARPE: (
        "fraction",
        "Probability that the true Sharpe ratio is above what luck alone shows (Bailey and Lopez de Prado 2014)",
    ),
    TRIALS_COUNTED: ("count", "Configurations tried on this symbol and timeframe in an overlapping period"),
}
# unit and definition of all that is told of a run
MEANINGS: Mapping[str, tuple[str, str]] = {
    **{metric.key: (metric.unit, metric.definition) for metric in METRICS},
    **JUDGED,
}


SURE = 0.95


def judged(run: Run, ledger: TrialLedger) -> Run:
    """Return the run with `trials_counted`, the N to judge it by, and `dsr` among its metrics; unchanged if failed.

    Where luck among those trials explains a gain, its diagnostics say so.
    """
    trial = Trial.of(run)
    if trial is None or run.summary is None:
        return run
    return replace(run, summary=_with_judgement(run.summary, trial, ledger.count(trial)))


def _with_judgement(summary: Summary, trial: Trial, count: TrialCount) -> Summary:
    metrics, undefined = dict(summary.metrics), dict(summary.undefined)
    metrics[TRIALS_COUNTED] = count.counted
    deflated = _deflated(trial, count)
    if isinstance(deflated, float):
        metrics[DEFLATED_SHARPE] = deflated
    else:
        metrics[DEFLATED_SHARPE] = None
        undefined[DEFLATED_SHARPE] = undefined.get("psr", deflated.value)
    doubted = _doubted(summary.diagnostics, metrics)
    return replace(summary, metrics=metrics, undefined=undefined, diagnostics=doubted)


def _doubted(
    diagnostics: tuple[Diagnostic, ...] | None, metrics: Mapping[str, MetricValue]
) -> tuple[Diagnostic, ...] | None:
    """Put in what luck alone would do, among at most as many diagnostics as ever, the gravest first."""
    tried, deflated = metrics[TRIALS_COUNTED] or 0, metrics[DEFLATED_SHARPE]
    if diagnostics is None or tried < 2 or deflated is None or deflated >= SURE:  # noqa: PLR2004 - one is no choice
        return diagnostics
    if (metrics["total_return"] or 0.0) <= 0:
        return diagnostics
    luck = Diagnostic(
        code="luck",
        weight=Weight.SERIOUS,
        issue=f"the best of {tried} tries on this market may look like this by luck alone "
        f"(deflated Sharpe {deflated:.2f}, {SURE} would be sure)",
        advice="test it unchanged on a period or a symbol that none of the tries has seen",
    )
    return ranked([luck, *diagnostics])


def _deflated(trial: Trial, count: TrialCount) -> float | Undefined:
    if trial.sharpe is None or trial.skewness is None or trial.kurtosis is None:
        return Undefined.NOT_COMPUTED
    return deflated_sharpe(trial.sharpe, trial.sessions, trial.skewness, trial.kurtosis, count)
