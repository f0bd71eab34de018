"""Pictures of a run that takes noise off seismograms."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from geojax.data.seismology.stft import STFT
from geojax.report import style
from geojax.report.style import INK, MUTED, SEQUENTIAL, styled
from geojax.scores import denoising
from geojax.task import Outcome, Picture

COMPONENT = 2  # the vertical
STFT_SHOWN = STFT(48, 6)
RANGE_DB = 50.0
LATE_S = 1.0  # shifts beyond are drawn at the border


def pictures(outcome: Outcome) -> list[Picture]:
    """Gain against noise, typical windows, spectra with masks, and shifts of onsets."""
    return [_gain(outcome), _windows(outcome), _spectra(outcome), _onsets(outcome)]


def typical(outcome: Outcome, level: float) -> int:
    """The test window with the median gain of the model among those of a level of noise."""
    clean, noisy = outcome.examples.rows["clean"], outcome.examples.rows["noisy"]
    own = np.flatnonzero(outcome.index["snr_db"].to_numpy() == level)
    gain = denoising.snr_db(clean[own], outcome.model[own]) - denoising.snr_db(clean[own], noisy[own])
    return int(own[np.argsort(gain, kind="stable")[(len(own) - 1) // 2]])


def three_levels(outcome: Outcome) -> list[float]:
    """Lowest, middle and highest ratio to the added noise in dB."""
    levels = np.unique(outcome.index["snr_db"])
    return [float(level) for level in np.unique([levels[0], levels[len(levels) // 2], levels[-1]])]


def standing_out(outcome: Outcome) -> float:
    """Median over the test windows of the clean record's deviation after the onset, over that before it."""
    pairs = zip(outcome.examples.rows["clean"], outcome.examples.rows["onset"], strict=True)
    ratios = [window[:, onset:].std() / window[:, : onset - onset // 10].std() for window, onset in pairs]
    return float(np.median(ratios))


@styled
def _gain(outcome: Outcome) -> Picture:
    figure, ((panel,),) = style.grid(1, 1, 3.6, 6.5)
    table = outcome.scores[outcome.scores["score"] == "snr_gain_by_SNR"]
    levels = np.unique(outcome.index["snr_db"])
    methods = {"model": outcome.model, **outcome.baselines}
    found = style.colours(methods)
    panel.plot(levels, -levels, color=MUTED, lw=1, ls="--", label="silence")
    step = 0.05 * np.ptp(levels) / len(methods)
    for place, name in enumerate(methods):
        own = table[table["method"] == name].set_index("slice").loc[[denoising.level_name(v) for v in levels]]
        ends = [own["value"] - own["low"], own["high"] - own["value"]]
        at, marker = levels + step * (place - (len(methods) - 1) / 2), "D" if name == "model" else "o"
        front = {"lw": 2.0, "zorder": 3} if name == "model" else {"lw": 1.2}
        panel.errorbar(at, own["value"], yerr=ends, fmt=f"{marker}-", color=found[name], ms=4, label=name, **front)
    shown = table[table["method"].isin(methods)]
    panel.set(xlabel="Ratio of signal to added noise (dB)", ylabel="Gain in signal-to-noise ratio (dB)")
    panel.set_ylim(float(shown["low"].min()) - 1, float(shown["high"].max()) + 1)
    panel.set_xticks(levels)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.light_grid(panel)
    caption = (
        "Mean gain over the test windows by the noise in them; bars are 95 % intervals from resampling stations, and "
        "methods are moved apart a little for sight. Dashed: what an empty window would gain, which has a ratio of "
        "0 dB. Semi-synthetic: real noise of other stations is added to records of one event, taken as clean; in the "
        f"median test window they stand {_two_digits(standing_out(outcome))} times above their own noise."
    )
    return Picture("Gain against noise", caption, figure)


@styled
def _windows(outcome: Outcome) -> Picture:
    levels, best = three_levels(outcome), outcome.best_baseline
    rows, rate = outcome.examples.rows, float(outcome.index["rate_hz"].iloc[0])
    found = style.colours({"model": None, **outcome.baselines})
    figure, axes = style.grid(4, len(levels), 5.2, sharex=True)
    for column, level in enumerate(levels):
        i = typical(outcome, level)
        clean, onset = rows["clean"][i], rows["onset"][i] / rate
        traces = {
            "Clean": (clean, INK),
            "Noisy": (rows["noisy"][i], INK),
            "Model": (outcome.model[i], found["model"]),
            best[:1].upper() + best[1:]: (outcome.baselines[best][i], found[best]),
        }
        time, bound = np.arange(clean.shape[-1]) / rate, 1.15 * np.abs(clean[COMPONENT]).max()
        for panel, (name, (window, colour)) in zip(axes[:, column], traces.items(), strict=True):
            panel.axvline(onset, color=MUTED, lw=0.8, ls=":")
            panel.plot(time, window[COMPONENT], color=colour, lw=0.6, rasterized=True)
            panel.set(xlim=(0, time[-1]), ylim=(-bound, bound), yticks=[])
            panel.spines["left"].set_visible(False)
            if column == 0:
                panel.set_ylabel(name)
            if name != "Clean":
                ratio = f"{round(float(denoising.snr_db(clean, window)), 1) + 0.0:.1f} dB".replace(
                    "-", "\N{MINUS SIGN}"
                )
                box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
                panel.text(0.01, 0.97, ratio, transform=panel.transAxes, va="top", fontsize=8, color=INK, bbox=box)
        axes[0, column].set_title(f"{denoising.level_name(level)}, station {outcome.index['station'].iloc[i]}")
        axes[-1, column].set_xlabel("Time in the window (s)")
    caption = (
        "Vertical component of the test window with the median gain of the model at the lowest, the middle and the "
        "highest ratio to the added noise, chosen by this rule and not by eye. All rows of a column have the scale of "
        "the clean window; what swings beyond it is cut off. Small print: ratio of signal to error over all three "
        "components. Dotted: P onset, derived rather than read by an analyst. The noisy windows are semi-synthetic."
    )
    return Picture("Typical windows", caption, figure)


@styled
def _spectra(outcome: Outcome) -> Picture:
    levels, best = three_levels(outcome), outcome.best_baseline
    level = levels[len(levels) // 2]
    i = typical(outcome, level)
    windows = {
        "Clean": outcome.examples.rows["clean"][i],
        "Noisy": outcome.examples.rows["noisy"][i],
        "Model": outcome.model[i],
        best[:1].upper() + best[1:]: outcome.baselines[best][i],
    }
    sizes = {name: _amplitude(window[COMPONENT]) for name, window in windows.items()}
    top = sizes["Clean"].max()
    rate, samples = float(outcome.index["rate_hz"].iloc[0]), windows["Clean"].shape[-1]
    time, frequency = STFT_SHOWN.centres(samples) / rate, STFT_SHOWN.frequencies(rate)
    figure, axes = style.grid(2, 3, 4.6, sharex=True, sharey=True)
    levels_of = {name: 20 * np.log10(np.maximum(size / top, 1e-6)) for name, size in sizes.items()}
    scale = {"vmin": -RANGE_DB, "vmax": 0, "cmap": SEQUENTIAL}
    meshes = [_draw(panel, time, frequency, levels_of[name], name, **scale)
              for panel, name in zip(axes[:, :2].flat, windows, strict=True)]  # fmt: skip
    masks = []
    for panel, name, title in zip(axes[:, 2], list(windows)[2:], ("model", best), strict=True):
        share = np.minimum(sizes[name] / np.maximum(sizes["Noisy"], 1e-9), 1)
        masks.append(_draw(panel, time, frequency, share, f"Kept by {title}", vmin=0, vmax=1, cmap="Greys"))
    for panel in axes[-1]:
        panel.set_xlabel("Time in the window (s)")
    for panel in axes[:, 0]:
        panel.set_ylabel("Frequency (Hz)")
    figure.colorbar(
        meshes[0], ax=axes[:, 1], label="Amplitude (dB of the clean window's peak)", extend="both", pad=0.02
    )
    figure.colorbar(masks[0], ax=axes[:, 2], label="Share of amplitude", pad=0.02)
    caption = (
        f"Short-time spectra of the vertical component, of the window at {denoising.level_name(level)} of the figure "
        "above. At right, amplitude after denoising over amplitude before: the mask as it works, overlaps of frames "
        "included, where the method draws one."
    )
    return Picture("In time and frequency", caption, figure)


@styled
def _onsets(outcome: Outcome) -> Picture:
    rows, rate = outcome.examples.rows, float(outcome.index["rate_hz"].iloc[0])
    level, best = outcome.index["snr_db"].to_numpy(), outcome.best_baseline
    found = style.colours({"model": None, **outcome.baselines})
    shown = {"noisy": rows["noisy"], best: outcome.baselines[best], "model": outcome.model}
    middle = np.unique(level)[len(np.unique(level)) // 2]
    figure, axes = style.grid(1, 2, 3.0, sharey=True)
    edges = np.linspace(-LATE_S, LATE_S, 42)  # an odd number of bins: one lies about zero
    name = denoising.level_name(middle)
    panels = {f"below {name}": level < middle, f"{name} and above": level >= middle}
    for panel, (title, own) in zip(axes[0], panels.items(), strict=True):
        for name, windows in shown.items():
            shift = denoising.onset_shift(rows["clean"][own], windows[own], rows["onset"][own], rate)
            counts, _ = np.histogram(np.clip(shift, -LATE_S, LATE_S), edges)
            near = 100 * np.sum(np.abs(shift) <= denoising.NEAR_S) / max(own.sum(), 1)
            colour = MUTED if name == "noisy" else found[name]
            label = f"{name}: {near:.0f} % within {1000 * denoising.NEAR_S:g} ms"
            panel.stairs(100 * counts / max(own.sum(), 1), 1000 * edges, color=colour, lw=1.6, label=label)
        panel.set(title=f"Ratio to added noise {title}", xlabel="Shift of the P onset (ms)")
        panel.legend(loc="upper left")
        style.light_grid(panel)
    axes[0, 0].set(ylabel="Test windows (%)", ylim=(0, 1.3 * axes[0, 0].get_ylim()[1]))  # room for the legend
    before, after = denoising.SEARCH_S
    caption = (
        "Onset picked on the vertical (minimum of the AIC) minus that picked by the same rule on the clean window, "
        f"looked for from {before:g} s before to {after:g} s after the true one: right of zero is too late. Bins of "
        f"{1000 * (edges[1] - edges[0]):.0f} ms. It does not hear what lies {-10 * np.log10(denoising.WATER):.0f} "
        "dB below the stretch it looks at: one that does takes for the onset what a mask lets through before it, up to "
        "a frame early."
    )
    return Picture("Shift of onsets", caption, figure)


def _amplitude(trace: np.ndarray) -> np.ndarray:
    """Amplitude (frame, bin)."""
    return np.sqrt((STFT_SHOWN.forward(trace) ** 2).sum(-2))


def _draw(
    panel: Axes, time: np.ndarray, frequency: np.ndarray, shown: np.ndarray, title: str, **colour: Any
) -> QuadMesh:
    mesh = panel.pcolormesh(time, frequency, shown.T, shading="nearest", rasterized=True, **colour)
    panel.set(title=title, xlim=(max(time[0], 0), time[-1]), ylim=(0, frequency[-1]))
    return mesh


def _two_digits(value: float) -> str:
    """A number to two significant digits, thousands parted."""
    digits = 1 - int(np.floor(np.log10(value)))
    return f"{round(value, digits):,.0f}" if digits <= 0 else f"{value:.{digits}f}"
