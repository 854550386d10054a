"""Whether the winner of a search is distinguishable from luck, in numbers and in a sentence.

A Sharpe ratio alone would take the rise of a market for skill: on random walks that drift upwards most winners would
pass. So what is tested is the appraisal ratio, the Sharpe ratio of what is left after hedging the asset itself:
alpha / deviation of the residual (Treynor and Black 1973). Train and holdout each give a probability that it is above
what luck shows:

1. train: PSR(SR0 / sqrt(1 - r^2)), where SR0 is the luckiest Sharpe ratio of all trials of the ledger, as for the
   deflated one; sets of a correlation r with the asset share its luck, and appraisal ratios lie so much wider apart;
2. holdout: PSR(0), for there one set was chosen beforehand.

Both have to be above one half, and (z1 + z2) / sqrt(2) above the 95 % quantile (Stouffer 1949).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from backtesting.metrics.significance import probabilistic_sharpe
from backtesting.metrics.undefined import ROUNDING
from backtesting.overfitting import deflated_sharpe, luckiest_sharpe
from backtesting.types import Summary, Trial, TrialCount

NORMAL = NormalDist()
SURE, EVEN = 0.95, 0.5
CERTAIN = 1e-12  # how near to 0 or 1 a probability may be


@dataclass(frozen=True, slots=True)
class Luck:
    """The verdict and its evidence.

    `deflated` is the deflated Sharpe ratio on the train period, `luckiest` the annual Sharpe ratio that the best of
    the `trials` would show without any skill, `chances` what train and holdout say, `combined` both together.
    """

    is_distinguishable: bool
    sentence: str
    deflated: float | None
    trials: int
    luckiest: float
    chances: tuple[float | None, ...]
    combined: float | None


def judge(train: Summary, holdout: Summary | str | None, trial: Trial, count: TrialCount) -> Luck:
    """Judge the winner by its train and holdout runs; `holdout` is the reason where it has none, None without one."""
    year = train.provenance["periods_per_year"]
    chances = [_chance(train, luckiest_sharpe(count) / (_unexplained(train) or 1.0))]
    if holdout is not None:
        chances.append(None if isinstance(holdout, str) else _chance(holdout, 0.0))
    combined = _combined(chances)
    is_distinguishable = combined is not None and combined >= SURE and min(filter(None, chances)) > EVEN
    return Luck(
        is_distinguishable=is_distinguishable,
        sentence=f"{_verdict(is_distinguishable)} {_evidence(chances, combined, count)}",
        deflated=_deflated(trial, count),
        trials=count.counted,
        luckiest=luckiest_sharpe(count) * sqrt(year),
        chances=tuple(chances),
        combined=combined,
    )


def appraisal(summary: Summary) -> float | None:
    """Return the appraisal ratio per session: alpha over the deviation of what the benchmark does not explain.

    None where nothing is left to appraise, as of buy and hold itself.
    """
    told, year = summary.metrics, summary.provenance["periods_per_year"]
    alpha, volatility, unexplained = told["alpha"], told["annual_volatility"], _unexplained(summary)
    if alpha is None or volatility is None or unexplained is None:
        return None
    deviation = volatility * unexplained / sqrt(year)
    return ((1.0 + alpha) ** (1.0 / year) - 1.0) / deviation if deviation > ROUNDING else None


def _unexplained(summary: Summary) -> float | None:
    """Return the share of the deviation that the asset does not explain, sqrt(1 - r^2)."""
    correlation = summary.metrics["correlation"]
    return None if correlation is None else sqrt(max(1.0 - correlation * correlation, 0.0))


def _chance(summary: Summary, luckiest: float) -> float | None:
    """Return the probability that the appraisal ratio is above what luck shows."""
    ratio, skewness, excess = appraisal(summary), summary.metrics["skewness"], summary.metrics["kurtosis_excess"]
    if ratio is None or skewness is None or excess is None:
        return None
    found = probabilistic_sharpe(ratio, summary.provenance["sessions"], skewness, excess + 3.0, luckiest)
    return found if isinstance(found, float) else None


def _combined(chances: Sequence[float | None]) -> float | None:
    """Return the probability of independent ones together (Stouffer 1949)."""
    known = [NORMAL.inv_cdf(min(max(each, CERTAIN), 1.0 - CERTAIN)) for each in chances if each is not None]
    return NORMAL.cdf(sum(known) / sqrt(len(known))) if len(known) == len(chances) else None


def _deflated(trial: Trial, count: TrialCount) -> float | None:
    if trial.sharpe is None or trial.skewness is None or trial.kurtosis is None:
        return None
    found = deflated_sharpe(trial.sharpe, trial.sessions, trial.skewness, trial.kurtosis, count)
    return found if isinstance(found, float) else None


def _verdict(distinguishable: object) -> str:
    return f"The winner is {'' if distinguishable else 'not '}distinguishable from luck."


def _evidence(chances: Sequence[float | None], combined: float | None, count: TrialCount) -> str:
    tried = f"{count.counted:,} configurations were tried on this market"
    if combined is None:
        return f"{tried}, and it differs too little from holding the asset, or trades too little on holdout, to tell."
    names = ("train", "holdout")[: len(chances)]
    told = ", ".join(f"{each:.2f} on {name}" for each, name in zip(chances, names, strict=True))
    together = f", {combined:.2f} together" if len(chances) > 1 else ", and no holdout was kept to confirm it"
    bounds = f"{SURE} together and none below {EVEN}" if len(chances) > 1 else f"{SURE}"
    return (
        f"{tried}; allowing for them, the chance that it adds something to holding the asset is {told}{together} "
        f"(asked for: {bounds})."
    )
