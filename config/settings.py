"""Everything that can be set: the only module that reads the environment and `.env`."""

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from backtesting.types import Limits

APP_NAME = "backtesting-mcp"
EXECUTOR_URL = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")
PROJECT = Path(__file__).resolve().parent.parent


def read_settings() -> "Settings":
    """Read the settings from the environment and from `.env`, or from the file BACKTEST_ENV_FILE names; empty: none."""
    return Settings(_env_file=os.environ.get("BACKTEST_ENV_FILE", PROJECT / ".env") or None)


def refuses_colour() -> bool:
    """Tell whether the user wants no colours (https://no-color.org), or has a terminal without any."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def forget_libpq_settings() -> None:
    """Drop PGSERVICE, PGOPTIONS and their like: meant for another server, they would lead astray from our own."""
    for name in [each for each in os.environ if each.startswith("PG")]:
        del os.environ[name]


def _full_paths(given: object) -> object:
    """Read a list of folders; where a client starts us is no place to reckon relative ones from."""
    if not isinstance(given, str):
        return given
    folders = [Path(each).expanduser() for each in given.split(os.pathsep) if each.strip()]
    if relative := [str(each) for each in folders if not each.is_absolute()]:
        raise ValueError(f"{', '.join(relative)}: write full paths, with {os.pathsep!r} between them")
    return tuple(folders)


def _executor_url(given: str) -> str:
    if given != "local" and not EXECUTOR_URL.fullmatch(given):
        raise ValueError("write local, or tcp://host:port or tls://host:port of a Dask scheduler")
    return given


class Settings(BaseSettings):
    """The settings, each with its default; `.env.example` shows them all."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True)

    database_url: SecretStr | None = Field(
        None, description="Your own PostgreSQL, e.g. postgresql://user@host/db; empty: an embedded one is started"
    )
    database_admin_url: SecretStr | None = Field(
        None, description="A login that may create roles and schemas, for `main.py db upgrade` (default: DATABASE_URL)"
    )
    user_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$")] = Field(
        "local", alias="BACKTEST_USER", description="Whose runs are stored and seen"
    )
    data_dir: Path | None = Field(
        None,
        alias="BACKTEST_DATA_DIR",
        description="Where PostgreSQL, the cache of bars and exported files live (default: your data directory)",
    )
    data_folders: Annotated[tuple[Path, ...] | None, NoDecode, BeforeValidator(_full_paths)] = Field(
        None,
        alias="BACKTEST_DATA_FOLDERS",
        description="Folders whose price files the tools may import (default: `import` in your data directory)",
    )
    toolset: Literal["standard", "all"] = Field(
        "standard", alias="BACKTEST_TOOLSET", description="Which tools are listed: standard, or all"
    )
    pg_bindir: Path | None = Field(
        None,
        alias="BACKTEST_PG_BINDIR",
        description="PostgreSQL's programs for the embedded server (default: the wheel's)",
    )
    pg_user: str | None = Field(
        None, alias="BACKTEST_PG_USER", description="The account the embedded server runs as when started by root"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="BACKTEST_LOG_LEVEL", description="Least severity that is logged to stderr"
    )
    log_json: bool | None = Field(
        None, alias="BACKTEST_LOG_JSON", description="Log lines as JSON (default: unless stderr is a terminal)"
    )
    concurrent_runs: int = Field(
        8, alias="BACKTEST_CONCURRENT_RUNS", ge=1, le=64, description="Short runs at the same time in one server"
    )
    runs_a_minute: int = Field(
        600, alias="BACKTEST_RUNS_A_MINUTE", ge=1, description="Short runs that one server begins within a minute"
    )
    queued_jobs: int = Field(20, alias="BACKTEST_QUEUED_JOBS", ge=1, description="Long jobs pending or running")
    bars: int = Field(20_000_000, alias="BACKTEST_BARS", ge=1, description="Bars of one run, warm-up included")
    inline_bars: int = Field(
        10_000_000, alias="BACKTEST_INLINE_BARS", ge=0, description="Bars above which a run goes to a worker process"
    )
    runs_of_a_batch: int = Field(10_000, alias="BACKTEST_RUNS_OF_A_BATCH", ge=1, description="Runs of one batch")
    combinations: int = Field(
        1_000_000, alias="BACKTEST_COMBINATIONS", ge=1, description="Parameter sets of one optimisation"
    )
    task_seconds: float = Field(
        600.0, alias="BACKTEST_TASK_SECONDS", gt=0, description="Seconds that one part of a long job may take"
    )
    task_memory_mb: int = Field(
        4096, alias="BACKTEST_TASK_MEMORY_MB", ge=512, description="Memory of a process that does such parts, in MB"
    )
    processes: int = Field(2, alias="BACKTEST_PROCESSES", ge=1, le=64, description="Processes of a worker")
    executor_url: Annotated[str, AfterValidator(_executor_url)] = Field(
        "local", alias="EXECUTOR_URL", description="Where parts of long jobs are done: local, or a Dask scheduler"
    )

    def limits(self) -> Limits:
        """Return what one server takes on."""
        named = {
            field.name: getattr(self, field.name) for field in fields(Limits) if field.name in Settings.model_fields
        }
        return Limits(**named)
