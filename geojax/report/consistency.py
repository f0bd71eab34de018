"""The tests of CSEP, drawn: is a forecast of rates consistent with what came, and is one better than another?"""

import numpy as np
from matplotlib.axes import Axes

from geojax.report import style
from geojax.report.forecasts import Forecasts
from geojax.report.style import INK, MUTED, styled
from geojax.scores import rates
from geojax.task import Picture


@styled
def consistency(own: Forecasts) -> Picture:
    """N-tests of all methods over all test months, T-tests of the model against each; the others in words."""
    figure, ((number, gain),) = style.grid(1, 2, 2.8)
    seen, found = int(own.counts.sum()), style.colours(own.methods)
    expected = {name: float(forecast.sum(dtype="float64")) for name, forecast in own.methods.items()}
    variance = rates.span_variance(own.earlier, len(own.times))
    for row, (name, rate) in enumerate(expected.items()):
        for law, width in ((rates.number_law(rate), 4.5), (rates.number_law(rate, variance), 1.3)):
            number.plot(law.ppf([0.025, 0.975]), [row, row], color=found[name], lw=width, solid_capstyle="butt")
        number.plot(rate, row, "D", color=found[name], mec="white", ms=7)
    number.axvline(seen, color=INK, lw=1.3)
    number.set(title="N-test", xlabel="Earthquakes of all test months")
    _rows(number, list(expected))
    others = [name for name in own.methods if name != "model"]
    for row, name in enumerate(others):
        middle, *ends = rates.paired_t_test(own.counts, own.model, own.methods[name])
        gain.plot(ends, [row, row], color=found[name], lw=2)
        gain.plot(middle, row, "D", color=found[name], mec="white", ms=7)
    gain.axvline(0, color=MUTED, lw=1)
    gain.set(title="T-test", xlabel="Information gain of the model (nats per event)")
    _rows(gain, [f"over {name}" for name in others])
    return Picture("Tests of CSEP", " ".join(_words(own, expected, variance)), figure)


def _rows(panel: Axes, names: list[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    style.light_grid(panel, "x")


def _words(own: Forecasts, expected: dict[str, float], variance: float) -> list[str]:
    seen, months = int(own.counts.sum()), len(own.times)
    level = float(own.reference.sum(dtype="float64")) / seen - 1
    return [
        f"N-test: what each method expects of all {months} test months, with 95 % intervals of a Poisson count "
        f"(thick) and of one that varies as spans of {months} months did before (thin); the line is what came, {seen}.",
        *(_numbers(own, name, expected[name], variance) for name in ("model", own.best)),
        "The reference expects as many as in the mean of the years before each month: "
        f"{100 * level:+.0f} % is how much these differed from the test months. What is fitted, as the model is, has "
        "also learned by how much events outran that mean in training, as they do while a catalogue grows.",
        "S-test, of places alone, and L-test, of places and number: "
        + "; ".join(_quantiles(own.counts.sum(0), name, own.methods[name]) for name in ("model", own.best))
        + ". Quantiles below 0.025 speak against a forecast; high ones do not: they come of smoother rates, or "
        "of more events expected, than what came.",
        "T-test: 95 % intervals by Student's law; it takes events as independent, unlike the intervals "
        "above from whole groups.",
    ]


def _numbers(own: Forecasts, name: str, expected: float, variance: float) -> str:
    seen = own.counts.sum()
    side, few = (1, "few") if expected > seen else (0, "many")
    one, other = (rates.number_test(own.counts, own.methods[name], v)[side] for v in (0.0, variance))
    return (
        f"{_named(name)} expects {expected:.0f} ({100 * (expected / seen - 1):+.0f} %); the chance that so {few} come "
        f"is {_chance(one)} by Poisson's law, {_chance(other)} by the wider one."
    )


def _chance(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _named(name: str) -> str:
    return "The model" if name == "model" else name[0].upper() + name[1:]


def _quantiles(counts: np.ndarray, name: str, forecast: np.ndarray) -> str:
    rate = forecast.sum(0, dtype="float64")
    where, whole = (rates.likelihood_test(counts, rate, spatial=spatial) for spatial in (True, False))
    return f"ζ = {where:.3f}, γ = {whole:.3f} for {'the model' if name == 'model' else name}"
