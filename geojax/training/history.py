"""What training tells of its epochs, and what it makes of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geojax.errors import UserError
from geojax.task import Turn

DIVERGED = 1e3  # times the loss of the first epoch
Row = dict[str, float]
Identify = Callable[[int, int, int], str]  # epoch, member and step to the examples of its batch


class History:
    """Losses by epoch and member, and which epoch was the best."""

    def __init__(self, turns: Sequence[Turn], members: int, rows: Sequence[Row] = ()) -> None:
        self.players = [turn.player for turn in turns]
        self.members, self.rows = members, list(rows)

    @property
    def epochs(self) -> int:
        """Epochs that have ended."""
        return len(self.rows) // self.members

    @property
    def waited(self) -> int:
        """Epochs since any member last improved."""
        back = range(self.epochs - 1, -1, -1)
        improved = (e for e in back if any(r["validation_loss"] == r["best_loss"] for r in self._of(e)))
        return self.epochs - 1 - next(improved, self.epochs - 1)

    def add(self, losses: np.ndarray, validation: np.ndarray) -> None:
        """Keep an epoch's losses (member, step, turn) and its losses of validation (member,)."""
        before = [row["best_loss"] for row in self._of(self.epochs - 1)] if self.rows else [np.inf] * self.members
        number, mean = self.epochs, losses.mean(1)
        for m in range(self.members):
            own = {"epoch": number, "member": m, "train_loss": float(mean[m, -1])}
            own |= {f"{name}_loss": float(mean[m, i]) for i, name in enumerate(self.players) if name}
            now = float(validation[m])
            self.rows.append(own | {"validation_loss": now, "best_loss": min(before[m], now)})

    def check(self, losses: np.ndarray, kept: str, identify: Identify) -> None:
        """Refuse training losses (member, step, turn) of the epoch that has just been run.

        raises UserError : one is not finite, or the loss has grown beyond measure; tells the step, its examples
            and where the last good state is kept
        """
        number = self.epochs
        if not (finite := np.isfinite(losses)).all():
            member, step, turn = (int(i) for i in np.argwhere(~finite)[0])
            what, examples = f"is {losses[member, step, turn]}", identify(number, member, step)
        elif self.rows and len(self.players) == 1 and (grown := self._grown(losses)).any():
            member = int(np.argmax(grown))
            step = int(np.argmax(losses[member, :, 0]))
            what = f"has grown from {self._of(0)[member]['train_loss']:.3g} to {losses[member].mean():.3g}"
            examples = identify(number, member, step)
        else:
            return
        raise UserError(
            f"training: the loss must stay finite and not diverge, but {what} at epoch {number}, step "
            f"{number * losses.shape[1] + step}, member {member}, on {examples}. Lower `training: learning_rate` or "
            f"`clip_norm`, or look at the examples. {kept}"
        )

    def check_kept(self, best_loss: np.ndarray) -> None:
        """Refuse to end without weights to keep.

        raises UserError : a member never had a finite validation loss
        """
        if not np.isfinite(best_loss).all():
            raise UserError(
                f"training: the validation loss must be finite in some epoch, but of member "
                f"{int(np.argmin(np.isfinite(best_loss)))} it never was. Look at the validation examples, or raise "
                "`training: resident` so that more of them are held."
            )

    def table(self) -> pd.DataFrame:
        """One row an epoch and member."""
        return pd.DataFrame(self.rows)

    def _of(self, epoch: int) -> list[Any]:
        return self.rows[epoch * self.members : (epoch + 1) * self.members]

    def _grown(self, losses: np.ndarray) -> np.ndarray:
        first = np.array([abs(row["train_loss"]) for row in self._of(0)])
        return losses[..., 0].mean(1) > DIVERGED * np.maximum(first, 1e-6)
