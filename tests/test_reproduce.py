"""The paper's tables as units of work: each is done once, survives a kill and a flipped byte, and
is the same wherever it runs.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from labsupport import Problem, Recipe, data, paper
from labsupport.__main__ import app
from labsupport.errors import UnknownName
from labsupport.reproduce import (
    cluster,
    committed,
    compare,
    estimate,
    machines,
    protocol,
    run,
    studies,
)
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import KEPT, PLAIN, Line, Sharpness, Training, in_order

SMALL = Problem("F0", "mnist1d", 120)


def training(seed=0, **changes):
    return Training(SMALL, "SB", Recipe(40, epochs=2), seed, **changes)


def quietly(units, ledger):
    return run.do(units, ledger, told=lambda line: None)


def rows_of(ledger):
    """All rows, but for what differs from run to run."""
    tables = ledger.tables()
    return {
        kind: table.drop(columns=["seconds"], errors="ignore").to_dict("records")
        for kind, table in tables.items()
    }


def test_what_is_needed_is_done_first_and_everything_once(tmp_path):
    small, large = training(), Training(SMALL, "LB", Recipe(120, epochs=2), 0)
    units = [Sharpness(small), Line(small, large, points=3), Sharpness(small, subspace_dim=5)]
    ledger = Ledger(tmp_path)
    assert [unit.id.split("-")[0] for unit in in_order(units)] == [
        "training",
        "sharpness",
        "training",
        "line",
        "sharpness",
    ]
    first, second = quietly(units, ledger), quietly(units, ledger)
    assert (first.done, first.known, first.failed) == (5, 0, {}) and (
        second.done,
        second.known,
    ) == (0, 5)
    tables = ledger.tables()
    assert tables["sharpness"].columns[:6].tolist() == [
        "network",
        "dataset",
        "train_size",
        "batch",
        "recipe",
        "seed",
    ]
    line = tables["line"].query("split == 'train'")
    f = SMALL.objective()
    assert line.loss.tolist()[:1] == pytest.approx(
        [float(f(2 * tensor(ledger, small) - tensor(ledger, large)))], rel=1e-4
    )


def tensor(ledger, unit):
    import torch

    return torch.from_numpy(ledger.points(unit.id)["end"])


def test_every_row_says_where_it_comes_from(tmp_path):
    ledger = Ledger(tmp_path)
    quietly([training()], ledger)
    (body,) = ledger.bodies()
    assert {
        "commit",
        "date",
        "machine",
        "torch",
        "python",
        "labsupport",
        "code",
        "device",
        "edition",
    } <= set(body["provenance"])
    assert body["provenance"]["edition"] == "MNIST-1D" and body["provenance"]["code"] == run.code()


def test_a_row_of_other_code_is_done_again(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    quietly([training()], ledger)
    monkeypatch.setattr(run, "code", lambda: "another")
    assert quietly([training()], ledger).done == 1


@pytest.mark.parametrize(
    "folder, name", [("rows", "training-*.json"), ("points", "training-*.npz")]
)
def test_a_flipped_byte_is_said_and_the_unit_is_done_again(tmp_path, folder, name):
    ledger = Ledger(tmp_path)
    quietly([Sharpness(training())], ledger)
    before = rows_of(ledger)
    (path,) = (tmp_path / folder).glob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    (tmp_path / "rows" / f"{Sharpness(training()).id}.json").unlink()
    with pytest.warns(UserWarning, match="is damaged"):
        quietly([Sharpness(training())], ledger)
        quietly([Sharpness(training())], ledger)
    assert rows_of(ledger) == before and list((tmp_path / "damaged").iterdir())


def test_a_warm_start_begins_where_the_other_was(tmp_path):
    small = training(keep=(1,))
    warm = Training(SMALL, "LB", Recipe(120, epochs=1), 0, start=(small, "epoch 1"))
    ledger = Ledger(tmp_path)
    quietly([warm], ledger)
    assert np.array_equal(ledger.points(warm.id)["start"], ledger.points(small.id)["epoch 1"])


def test_a_seed_whose_points_are_kept_is_not_counted_twice():
    """Figure 6 trains the seeds of Table 2 again, and keeps points: in one folder both stand, and one counts."""
    again = [unit.training for unit in studies.figure6("F2", "smoke", 1)]
    assert {run.name for run in again} == {KEPT}
    assert {unit.name for unit in studies.table2("F2", "smoke", 1)} == {PLAIN}
    rows = [
        {**run.columns, "recipe": name, "test_accuracy": accuracy + (run.batch == "SB")}
        for run in again
        for name, accuracy in ((PLAIN, 60.0), (KEPT, 90.0 if run.batch == "SB" else 0.0))
    ]
    (found,) = compare.gaps(pd.DataFrame(rows)).itertuples()
    assert found.seeds == 1 and found.gap == 1.0


SCRIPT = """
import sys
from labsupport import Problem, Recipe
from labsupport.reproduce import run
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import Sharpness, Training
units = [Sharpness(Training(Problem("F0", "mnist1d", 120), "SB", Recipe(40, epochs=30), seed), epsilon=epsilon)
         for seed in range(2) for epsilon in (1e-3, 5e-4)]
