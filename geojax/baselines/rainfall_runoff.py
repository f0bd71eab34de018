"""HBV as a baseline: calibrated, and for forecasts corrected by its last errors; see geojax.baselines.streamflow."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d

from geojax.baselines import hbv
from geojax.baselines.evolution import evolve
from geojax.baselines.streamflow import RidgeRegression, carried, cut, delayed, nash_sutcliffe, weather
from geojax.task import Examples

SMOOTH = 31  # days over which the climatology of the weather is averaged


class HBV:
    """HBV, each basin calibrated by differential evolution, from several starts: on the training days' NSE, or on the
    mean of that and the NSE of roots, which lets floods count less.

    One start, or the mean of the hydrographs of several, whichever has the best validation NSE.
    """

    def __init__(self, generations: int, starts: int = 2, population: int = 40, seed: int = 0) -> None:
        self.generations, self.starts, self.population, self.seed = generations, starts, population, seed

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        target = np.asarray(train.shared["target"], "float64")
        basins, runs = len(target), 2 * self.starts  # the first half of the runs is calibrated on flow alone
        forcing, observed = np.tile(weather(train), (1, runs, 1)), np.tile(target, (runs, 1))
        half = self.starts * basins

        def loss(members: np.ndarray) -> np.ndarray:
            flow, _ = hbv.simulate(forcing[:, None], members)
            worth = nash_sutcliffe(flow, observed)
            of_roots = nash_sutcliffe(np.sqrt(flow[:, half:]), np.sqrt(observed[half:]))
            return 1 - np.concatenate([worth[:, :half], (worth[:, half:] + of_roots) / 2], 1)

        bounds, generator = np.array(list(hbv.BOUNDS.values())), np.random.default_rng(self.seed)
        best, losses = evolve(loss, bounds, runs * basins, self.population, self.generations, generator)
        best, losses = best.reshape(-1, runs, basins), losses.reshape(runs, basins)
        flow = hbv.simulate(weather(validation)[:, None], best)[0]
        self.parameters, worth, chosen = [], [], []
        for basin, truth in enumerate(validation.shared["target"]):
            sides = list(range(self.starts)), list(range(self.starts, runs))
            trials = [[min(own, key=lambda run: losses[run, basin])] for own in sides] + [*sides, sides[0] + sides[1]]
            judged = [float(nash_sutcliffe(flow[own, basin].mean(0), truth)) for own in trials]
            own = trials[int(np.argmax(judged))]
            self.parameters.append(best[:, own, basin])
            worth.append(max(judged))
            chosen.append(" ".join("flow" if run < self.starts else "root" for run in own))
        return {"loss": losses.min(0).tolist(), "validation_nse": worth, "calibrated_on": chosen}

    def predict(self, examples: Examples) -> np.ndarray:
        return cut(self.series(examples)[..., None], examples)

    def series(self, examples: Examples) -> np.ndarray:
        """Simulated discharge (basin, time)."""
        forcing = weather(examples)
        every = enumerate(self.parameters)
        return np.stack([hbv.simulate(forcing[:, None, basin], own)[0].mean(0) for basin, own in every])


class UpdatedHBV:
    """Forecasts of HBV under the climatology of the weather, corrected by its errors of the last days.

    How much of the errors lasts is regressed for each lead (see RidgeRegression), as error models of operational
    forecasts do: Madsen & Skotner (2005), doi:10.1016/j.jhydrol.2004.10.030.
    """

    def __init__(self, leads: Sequence[int], generations: int) -> None:
        self.model = HBV(generations)
        self.corrections = {lead: RidgeRegression((lead,), partial(self._features, lead)) for lead in leads}

    def fit(self, train: Examples, validation: Examples) -> dict[str, Any]:
        self.climate = _climatology(train)
        chosen = {f"hbv_{key}": own for key, own in self.model.fit(train, validation).items()}
        for lead, correction in self.corrections.items():
            chosen[f"{lead}_days"] = correction.fit(train, validation)
        return chosen

    def predict(self, examples: Examples) -> np.ndarray:
        return np.concatenate([correction.predict(examples) for correction in self.corrections.values()], -1)

    def _features(self, lead: int, examples: Examples) -> np.ndarray:
        """Forecast, flow, last errors, rain and season, (basin, time, feature) by the day on which it is made."""
        (forecast, now), flow = self._forecasts(examples, lead), carried(examples)
        errors = [delayed(flow - now, lag) for lag in range(4)]
        angle = 2 * np.pi * examples.shared["day_of_year"] / 365.25
        season = [np.broadcast_to(wave, flow.shape) for wave in (np.sin(angle), np.cos(angle))]
        rain = [delayed(weather(examples)[0], lag) for lag in range(4)]
        columns = [forecast, np.sqrt(forecast), now, flow, np.sqrt(np.maximum(flow, 0)), *errors, *season, *rain]
        return np.stack(columns, -1)

    def _forecasts(self, examples: Examples, lead: int) -> tuple[np.ndarray, np.ndarray]:
        """What HBV forecasts `lead` days ahead on each day, and what it simulates for the day, (basin, time)."""
        forcing = weather(examples)
        ahead = (examples.shared["day_of_year"][:, None] + np.arange(lead)) % 366  # day_of_year counts from 1
        found = []
        for basin, own in enumerate(self.model.parameters):
            now, states = hbv.simulate(forcing[:, None, basin], own, keep=True)
            usual = self.climate[:, None, basin][:, :, ahead]
            forecast, _ = hbv.simulate(usual, own[..., None], states)
            found.append((forecast[..., -1].mean(0), now.mean(0)))
        forecasts, simulated = (np.stack(own) for own in zip(*found, strict=True))
        return forecasts, simulated


def _climatology(examples: Examples) -> np.ndarray:
    """Mean weather (3, basin, day of the year from 0) of the scored days, smoothed over the calendar."""
    place = np.asarray(examples.shared["day_of_year"]) - 1
    scored = np.isfinite(examples.shared["target"]).any(0)
    series = np.moveaxis(weather(examples)[:, :, scored], -1, 0)
    total, count = np.zeros((366, *series.shape[1:])), np.zeros(366)
    np.add.at(total, place[scored], series)
    np.add.at(count, place[scored], 1)
    smooth = uniform_filter1d(total, SMOOTH, 0, mode="wrap"), uniform_filter1d(count, SMOOTH, mode="wrap")
    return np.moveaxis(smooth[0], 0, -1) / np.maximum(smooth[1], 1e-9)
