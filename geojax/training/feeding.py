"""Training examples as an epoch takes them: all at once and for good, or a pool at a time."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from geojax.errors import UserError
from geojax.task import Examples


class Whole:
    """All training examples, on the devices for good."""

    def __init__(self, examples: Examples) -> None:
        self.size, self.held = examples.size, examples

    def __call__(self, number: int) -> Examples:
        """What epoch `number` trains on."""
        return self.held

    def close(self) -> None:
        """Nothing is being read."""


class Pools:
    """Pools of one shape; a thread reads the next while the device trains on this one.

    read : number of an epoch to its pool, always the same
    size : examples in each
    epochs : none is read for more than these
    """

    def __init__(self, read: Callable[[int], Examples], size: int, epochs: int) -> None:
        self.read, self.size, self.epochs = read, size, epochs
        self.shapes: dict[str, str] = {}
        self.thread = ThreadPoolExecutor(1, "pools")
        self.ahead: tuple[int, Future[Examples]] | None = None

    def __call__(self, number: int) -> Examples:
        """What epoch `number` trains on.

        raises UserError : its arrays have other shapes than those of the first
        """
        if self.ahead is None or self.ahead[0] != number:
            self.close()
            self.ahead = number, self.thread.submit(self.read, number)
        examples = self.ahead[1].result()
        self.ahead = None
        self._check(number, _shapes(examples))
        if number + 1 < self.epochs:
            self.ahead = number + 1, self.thread.submit(self.read, number + 1)
        return examples

    def _check(self, number: int, shapes: dict[str, str]) -> None:
        self.shapes = self.shapes or shapes
        for name, shape in shapes.items():
            if shape != self.shapes.get(name):
                raise UserError(
                    f"training: resident: all pools must have arrays of one shape, but {name} is {shape} in pool "
                    f"{number} and {self.shapes.get(name)} in the first. Write `resident: null`."
                )

    def close(self) -> None:
        """Wait until nothing is being read."""
        if self.ahead is not None:
            if not self.ahead[1].cancel():
                self.ahead[1].exception()
            self.ahead = None


def _shapes(examples: Examples) -> dict[str, str]:
    both = [*examples.rows.items(), *examples.shared.items()]
    return {name: f"{np.asarray(array).dtype}{list(np.shape(array))}" for name, array in both}
