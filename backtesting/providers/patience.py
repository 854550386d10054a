"""How often a request is made again, and how long it waits before."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from backtesting.providers.errors import PassingError, ProviderUnavailableError

ATTEMPTS = 5
FIRST_WAIT = 1.0
LONGEST = 90.0  # seconds after which no further attempt begins
TIMEOUT = 15.0  # seconds of one request for bars

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Repeats what fails in passing after 1, 2, 4 and 8 seconds, each shortened by up to half at random."""

    wait: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def call(self, name: str, request: Callable[[], Answer]) -> Answer:
        """Return the answer; ProviderUnavailableError where the request fails in passing at every attempt."""
        deadline = self.clock() + LONGEST
        attempt = 1
        while True:
            try:
                return request()
            except PassingError as error:
                wait = FIRST_WAIT * 2 ** (attempt - 1) * (1 - self.chance() / 2)
                if attempt == ATTEMPTS or self.clock() + wait > deadline:
                    raise given_up(name, attempt, error) from error
            self.wait(wait)
            attempt += 1


def given_up(name: str, attempts: int, error: PassingError) -> ProviderUnavailableError:
    """Return the error that tells the last failure."""
    count = f"{attempts} attempts" if attempts > 1 else "one long attempt"
    return ProviderUnavailableError(
        f"{name} gave no answer that can be used in {count} ({error}): check your network, or try again later"
    )
