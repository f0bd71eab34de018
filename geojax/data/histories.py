"""Whether enough is known of what was before."""

import numpy as np
import numpy.typing as npt


def complete(known: npt.ArrayLike, count: int) -> np.ndarray:
    """Whether all of the `count` steps that end with a step are known, (…, step); never of the first ones.

    known : (…, step)
    """
    steps = np.asarray(known)
    total = np.cumsum(np.pad(steps, [*[(0, 0)] * (steps.ndim - 1), (count, 0)]), -1)
    return total[..., count:] - total[..., :-count] == count
