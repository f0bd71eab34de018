"""Two ways to the same end, timed in turn: on a shared machine only what ran side by side can be compared."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import NamedTuple


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float


def timed(action: Callable[[], object]) -> Cost:
    """Seconds on the clock, and of all cores that worked for it, those of ended children included."""
    wall, before = time.perf_counter(), _cpu()
    action()
    return Cost(time.perf_counter() - wall, _cpu() - before)


def _cpu() -> float:
    return time.process_time() + sum(os.times()[2:4])


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[Cost]]:
    """Costs of every way in each round, the order turned from round to round; the first rounds are not counted."""
    names, costs = list(ways), {name: [] for name in ways}
    for i in range(warm + rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            cost = timed(ways[name])
            if i >= warm:
                costs[name].append(cost)
    return costs


def rates(costs: Mapping[str, list[Cost]], amount: float, unit: str) -> str:
    """Markdown: medians of what is done in a second on the clock, and in a second of one core's time."""
    lines = [f"| way | {unit} | {unit} of CPU time |", "|---|---|---|"]
    for name, every in costs.items():
        wall, cpu = (median(amount / cost[i] for cost in every) for i in range(2))
        lines.append(f"| {name} | {wall:,.0f} | {cpu:,.0f} |")
    return "\n".join(lines)


def ratios(costs: Mapping[str, list[Cost]], ours: Iterable[str], peers: Iterable[str]) -> str:
    """Markdown: how many times as fast each of ours is as each peer, medians over rounds; in brackets by CPU time."""
    peers = list(peers)
    lines = ["| | " + " | ".join(f"against {peer}" for peer in peers) + " |", "|---" * (len(peers) + 1) + "|"]
    for name in ours:
        pairs = [list(zip(costs[peer], costs[name], strict=True)) for peer in peers]
        both = [[median(peer[i] / own[i] for peer, own in pair) for i in range(2)] for pair in pairs]
        lines.append(f"| {name} | " + " | ".join(f"{wall:.2f} ({cpu:.2f})" for wall, cpu in both) + " |")
    return "\n".join(lines)


def machine() -> str:
    """What ran it, and how busy it was with other things."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}; load {load}"
