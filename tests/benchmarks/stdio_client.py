"""A client on bare pipes: it adds next to nothing to what a server takes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil

PROJECT = Path(__file__).resolve().parents[2]
BARE = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]
OURS = [sys.executable, str(PROJECT / "main.py")]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
INHERITED = ("PATH", "HOME", "LD_LIBRARY_PATH")
LOOK_SECONDS, QUIET_LOOKS = 0.25, 4


class Client:
    """One server process, greeted; its log is thrown away."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, env=kept | dict(environment or {}), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        )
        self._number = 0
        self.ask("initialize", HELLO)
        self._say({"method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._number += 1
        self._say({"id": self._number, "method": method, "params": params})
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer: dict[str, Any] = json.loads(line)
        assert answer["id"] == self._number and "result" in answer, line
        return answer["result"]

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool and return what it answered, which must not be a refusal."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert not result.get("isError"), result
        return result

    def idle_megabytes(self) -> float:
        """Return the resident memory once the process has nothing more to do."""
        process, quiet, before = psutil.Process(self.process.pid), 0, -1.0
        while quiet < QUIET_LOOKS:
            time.sleep(LOOK_SECONDS)
            spent = sum(process.cpu_times()[:2])
            quiet, before = (quiet + 1 if spent == before else 0), spent
        return process.memory_info().rss / 1e6

    def _say(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0"} | message).encode() + b"\n")
        self.process.stdin.flush()
