"""What training tells of its epochs, and what it makes of it."""

import numpy as np

from geojax.errors import UserError


def rows(number: int, train: np.ndarray, validation: np.ndarray, history: list[dict[str, float]]) -> list[dict]:
    """Rows of epoch `number`, one a member, from mean losses (member,); `history` holds those before."""
    best = {row["member"]: row["best_loss"] for row in history}
    return [
        {
            "epoch": number,
            "member": m,
            "train_loss": float(train[m]),
            "validation_loss": float(validation[m]),
            "best_loss": min(best.get(m, np.inf), float(validation[m])),
        }
        for m in range(len(train))
    ]


def waited(history: list[dict[str, float]], number: int) -> int:
    """Epochs since any member last improved."""
    improved = [row["epoch"] for row in history if row["validation_loss"] == row["best_loss"]]
    return number - 1 - int(max(improved, default=number - 1))


def check_finite(losses: np.ndarray, number: int, steps: int) -> None:
    """Refuse training losses (member, step) of an epoch that are not finite.

    raises UserError : with the epoch and the step
    """
    if not np.isfinite(losses).all():
        member, step = np.argwhere(~np.isfinite(losses))[0]
        raise UserError(
            f"training: the loss must stay finite, but is {losses[member, step]} at epoch {number}, step "
            f"{number * steps + step}, member {member}. Lower `training: learning_rate` or `clip_norm`, or look at "
            "the examples; the best checkpoint before it is kept."
        )


def check_kept(best_loss: np.ndarray) -> None:
    """Refuse to end without weights to keep.

    raises UserError : a member never had a finite validation loss
    """
    if not np.isfinite(best_loss).all():
        raise UserError(
            f"training: the validation loss must be finite in some epoch, but of member "
            f"{int(np.argmin(np.isfinite(best_loss)))} it never was. Look at the validation examples, or raise "
            "`training: resident` so that more of them are held."
        )
