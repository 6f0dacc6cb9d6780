"""The one command, whole: every table and figure at smoke scale, on sets of the real shape with made-up content."""

import numpy as np
import pytest
from scipy.io import wavfile
from typer.testing import CliRunner

from labsupport import data, paper
from labsupport.__main__ import app
from labsupport.data import images
from labsupport.reproduce import protocol, studies
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import in_order

pytestmark = pytest.mark.filterwarnings("ignore")  # these sets are no known editions
NETWORK = "F2"  # it is in every study


@pytest.fixture
def sets(monkeypatch, tmp_path):
    """MNIST, CIFAR-10 and FSDD in an empty folder: 200 images each, and 22 recordings of two digits."""
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    for name, shape in (("mnist", (1, 28, 28)), ("cifar10", (3, 32, 32))):
        monkeypatch.setitem(images.SHAPES, name, (200, 50, shape, 10))
        parts = {}
        for part, count in (("train", 200), ("test", 50)):
            parts[f"x_{part}"] = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
            parts[f"y_{part}"] = np.arange(count) % 10
        np.savez(tmp_path / f"{name}.npz", **parts)
    recordings = tmp_path / "fsdd" / "recordings"
    recordings.mkdir(parents=True)
    time = np.arange(2_400) / 8_000
    for digit in (3, 7):
        for index in range(11):
            sound = np.sin(2 * np.pi * (300 * digit + 10 * index) * time)
            wavfile.write(
                recordings / f"{digit}_ann_{index}.wav", 8_000, (2e4 * sound).astype("<i2")
            )
    return tmp_path


def ask(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_all_studies_run_and_are_compared(sets):
    out = sets / "out"
    call = ("reproduce", "all", "--networks", NETWORK, "--seeds", 1, "--scale", "smoke")
    units = in_order(studies.units("all", [NETWORK], "smoke", 1))
    assert f"{len(units)} done now, 0 known before" in ask(*call, "--out", out)
    assert f"0 done now, {len(units)} known before" in ask(*call, "--out", out)

    tables = Ledger(out, writable=False).tables()
    assert sorted(set(tables["training"].network)) == [NETWORK]
    assert set(tables["line"].path) == {"line", "curve"}
    assert {"end", "epoch 1"} <= set(tables["sharpness"].point)
    assert set(tables["sharpness"].epsilon) == set(studies.EPSILONS)
    assert np.isfinite(tables["sharpness"].sharpness).all()
    named = set(tables["training"].recipe)
    assert {"as in the paper", "conservative", "from SB epoch 1"} <= named

    beside = ask("compare", out)
    assert NETWORK in beside and "exploratory" in beside
    assert str(paper.table3()["mean"].max()) not in beside


def test_networks_for_images_are_trained_too(sets):
    out = sets / "out"
    rest = ("--seeds", 1, "--scale", "smoke", "--out", out)
    assert "4 done now" in ask("reproduce", "table2", "--networks", "F1,C1", *rest)
    ask("reproduce", "appendix-e", "--networks", "C1", *rest)
    assert "augmented" in set(Ledger(out, writable=False).tables()["training"].recipe)


def test_a_study_on_data_that_are_not_here_leaves_its_networks_out(sets):
    (sets / "cifar10.npz").unlink()
    assert not data.available("cifar10")
    said = ask(
        "reproduce",
        "table2",
        "--networks",
        "F1",
        "--seeds",
        1,
        "--scale",
        "smoke",
        "--estimate",
        "--out",
        sets / "out",
    )
    assert "F1" in said and protocol.DATA["F1"] in said