print("ready", flush=True)
print(run.do(units, Ledger(sys.argv[1]), told=lambda line: print(line, flush=True)))
"""


def started(folder):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        # a commit made between two of these processes is no difference between their results
        env=os.environ | {"LABSUPPORT_COMMIT": "05ac20d"},
    )


def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_rows(tmp_path):
    whole = started(tmp_path / "whole")
    assert whole.wait(timeout=180) == 0
    for delay in (0.05, 0.4, 1.0):
        process = started(tmp_path / "killed")
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = started(tmp_path / "killed")
    assert last.wait(timeout=180) == 0
    assert rows_of(Ledger(tmp_path / "killed")) == rows_of(Ledger(tmp_path / "whole"))


def test_two_processes_on_one_folder_share_the_work(tmp_path):
    both = [started(tmp_path), started(tmp_path)]
    said = "".join(process.communicate(timeout=180)[0] for process in both)
    assert all(process.returncode == 0 for process in both)
    quietly([Sharpness(training())], Ledger(tmp_path))
    done = [line.split()[1] for line in said.splitlines() if line.startswith("done ")]
    assert len(done) == len(set(done))


def test_a_cluster_that_loses_a_worker_ends_with_the_same_rows(tmp_path):
    distributed = pytest.importorskip(
        "dask.distributed", reason="dask is not installed (an extra: labsupport[dask])"
    )
    units = [Sharpness(Training(SMALL, "SB", Recipe(40, epochs=20), seed)) for seed in range(3)]
    quietly(units, Ledger(tmp_path / "here"))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as machines:
        victim = next(iter(machines.workers.values())).process.pid

        def told(line, killed=[]):  # noqa: B006  once
            if not killed:
                killed.append(os.kill(victim, signal.SIGKILL))

        outcome = cluster.do(
            units, Ledger(tmp_path / "there"), machines.scheduler_address, told=told
        )
    assert outcome.failed == {} and outcome.done == 6
    assert rows_of(Ledger(tmp_path / "there")) == rows_of(Ledger(tmp_path / "here"))


def test_no_scheduler_at_that_address_is_one_sentence():
    pytest.importorskip(
        "dask.distributed", reason="dask is not installed (an extra: labsupport[dask])"
    )
    with pytest.raises(OSError, match="No Dask scheduler answers at tcp://127.0.0.1:9"):
        cluster.connect("tcp://127.0.0.1:9", seconds=1)


# -- the protocol ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("study", studies.STUDIES)
def test_every_study_has_its_units_at_smoke_scale(study, monkeypatch):
    monkeypatch.setattr(
        Problem, "load", lambda self, device=None: data.load("mnist1d", train_size=160)
    )
    for wish in ("F1", "C1"):
        units = studies.units(study, [wish], "smoke", 2)
        shown = wish in studies.SHOWN.get(study, protocol.DATA)
        assert bool(units) == shown and len({unit.id for unit in in_order(units)}) == len(
            in_order(units)
        )


def test_small_and_large_batches_share_start_and_recipe():
    if not data.available("mnist"):
        pytest.skip("MNIST is not on this machine")
    arms = protocol.arms("F1", "paper")
    assert (arms["SB"].recipe.batch_size, arms["LB"].recipe.batch_size) == (256, 6_000)
    assert arms["SB"].recipe.but(batch_size=6_000) == arms["LB"].recipe


def test_a_quarter_of_the_cut_has_as_many_updates_an_epoch_and_stops_at_one_loss():
    for wish in ("F2", "C1"):
        whole, quarter = (protocol.sizes(wish, scale) for scale in ("reduced", "small"))
        assert {name: size // 4 for name, size in whole.items()} == quarter
        samples = [protocol.problem(wish, scale).train_size for scale in ("reduced", "small")]
        assert samples[0] == 4 * samples[1]
        both = protocol.arms(wish, "small")
        assert both["SB"].recipe.but(batch_size=quarter["LB"]) == both["LB"].recipe
        assert both["SB"].recipe.stop_loss == protocol.LOSS and not both["SB"].recipe.stop_plateau


def test_photographs_stop_at_a_loss_where_the_papers_rule_takes_days():
    for wish, scale, loss in (
        ("C1", "paper", None),
        ("C1", "reduced", protocol.LOSS),
        ("C3", "reduced", protocol.LOSS),
        ("F1", "reduced", None),
        ("F2", "small", protocol.LOSS),
    ):
        recipe = protocol.recipe(wish, "LB", scale, 7)
        assert recipe.stop_loss == loss and (recipe.stop_plateau is None) == (loss is not None)
        assert protocol.records(wish, scale) == (10 if loss else 40)


def test_every_training_of_a_scale_is_noted_as_often(monkeypatch):
    monkeypatch.setattr(Problem, "load", lambda self, device=None: data.load("mnist1d"))
    units = in_order(studies.units("all", ["C1"], "small", 1))
    assert {unit.records for unit in units if isinstance(unit, Training)} == {
        protocol.records("C1", "small")
    }


def test_how_often_a_training_is_noted_changes_neither_its_end_nor_its_name():
    often, rarely = training(), dataclasses.replace(training(), records=1)
    assert often.id == rarely.id
    one, other = (unit.run({}) for unit in (often, rarely))
    assert (one.points["end"] == other.points["end"]).all()
    assert len(one.history) > len(other.history)


@pytest.mark.parametrize("wish", ["F9", "F1/cifar10", "C1/mnist"])
def test_an_unknown_network_or_its_data_is_named(wish):
    with pytest.raises(UnknownName):
        protocol.named(wish)


def test_an_estimate_counts_what_is_left(tmp_path):
    ledger, units = Ledger(tmp_path), [Sharpness(training(seed)) for seed in range(2)]
    quietly(units[:1], ledger)
    table = estimate.table(units, lambda unit: ledger.done(unit, run.code()))
    assert table.units.tolist() == [2, 2] and table.done.tolist() == [1, 1]
    assert (table["hours at most"] >= 0).all() and (table.GB > 0).all()


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc to read the memory from"
)
def test_the_memory_of_an_estimate_is_what_measuring_c1_takes():
    """250 images of noise in the place of CIFAR-10, in a process of its own: Python and torch are not counted."""
    code = """
