"""How often a request is made again, and how long it waits before."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from backtesting.providers.errors import PassingError, ProviderUnavailableError

ATTEMPTS = 5
FIRST_WAIT = 1.0
TIMEOUT = 15.0  # seconds of one request: with the waits, all attempts end within a minute and a half

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Repeats what fails in passing after 1, 2, 4 and 8 seconds, each shortened by up to half at random."""

    wait: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random

    def call(self, name: str, request: Callable[[], Answer]) -> Answer:
        """Return the answer; ProviderUnavailableError where the request fails in passing at every attempt."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return request()
            except PassingError:
                self.wait(FIRST_WAIT * 2**attempt * (1 - self.chance() / 2))
        try:
            return request()
        except PassingError as error:
            raise ProviderUnavailableError(
                f"{name} gave no answer that can be used in {ATTEMPTS} attempts ({error}): check your network, or try "
                "again later"
            ) from error
