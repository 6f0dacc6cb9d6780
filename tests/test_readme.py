"""The README's first minute is true: its picture is a measurement, its example runs, its commands are there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as xml

from labsupport import provenance
from tools import commands, moving
from tools.execute import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_moving_picture_is_drawn_from_the_committed_measurement():
    line, where = provenance.read(moving.NAME)
    assert moving.TARGET.read_text(encoding="utf-8") == moving.draw(line), (
        "run: python -m tools.moving"
    )
    assert where["scale"] == "laptop" and line.seed.nunique() == 5


def test_the_moving_picture_says_what_its_title_and_its_description_say():
    line, _ = provenance.read(moving.NAME)
    wide = line[line.split == "train"].pivot(index="alpha", columns="seed", values="loss")
    rise = {
        name: wide.loc[out] / wide.loc[end]
        for name, end, out in (("SB", 0.0, -0.125), ("LB", 1.0, 1.125))
    }
    assert (rise["LB"] > 10 * rise["SB"]).all(), (
        "a cliff behind LB and a gentle slope behind SB, on every seed"
    )
    assert wide.loc[[0.0, 1.0]].max().max() < 0.02, "both ends lie near a loss of a few thousandths"
    assert " ".join(README.split()).count(moving.ALT) == 1


def test_the_moving_picture_is_light_needs_no_script_and_can_stand_still():
    text = moving.TARGET.read_text(encoding="utf-8")
    assert len(text) < 100_000 and "prefers-reduced-motion" in text
    tags = {element.tag.rsplit("}", 1)[-1] for element in xml.fromstring(text).iter()}
    assert "script" not in tags and {"title", "style", "polyline", "circle"} <= tags


def test_the_two_commands_are_commands():
    block = re.search(r"## Two commands\n\n```bash\n(.*?)```", README, re.S).group(1)
    words = re.findall(r"^make (?:[A-Z]+=\w+ )?(\w+)", block, re.M)
    assert words == ["book", "test"] and set(words) <= set(commands.COMMANDS)


def test_the_example_uses_no_name_that_warns(recwarn):
    example = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    exec(example.split("runs =")[0], {})
    assert not [warning for warning in recwarn if issubclass(warning.category, DeprecationWarning)]


def test_the_readme_is_short():
    assert len(README.split()) < 650
