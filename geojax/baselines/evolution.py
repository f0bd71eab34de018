"""Differential evolution of several problems at once: what costs a call of NumPy costs it once for all of them."""

from collections.abc import Callable

import numpy as np

CROSSED = 0.7  # share of a trial's parameters that come from its mutant


def evolve(
    loss: Callable[[np.ndarray], np.ndarray],
    bounds: np.ndarray,
    problems: int,
    population: int,
    generations: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The best parameters (parameter, problem) of each problem, and their losses (problem,).

    loss : (parameter, member, problem) to (member, problem); each problem has a population of its own
    bounds : (parameter, 2); a mutant that leaves them is drawn anew between them
    source : Storn & Price (1997), doi:10.1023/A:1008202821328, strategy best/1/bin with a dithered weight
    """
    count = len(bounds)
    low, span = bounds[:, :1, None], np.diff(bounds, axis=1)[:, :, None]
    # A Latin hypercube: each parameter's range is covered evenly.
    order = generator.permuted(np.tile(np.arange(population)[None, :, None], (count, 1, problems)), axis=1)
    members = low + span * (order + generator.random(order.shape)) / population
    losses = loss(members)
    every = np.arange(problems)
    for _ in range(generations):
        best = members[:, losses.argmin(0), every][:, None]
        one, two = _others(generator, population, problems)
        weight = generator.uniform(0.5, 1.0)
        mutant = best + weight * (members[:, one, every] - members[:, two, every])
        fresh = low + span * generator.random(mutant.shape)
        mutant = np.where((mutant < low) | (mutant > low + span), fresh, mutant)
        crossed = generator.random(mutant.shape) < CROSSED
        crossed |= np.arange(count)[:, None, None] == generator.integers(count, size=(population, problems))
        trial = np.where(crossed, mutant, members)
        found = loss(trial)
        better = found <= losses
        members, losses = np.where(better, trial, members), np.where(better, found, losses)
    chosen = losses.argmin(0)
    return members[:, chosen, every], losses[chosen, every]


def _others(generator: np.random.Generator, population: int, problems: int) -> tuple[np.ndarray, np.ndarray]:
    """For each member two others of its problem, no two of the three the same."""
    own = np.arange(population)[:, None]
    one = (own + generator.integers(1, population, (population, problems))) % population
    two = (own + generator.integers(1, population - 1, (population, problems))) % population
    gap, taken = (two - own) % population, (one - own) % population
    return one, np.where(gap >= taken, (two + 1) % population, two)
