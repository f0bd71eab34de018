"""How far training is: a bar on a terminal, a line now and then in a file."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from geojax.log import logger


class Progress:
    """Shows epoch, losses, examples per second and time left."""

    def __init__(self, epochs: int, examples: int, first: int = 0, interval_s: float = 10.0) -> None:
        self.epochs, self.examples, self.first, self.interval_s = epochs, examples, first, interval_s
        self.start = self.spoken = self.counted_from = time.monotonic()
        self.counted = first
        console = Console(stderr=True)
        self.terminal = console.is_terminal
        self.bar = Bar(
            TextColumn("training"), BarColumn(), TextColumn("{task.description}"),
            console=console, disable=not self.terminal,
        )  # fmt: skip
        self.job = self.bar.add_task("compiling", total=epochs, completed=first)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def advance(self, number: int, train: float, validation: float) -> None:
        """Tell that epoch `number` has ended with these mean losses."""
        now = time.monotonic()
        if number == self.first:  # the first epoch holds the compilation
            self.counted_from, self.counted = now, number
        done = number - self.counted
        text = f"epoch {number + 1}/{self.epochs}  loss {train:.4g}  validation {validation:.4g}"
        if done:
            pace = (now - self.counted_from) / done
            text += f"  {self.examples / pace:,.0f} examples/s  {(self.epochs - number - 1) * pace:.0f} s left at most"
        else:
            text += f"  with compilation {now - self.start:.0f} s"
        self.bar.update(self.job, completed=number + 1, description=text)
        if now - self.spoken > self.interval_s or number in (self.first, self.epochs - 1):
            self.spoken = now
            logger.info("%s", text)
            if not self.terminal:
                print(text, file=sys.stderr, flush=True)
