"""How a PostgreSQL is reached: as which role, for which user, through which pool."""

import json
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy import URL, Engine

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 5, "pool_pre_ping": True, "pool_recycle": 1800}


class ExternalPostgres:
    """The user's own server: one login, which takes on the role each connection needs."""

    is_ours = False

    def __init__(self, url: str, admin_url: str | None = None) -> None:
        self._url = parse_url(url)
        self._admin_url = parse_url(admin_url) if admin_url else self._url

    @property
    def place(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    def start(self) -> None:
        """Leave the server to whoever runs it."""

    def close(self) -> None:
        """Leave the server to whoever runs it."""

    def url(self, role: str) -> URL:
        """Return the address with `role` set from the start of each connection."""
        return with_option(self._url, f"role={role}")

    def admin_url(self) -> URL:
        """Return the address of the login itself."""
        return self._admin_url

    def password(self, role: str) -> None:
        """Return None: our roles do not log in here."""


def parse_url(text: str) -> URL:
    """Read a URL, for psycopg; ValueError says what is wrong with it, without the password."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ValueError("DATABASE_URL is not a URL: write postgresql://user:password@host:5432/database") from None
    if url.drivername.split("+")[0] not in ("postgres", "postgresql"):
        raise ValueError(f"DATABASE_URL names {url.drivername}: only postgresql:// is supported")
    return url.set(drivername="postgresql+psycopg")


def with_option(url: URL, setting: str) -> URL:
    """Add a server setting that holds from the first moment of a connection and survives every rollback."""
    escaped = setting.replace("\\", "\\\\").replace(" ", "\\ ")
    before = url.query.get("options", "")
    return url.update_query_dict({"options": f"{before} -c {escaped}".strip()})


class LazyEngine:
    """A pool that opens at its first use; every connection speaks for one user, in UTC."""

    def __init__(self, open_url: Callable[[], URL], user_id: str) -> None:
        self._open_url = open_url
        self._user_id = user_id
        self._lock = Lock()
        self._engine: Engine | None = None

    def __call__(self) -> Engine:
        """Return the pool; whatever `open_url` raises leaves it closed for the next try."""
        with self._lock:
            if self._engine is None:
                self._engine = self._connect(self._open_url())
            return self._engine

    def close(self) -> None:
        """Close the pool's connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def _connect(self, url: URL) -> Engine:
        for setting in (f"app.user_id={self._user_id}", "timezone=UTC", f"statement_timeout={STATEMENT_SECONDS}s"):
            url = with_option(url, setting)
        strict_json = partial(json.dumps, allow_nan=False)
        limits = {"connect_timeout": CONNECT_SECONDS}
        return sa.create_engine(url, connect_args=limits, json_serializer=strict_json, **POOL)
