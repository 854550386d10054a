"""The files a page is put together of, and the policy that lets no other script run."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def text(name: str) -> str:
    """Return one of the files beside this module."""
    return (FOLDER / name).read_text(encoding="utf-8")


def elements(scripts: Iterable[str]) -> str:
    """Return the scripts as they stand in a page."""
    return "".join(f"<script>{script}</script>" for script in scripts)


def fingerprint(script: str) -> str:
    """Return what names a script in the page's policy, so that no other one can run."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
