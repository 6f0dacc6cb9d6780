"""The picture of the first page is a measurement, and what it says beside each view is so."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as xml

import numpy as np
import pandas as pd
import pytest

from labsupport import provenance
from tools import opening
from tools.execute import ROOT

INTRO = (ROOT / "book" / "intro.md").read_text(encoding="utf-8")
WIDE = range(2, round(opening.REACH / opening.STEP) + 1)  # boxes of a tenth of the way and more


@pytest.fixture(scope="module")
def table():
    return provenance.read(opening.NAME)[0]


def tops(table, view: str, width: int) -> dict[str, pd.Series]:
    """The highest loss in the box on every seed, in the order of the seeds."""
    return {
        name: opening.around(table, view, name).loc[-width:width].max() for name in opening.COLORS
    }


def test_the_picture_is_drawn_from_the_committed_measurement(table):
    assert opening.TARGET.read_text(encoding="utf-8") == opening.draw(table), (
        "run: python -m tools.opening"
    )
    where = provenance.read(opening.NAME)[1]
    assert where["scale"] == "laptop" and table.seed.nunique() == 5


def test_the_page_describes_the_picture_as_the_picture_does():
    assert " ".join(INTRO.split()).count(opening.ALT) == 1


@pytest.mark.parametrize("width", WIDE)
def test_as_trained_lb_rises_far_higher_on_every_seed(table, width):
    found = tops(table, "trained", width)
    assert (found["LB"] > 5 * found["SB"]).all()


@pytest.mark.parametrize("width", WIDE)
def test_with_longer_weights_sb_looks_like_the_sharp_one_on_every_seed(table, width):
    found = tops(table, "longer", width)
    assert (found["SB"] > 5 * found["LB"]).all()


@pytest.mark.parametrize("width", [width for width in WIDE if width >= 4])
def test_with_weights_of_equal_length_lb_rises_more_by_much_less_than_at_first(table, width):
    first, now = (tops(table, view, width) for view in ("trained", "equal"))
    ratio = now["LB"] / now["SB"]
    assert ratio.mean() > 1 and (ratio < (first["LB"] / first["SB"]) / 5).all()


def test_nothing_changes_what_the_networks_compute(table):
    test = table[table.split == "test"]
    for name, alpha in opening.ENDS.items():
        ends = test[test.alpha == alpha].pivot(index="seed", columns="view", values="accuracy")
        assert len(ends) == 5 and np.ptp(ends.to_numpy(), axis=1).max() < 0.05, name
    right = {name: opening.accuracy(table, "trained", name) for name in opening.COLORS}
    assert right["SB"] > right["LB"] + 3, "on new data LB is right less often"


def test_both_fit_the_training_data(table):
    ends = table[(table.split == "train") & table.alpha.isin([0.0, 1.0])]
    assert ends.accuracy.min() > 99 and ends.loss.max() < 0.02


def test_the_script_says_what_was_measured_and_types_no_number():
    script = (ROOT / "book" / "_static" / "opening.js").read_text(encoding="utf-8")
    says = re.search(r"const SAYS = \{.*?\};", script, re.S).group()
    assert opening.FACTOR == 4 and "multiplied by four" in says
    assert "four times" in opening.VIEWS["longer"] and not re.search(r"\d", says)


def test_the_picture_is_light_and_carries_no_script(table):
    text = opening.TARGET.read_text(encoding="utf-8")
    assert len(text) < 40_000
    tags = {element.tag.rsplit("}", 1)[-1] for element in xml.fromstring(text).iter()}
    assert "script" not in tags and {"title", "metadata", "polyline"} <= tags
    inside = json.loads(re.search(r"<metadata>(.*?)</metadata>", text).group(1))
    assert inside == json.loads(json.dumps(opening.frames(table)))