import torch
from pathlib import Path
from labsupport import Problem, Recipe, sharpness, training
from labsupport.data import Dataset
from labsupport.reproduce import estimate
from labsupport.reproduce.units import Sharpness, Training
images, labels = torch.randn(250, 3, 32, 32), torch.arange(250) % 10
problem = Problem("C1", Dataset.of(images, labels, images[:10], labels[:10]))
unit = Sharpness(Training(problem, "SB", Recipe(64, epochs=1), 0))
told = estimate.memory(unit)
x = training.start("C1", [0])[0]
most = lambda: 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before = most()
sharpness.sharpness(problem.objective(device="cpu"), x, iterations=1)
print(told, most() - before)
"""
    took = []
    # the library of convolutions holds twice as much for a moment in some processes, not in most
    for _ in range(3):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told, its = map(float, ran.stdout.split())
        took.append(its)
    took = min(took)
    assert 0.6 * took < told < 1.6 * took, f"told {told / 1e9:.2f} GB, took {took / 1e9:.2f} GB"


# -- beside the paper -----------------------------------------------------------------------------------------------


def made_up(folder, gap=0.3, ratio=50.0, seeds=5, own=0):
    """A ledger with rows of F1 on MNIST as if trained: a known gap and a known ratio. ``own`` seeds of large batches
    at their own rate lose half of the gap and are half as sharp."""
    ledger = Ledger(folder)
    problem = Problem("F1", "mnist")
    rng = np.random.default_rng(0)
    for seed in range(seeds):
        arms = [
            ("SB", "as in the paper", Recipe(256, epochs=1), 98.0, 2.0),
            ("LB", "as in the paper", Recipe(6000, epochs=1), 98.0 - gap, 2.0 * ratio),
            (
                "LB",
                "square-root rate",
                Recipe(6000, epochs=1, learning_rate=0.1),
                98.0 - gap / 2,
                ratio,
            ),
        ]
        for batch, name, recipe, accuracy, phi in arms if seed < own else arms[:2]:
            unit = Training(problem, batch, recipe, seed, name)
            row = {
                **unit.columns,
                "test_accuracy": accuracy + 0.01 * rng.normal(),
                "train_loss": 0.01,
            }
            where = {"commit": "abc", "code": "c", "machine": "m", "torch": "t", "edition": "MNIST"}
            ledger.write(unit, run.Result([row]), where)
            wide = Sharpness(unit)
            ledger.write(
                wide,
                run.Result(
                    [
                        {
                            **unit.columns,
                            "point": "end",
                            "epsilon": 1e-3,
                            "subspace_dim": None,
                            "estimator": "strong",
                            "starts": 1,
                            "sharpness": phi,
                            "loss": 0.01,
                        }
                    ]
                ),
                where,
            )
    return ledger


def test_a_comparison_finds_the_gap_and_the_ratio_that_are_there(tmp_path):
    made_up(tmp_path)
    found = compare.tables(tmp_path)
    gap, ratio = found["gaps"].iloc[0], found["ratios"].iloc[0]
    assert (
        gap.gap == pytest.approx(0.3, abs=0.03)
        and gap.low < 0.3 < gap.high
        and gap.standing == "claim"
    )
    published = (
        paper.table2().query("network == 'F1' and split == 'test'").set_index("batch")["mean"]
    )
    assert gap.paper == pytest.approx(published.SB - published.LB)
    assert ratio.ratio == pytest.approx(50) and ratio.paper == pytest.approx(205.14 / 1.23)


def test_fewer_than_five_seeds_are_exploratory(tmp_path):
    made_up(tmp_path, seeds=3)
    assert set(compare.tables(tmp_path)["gaps"].standing) == {"exploratory"}


def test_large_batches_at_a_rate_of_their_own_stand_beside_both(tmp_path):
    made_up(tmp_path / "all", own=5)
    found = compare.tables(tmp_path / "all")
    [row] = found["own_rates"].to_dict("records")
    assert row["seeds"] == 5 and row["standing"] == "claim"
    assert (
        row["gained_low"] < 0.15 < row["gained_high"] and row["left_low"] < 0.15 < row["left_high"]
    )
    assert row["gained"] + row["left"] == pytest.approx(row["SB"] - row["LB"])
    assert row["ratio"] == pytest.approx(2)
    assert (
        "| F1, all | mnist | 5 |" in compare.markdown(found).split("learning rate of their own")[1]
    )
    plain = compare.tables(made_up(tmp_path / "none").folder)
    for name in ("gaps", "ratios"):  # another recipe's rows are in neither table of the paper
        assert found[name].run.tolist() == plain[name].run.tolist()
        assert found[name].seeds.tolist() == [5]
    assert plain["own_rates"].empty and "*Not run.*" in compare.markdown(plain)


def test_committed_tables_hold_one_recipe_and_another_name_is_refused():
    for recipe in ("as in the paper", "square-root rate"):
        found = committed.tables(recipe)
        assert set(found["training"].recipe) == set(found["sharpness"].recipe) == {recipe}
    with pytest.raises(UnknownName, match="square-root rate"):
        committed.tables("square root")


def test_of_fewer_seeds_at_their_own_rate_only_those_are_compared(tmp_path):
    made_up(tmp_path, own=2)
    [row] = compare.tables(tmp_path)["own_rates"].to_dict("records")
    assert row["seeds"] == 2 and row["standing"] == "exploratory" and np.isnan(row["gained_low"])


def test_the_rate_of_their_own_follows_the_square_root_rule(monkeypatch):
    monkeypatch.setattr(protocol, "sizes", lambda wish, scale: {"SB": 64, "LB": 1024})
    runs = [unit for unit in studies.own_rate("C1", "reduced", 2) if isinstance(unit, Training)]
    assert [run.recipe.learning_rate for run in runs] == [4e-3] * 2
    assert {run.recipe.batch_size for run in runs} == {1024}
    asked = [unit for unit in studies.own_rate("C1", "reduced", 2) if isinstance(unit, Sharpness)]
    assert {unit.epsilon for unit in asked} == {1e-3, 5e-4} and len(asked) == 4


def test_rows_of_two_editions_are_not_put_in_one_table(tmp_path):
    ledger = made_up(tmp_path)
    path = next((tmp_path / "rows").glob("training-*.json"))
    body = json.loads(path.read_text())
    unit = Training(Problem("F1", "mnist"), "SB", Recipe(256, epochs=1), 99)
    ledger.write(
        unit,
        run.Result([{**body["rows"][0], "seed": 99}]),
        {**body["provenance"], "edition": "MNIST, changed"},
    )
    with pytest.raises(ValueError, match="several editions"):
        compare.tables(tmp_path)


def test_the_comparison_is_written_as_text_tables_and_a_picture(tmp_path):
    made_up(tmp_path)
    text = compare.write(tmp_path).read_text()
    assert "| F1, all | mnist | 5 |" in text and "full space" in text
    assert pd.read_csv(tmp_path / "ratios.csv").ratio[0] == pytest.approx(50)
    assert (tmp_path / "compare.svg").read_text().lstrip().startswith("<?xml")


# -- the command line -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not on this machine")
def test_the_command_runs_resumes_and_compares(tmp_path):
    call = [
        "reproduce",
        "table4",
        "--networks",
        "F1",
        "--seeds",
        "1",
        "--scale",
        "smoke",
        "--out",
        str(tmp_path / "a b"),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = CliRunner().invoke(app, call), CliRunner().invoke(app, call)
        beside = CliRunner().invoke(app, ["compare", str(tmp_path / "a b")])
    assert first.exit_code == 0 and "6 done now, 0 known before" in first.output, first.output
    assert "0 done now, 6 known before" in second.output
    assert beside.exit_code == 0 and "exploratory" in beside.output


@pytest.mark.parametrize(
    "call, says",
    [
        (["reproduce", "table9"], "study"),
        (["reproduce", "table2", "--scale", "huge"], "scale"),
        (["reproduce", "table2", "--networks", "F7"], "F7"),
        (["reproduce", "table2", "--seeds", "0"], "seeds"),
        (["reproduce", "table2", "--networks", " "], "Nothing is left"),
        (["compare", "nowhere"], "no folder"),
    ],
)
def test_what_cannot_be_is_one_sentence(call, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 1 and says in str(result.exception)


def test_a_folder_that_cannot_be_written_is_said_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Nothing can be kept in .* Point --out at another folder"):
        Ledger(tmp_path / "file" / "results")


def test_many_may_open_one_folder_at_one_moment(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: Ledger(tmp_path), range(400)))


# -- what is committed ----------------------------------------------------------------------------------------------

rows_are_there = pytest.mark.skipif(
    not committed.FOLDER.is_dir(), reason="no row of the paper's networks is committed yet"
)


@rows_are_there
def test_every_committed_row_says_where_it_comes_from():
    bodies = list(Ledger(committed.FOLDER, writable=False).bodies())
    assert len(bodies) == len(list((committed.FOLDER / "rows").glob("*.json"))) > 0
    for body in bodies:
        assert all(body["provenance"].get(key) for key in committed.KNOWN), body["unit"]
        assert body["rows"], body["unit"]


@rows_are_there
@pytest.mark.parametrize(
    "wish, scale", [("F1", "reduced"), ("F2", "reduced"), ("C1", "small"), ("C1", "reduced")]
)
def test_committed_trainings_are_those_of_todays_protocol(wish, scale):
    """Else the command would train them again."""
    trained = committed.tables()["training"]
    run = protocol.label(*protocol.named(wish), protocol.problem(wish, scale).train_size)
    plain = trained[(trained.run == run) & (trained.recipe == "as in the paper")]
    there = {body["unit"] for body in Ledger(committed.FOLDER, writable=False).bodies()}
    todays = {unit.id for unit in studies.table2(wish, scale, 5)}
    assert len(todays & there) == len(plain.drop_duplicates(["batch", "seed"])) > 0


@rows_are_there
@pytest.mark.parametrize("name", ["gaps", "ratios", "own_rates"])
def test_every_committed_summary_follows_from_its_rows(name):
    found = committed.comparison()[name]
    kept = pd.read_csv(committed.FOLDER / f"{name}.csv")
    pd.testing.assert_frame_equal(found.reset_index(drop=True), kept, check_dtype=False, rtol=1e-12)


@rows_are_there
def test_the_committed_comparison_is_todays():
    text = (committed.FOLDER / "compare.md").read_text(encoding="utf-8")
    assert text == compare.markdown(committed.comparison())


def whole_provenance(**changes):
    return dict.fromkeys(committed.KNOWN, "x") | changes


def test_finished_rows_are_taken_over_once(tmp_path):
    ledger = made_up(tmp_path / "run")
    for path in sorted((tmp_path / "run" / "rows").glob("*.json")):
        body = ledger.read(path.stem)
        path.write_text(signed({**body, "provenance": whole_provenance()}))
    first = committed.take(tmp_path / "run", tmp_path / "kept")
    assert len(first) == 20 and committed.take(tmp_path / "run", tmp_path / "kept") == []
    assert "| F1, all | mnist | 5 |" in (tmp_path / "kept" / "compare.md").read_text()


def signed(body):
    from labsupport.reproduce import ledger

    return json.dumps({"sha256": ledger._digest(body), **body})


@pytest.mark.parametrize(
    "provenance, says",
    [
        ({}, "does not say its date, commit"),
        (whole_provenance(code="other"), "was measured by code other"),
    ],
)
def test_rows_of_unknown_origin_or_other_code_are_refused_and_nothing_is_changed(
    tmp_path, provenance, says
):
    unit = Training(Problem("F1", "mnist"), "SB", Recipe(256, epochs=1), 0)
    row = run.Result([{**unit.columns, "test_accuracy": 98.0}])
    Ledger(tmp_path / "kept").write(unit, row, whole_provenance())
    new = Training(Problem("F1", "mnist"), "SB", Recipe(256, epochs=1), 1)
    Ledger(tmp_path / "run").write(new, row, provenance)
    with pytest.raises(ValueError, match=says):
        committed.take(tmp_path / "run", tmp_path / "kept")
    assert len(list((tmp_path / "kept" / "rows").glob("*.json"))) == 1


def test_the_tool_that_takes_rows_over_says_what_it_needs(capsys):
    from tools import collect

    assert collect.main([]) == 2 and "FOLDER" in capsys.readouterr().err


# -- machines that are not at hand ----------------------------------------------------------------------------------


def test_the_operations_of_a_chain_are_six_times_its_weights():
    weights = 784 * 512 + 4 * 512 * 512 + 512 * 10
    assert machines.operations("F1", 10, (1, 28, 28)) == 6 * weights


def test_a_study_costs_time_by_its_operations_or_by_its_steps(monkeypatch):
    units = [Training(SMALL, "SB", Recipe(40, steps=1000), 0)]
    slow = machines.Machine("slow", 1e9, 100, 1e9)
    monkeypatch.setattr(machines, "SHARE", 1.0)
    (row,) = machines.table(units, [slow]).to_dict("records")
    each = machines.operations("F0", 10, (40,))
    assert row["hours"] * 3600 == pytest.approx(max(40_000 * each / 1e9, 1000 * machines.STEP))
    assert row["kWh"] == pytest.approx(row["hours"] * 0.1) and row["fits"]
    fast = machines.Machine("fast", 1e15, 100, 1e3)
    (row,) = machines.table(units, [fast]).to_dict("records")
    assert row["hours"] * 3600 == pytest.approx(1.0) and not row["fits"]


def test_scipys_estimator_is_left_out_of_what_a_gpu_does():
    run_ = Training(SMALL, "SB", Recipe(40, steps=10), 0)
    with_it = machines.table([run_, Sharpness(run_, method="paper")])
    assert with_it.equals(machines.table([run_]))


@pytest.mark.monthly
@rows_are_there
def test_a_committed_row_trained_again_is_the_same(tmp_path):
    """The cheapest training, from what its row says; to rounding, since the machine may be another."""
    rows = committed.tables()["training"].sort_values("seconds")
    row = rows.iloc[0]
    wish = (
        row.network if protocol.DATA[row.network] == row.dataset else f"{row.network}/{row.dataset}"
    )
    if not data.available(row.dataset):
        pytest.skip(f"{row.dataset} is not on this machine")
    size = None if pd.isna(row.train_size) else row.train_size
    scale = next(at for at in protocol.SCALES if protocol.problem(wish, at).train_size == size)
    arm = protocol.arms(wish, scale)[row.batch]
    again = Training(arm.problem, row.batch, arm.recipe, int(row.seed)).run({}, tmp_path).rows[0]
    assert again["updates"] == pytest.approx(row.updates, rel=0.2)
    assert again["test_accuracy"] == pytest.approx(row.test_accuracy, abs=0.5)
