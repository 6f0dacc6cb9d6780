"""Committed results: strict JSON, whole, and from somewhere."""

import json
import math

import pandas as pd
import pytest

from labsupport import provenance
from labsupport.errors import UnknownName


def strict(path):
    def refuse(word):
        raise ValueError(f"{word} in {path.name} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.parametrize(
    "path", sorted(provenance.FOLDER.glob("*.json")), ids=lambda path: path.stem
)
def test_a_committed_result_says_where_it_comes_from(path):
    content = strict(path)
    if path.stem.startswith("paper"):  # the paper's own numbers
        assert "keskar" in path.read_text(encoding="utf-8").lower()
    else:
        assert {"date", "commit", "machine", "torch", "python"} <= set(content["provenance"])


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = pd.DataFrame({"name": ["a", "b"], "wanted": [1.5, math.nan], "count": [3, 4]})
    path = provenance.write("trial", rows, provenance.here(seeds=5), folder=tmp_path)
    assert strict(path)["rows"][1] == {"name": "b", "wanted": None, "count": 4}
    found, about = provenance.read("trial", folder=tmp_path)
    pd.testing.assert_frame_equal(found, rows, check_dtype=False)
    assert about["seeds"] == 5 and not list(tmp_path.glob("*.partial"))
    with pytest.raises(UnknownName):
        provenance.read("trail", folder=tmp_path)


def test_a_copy_that_was_brought_somewhere_says_its_commit(monkeypatch, tmp_path):
    monkeypatch.delenv("LABSUPPORT_COMMIT", raising=False)
    assert provenance.commit(tmp_path) == "unknown"
    monkeypatch.setenv("LABSUPPORT_COMMIT", "05ac20d")
    assert provenance.commit(tmp_path) == "05ac20d"
    assert provenance.commit() == "05ac20d"  # though another repository may lie around the copy
