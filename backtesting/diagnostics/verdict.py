"""Should the result be believed? One plain sentence from the figures and the diagnostics."""

from backtesting.types import Summary, Weight


def verdict(summary: Summary) -> str | None:
    """Return the answer, None where the run was not reviewed; it calls no loss good, and never advises to trade."""
    if summary.diagnostics is None:
        return None
    codes = {diagnostic.code for diagnostic in summary.diagnostics}
    weights = [diagnostic.weight for diagnostic in summary.diagnostics]
    made, held = (summary.metrics[key] or 0.0 for key in ("total_return", "benchmark_return"))
    other = summary.provenance.get("benchmark")
    held_what = f"buy and hold of {other}" if other else "buy and hold"
    if "never_traded" in codes:
        return "There is nothing to believe: it never traded."
    if Weight.FATAL in weights and "bankrupt" not in codes:
        return f"No: the {made:.2%} it shows could not have been made as told here."
    if made <= 0:
        kept = "It lost everything" if "bankrupt" in codes else "It made no money"
        return f"{kept}: {made:.2%} after costs, where {held_what} made {held:.2%}."
    if serious := weights.count(Weight.SERIOUS):
        doubts = "one serious doubt stands" if serious == 1 else f"{serious} serious doubts stand"
        return f"Not yet: {_beside(made, held, held_what)}, {'but' if made > held else 'and'} {doubts} against it."
    return (
        f"Nothing serious speaks against it: {_beside(made, held, held_what)}. "
        "That is the past, and only what was tried here is counted."
    )


def _beside(made: float, held: float, held_what: str) -> str:
    """Set the return beside that of holding; what holds all the time is set beside itself."""
    if f"{made:.2%}" == f"{held:.2%}":
        return f"it made {made:.2%}, just what {held_what} made"
    return f"it made {made:.2%} where {held_what} made {held:.2%}"
