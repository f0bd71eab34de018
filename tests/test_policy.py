"""What a reader found passes only if the policy of the dataset admits it."""

import pytest

from geojax.data.findings import FATAL, REMEDIES, Finding, by_file, judge, record
from geojax.errors import UserError


def finding(kind: str, trace: str = "NL.HGN..BHZ") -> Finding:
    return Finding(kind, "day.mseed", trace, 3, "2024-05-10T00:00:00Z", "something is wrong")


@pytest.mark.parametrize("kind", REMEDIES)
def test_each_kind_passes_only_if_it_is_admitted(kind):
    for given in (finding(kind), finding(kind).plain()):
        judge([given], [kind])
        judge([given], ["all"])
        with pytest.raises(UserError) as caught:
            judge([given], sorted(set(REMEDIES) - {kind}))
        assert str(caught.value).startswith(f"day.mseed: NL.HGN..BHZ: {kind}: something is wrong, first at 2024-05-10")
        assert f"write `quality: admit: [{kind}]` in the dataset's configuration" in str(caught.value)


@pytest.mark.parametrize("kind", FATAL)
def test_what_no_policy_may_admit_is_refused_under_every_policy_and_never_recorded(kind):
    for refuse in (lambda: judge([finding(kind)], ["all"]), lambda: record([finding("gap"), finding(kind)])):
        with pytest.raises(UserError, match=rf"{kind}: something is wrong.* {FATAL[kind]}"):
            refuse()
    with pytest.raises(
        UserError, match=f"{kind!r} must be all or one of gap, .*; contradiction, infinite, damage, unsorted never"
    ):
        judge([], [kind])
    assert not set(REMEDIES) & set(FATAL)


def test_the_first_finding_is_told_and_the_rest_are_counted():
    with pytest.raises(UserError) as caught:
        judge([finding("gap"), finding("flat"), finding("clip"), finding("spike", "X")], ["clip"])

    assert ": gap: something is wrong" in str(caught.value)
    assert str(caught.value).endswith("(2 more: NL.HGN..BHZ flat, X spike.)")


def test_a_kind_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="quality: admit: 'gasp' must be all or one of gap"):
        judge([], ["gasp"])


def test_findings_of_one_kind_file_and_trace_are_recorded_as_one_that_counts():
    every = [finding("gap"), finding("gap"), finding("flat"), finding("gap", "X")]

    assert [(f["kind"], f["trace"], f["count"]) for f in record(every)] == [
        ("gap", "NL.HGN..BHZ", 6), ("flat", "NL.HGN..BHZ", 3), ("gap", "X", 3)
    ]  # fmt: skip
    assert [(f["kind"], f["trace"], f["count"]) for f in record(by_file(every))] == [
        ("gap", "all", 9),
        ("flat", "all", 3),
    ]
