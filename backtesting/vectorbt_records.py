"""The types of vectorbt's records, without importing vectorbt where their layout is known.

Rust kernels that return records look the dtypes up in two modules of vectorbt at every call, and importing vectorbt for
that costs seconds and 300 MB. Where the installed kernels are the release whose layout is written down below, these two
modules are provided in its place; a test compares the layout with vectorbt's own. Others import the real vectorbt.
"""

import sys
from collections.abc import Mapping
from importlib.metadata import version
from types import ModuleType
from typing import Any

import numpy as np

KNOWN_LAYOUT = "1.2.0"
RECORD_FIELDS = {
    "vectorbt.portfolio.enums": {
        "order_dt": "id col idx size* price* fees* side",
        "trade_dt": "id col size* entry_idx entry_price* entry_fees* exit_idx exit_price* exit_fees*"
        " pnl* return* direction status parent_id",
        "log_dt": "id group col idx cash* position* debt* free_cash* val_price* value* req_size* req_price*"
        " req_size_type req_direction req_fees* req_fixed_fees* req_slippage* req_min_size* req_max_size*"
        " req_size_granularity* req_reject_prob* req_lock_cash! req_allow_partial! req_raise_reject! req_log!"
        " new_cash* new_position* new_debt* new_free_cash* new_val_price* new_value* res_size* res_price* res_fees*"
        " res_side res_status res_status_info order_id",
    },
    "vectorbt.generic.enums": {
        "drawdown_dt": "id col peak_idx start_idx valley_idx end_idx peak_val* valley_val* end_val* status",
        "range_dt": "id col start_idx end_idx status",
    },
}


class StandIn(ModuleType):
    """A module of vectorbt of which only the record dtypes are there."""

    def __getattr__(self, name: str) -> Any:
        """Say why the rest is missing, to whoever asks for it by name."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(f"{self.__name__}.{name} is not loaded in this process, which holds vectorbt's records alone")


def provide_record_types() -> None:
    """Let the Rust kernels find their record dtypes, without vectorbt itself where its layout is the known one."""
    if "vectorbt" in sys.modules or version("vectorbt-rust") != KNOWN_LAYOUT:
        import vectorbt.portfolio.enums  # noqa: F401, PLC0415 - the slow, always right way

        return
    for package in ("vectorbt", "vectorbt.portfolio", "vectorbt.generic"):
        sys.modules[package] = StandIn(package)
        sys.modules[package].__path__ = []
    for name, records in RECORD_FIELDS.items():
        sys.modules[name] = module = StandIn(name)
        vars(module).update({record: record_dtype(fields) for record, fields in records.items()})
    vars(sys.modules["vectorbt.portfolio.enums"])["RejectedOrderError"] = type("RejectedOrderError", (Exception,), {})


def record_dtype(fields: str) -> np.dtype[np.void]:
    """Return the aligned dtype of a record: `name` is int64, `name*` float64, `name!` boolean."""
    kinds: Mapping[str, type] = {"*": np.float64, "!": np.bool_}
    return np.dtype([(name.rstrip("*!"), kinds.get(name[-1], np.int64)) for name in fields.split()], align=True)
