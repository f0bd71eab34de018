"""Two ways to the same end, timed in turn: on a shared machine only what ran side by side can be compared."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float


def timed(action: Callable[[], object]) -> Cost:
    """Seconds on the clock, and of all cores that worked for it, those of ended children included."""
    wall, before = time.perf_counter(), os.times()
    action()
    after = os.times()
    return Cost(time.perf_counter() - wall, max(sum(after[:4]) - sum(before[:4]), 0.01))  # ticks of 0.01 s


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[Cost]]:
    """Costs of every way in each round, the order turned from round to round; the first rounds are not counted."""
    names, costs = list(ways), {name: [] for name in ways}
    for i in range(warm + rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            cost = timed(ways[name])
            if i >= warm:
                costs[name].append(cost)
    return costs


def table(costs: Mapping[str, list[Cost]], amount: float, unit: str, digits: int = 0) -> str:
    """Markdown: medians of rates and, against the first way, medians of the ratios of each round."""
    first = next(iter(costs.values()))
    lines = [f"| way | {unit} | times the first | {unit[:-2]} of CPU time | times the first |", "|---|---|---|---|---|"]
    for name, every in costs.items():
        cells = []
        for i in range(2):
            rate = median(amount / cost[i] for cost in every)
            ratio = median(base[i] / cost[i] for base, cost in zip(first, every, strict=True))
            cells += [f"{rate:.{digits}f}", f"{ratio:.2f}"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """What ran it, and how busy it was with other things."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}; load {load}"
