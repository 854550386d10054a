"""Where a server listens: a private socket, or this computer's loopback when the socket's path cannot be used."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

DATABASE = "backtesting"
SUPERUSER = "postgres"
SOCKET_PORT = 5432
LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = "5"
# macOS holds 104 bytes with the closing NUL, Linux 108.
LONGEST_SOCKET_PATH = 103
# Class of SQLSTATE: the server starts, stops or was killed. Without any state the connection itself failed.
OPERATOR_INTERVENTION = "57"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The `host` and `port` of libpq; a host with a slash is a socket's directory."""

    host: str
    port: int

    @classmethod
    def chosen(cls, sockets: Path) -> Self:
        """Choose the socket in the directory; libpq would split a path at a comma, and the system limits its length."""
        path = sockets / f".s.PGSQL.{SOCKET_PORT}"
        if "," not in str(path) and len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return cls(str(sockets), SOCKET_PORT)
        with socket.create_server((LOOPBACK, 0)) as free:
            return cls(LOOPBACK, free.getsockname()[1])

    @property
    def server_options(self) -> list[str]:
        """What tells a server to listen here and nowhere else."""
        folder = "" if self.host == LOOPBACK else '"{}"'.format(self.host.replace('"', '""'))
        values = {
            "listen_addresses": LOOPBACK if self.host == LOOPBACK else "",
            "port": self.port,
            "unix_socket_directories": folder,
            "unix_socket_permissions": "0700",
        }
        return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]

    def url(self, role: str, password: str) -> URL:
        """What SQLAlchemy connects with."""
        return URL.create(
            "postgresql+psycopg", username=role, password=password, database=DATABASE, query=self._address
        )

    def admits(self, password: str) -> bool:
        """Whether the superuser gets in; the database is made when it is missing."""
        who = {"user": SUPERUSER, "password": password, "dbname": SUPERUSER}
        try:
            with psycopg.connect(make_conninfo(**who, **self._address), autocommit=True) as connection:
                if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
        except psycopg.OperationalError as error:
            if error.sqlstate is None or error.sqlstate.startswith(OPERATOR_INTERVENTION):
                return False
            raise
        return True

    @property
    def _address(self) -> dict[str, str]:
        """The server's address for libpq, leaving nothing for PG* variables to fill in."""
        hostaddr = LOOPBACK if self.host == LOOPBACK else ""
        limits = {"sslmode": "disable", "connect_timeout": CONNECT_SECONDS}
        return {"host": self.host, "port": str(self.port), "hostaddr": hostaddr, **limits}
