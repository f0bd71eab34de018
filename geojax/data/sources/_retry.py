"""Trying again what may succeed the next time: a network that stumbles, a server that is busy."""

import time
from collections.abc import Callable
from typing import TypeVar

from geojax.log import logger

TRIES = 5  # in a row that brought nothing new
WAIT_S = 1.0  # after the first failure; doubled after each further one
LONGEST_S = 300.0

T = TypeVar("T")


class PassingError(Exception):
    """What a server said that may be gone the next time; `wait_s` where it told how long to wait."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def patiently(attempt: Callable[[], T], passing: tuple[type[Exception], ...], got: Callable[[], int] = lambda: 0) -> T:
    """What `attempt` returns, tried again after each of the errors `passing` with longer and longer waits.

    got : bytes that are here; while they become more, tries are not counted
    raises Exception : the error of the last try
    """
    failures, most = 0, got()
    while True:
        try:
            return attempt()
        except passing as error:
            failures, most = (1 if got() > most else failures + 1), max(most, got())
            if failures >= TRIES:
                raise
            wait_s = min(max(WAIT_S * 2 ** (failures - 1), getattr(error, "wait_s", 0.0)), LONGEST_S)
            logger.info("%s: %s; trying again in %g s", type(error).__name__, error, wait_s)
            time.sleep(wait_s)
