"""The benchmarks compare what they say they compare, and the page of speeds shows what is committed."""

from __future__ import annotations

import functools
import math

import pandas as pd
import pytest
import torch
import torch.nn.functional as F

import benchmarks.__main__
from benchmarks import (
    apgd,
    floors,
    growth,
    limits,
    measures,
    page,
    plain,
    residual,
    searches,
    table,
    vmap,
    with_jax,
)
from benchmarks.pairs import compare
from labsupport import curvature, data, networks, provenance, training
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d", device="cpu", train_size=256)


def test_arms_take_turns_and_the_ratio_is_the_baselines_over_ours(monkeypatch):
    calls, now, times = [], [0.0], {"slow": 3.0, "fast": 1.0}

    def arm(name):
        def run():
            calls.append(name)
            now[0] += times[name]

        return run

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    found = compare(arm("slow"), arm("fast"), pairs=3)
    assert "".join(name[0] for name in calls) == "sf" + "sf" + "fs" + "sf"  # the first two warm up
    assert (found.median, found.low, found.high, found.seconds) == (3.0, 3.0, 3.0, (3.0, 1.0))


def test_short_arms_get_more_pairs(monkeypatch):
    now = [0.0]

    def arm():
        now[0] += 1

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    assert compare(arm, arm, pairs=3, seconds=9).pairs == 5
    assert compare(arm, arm, pairs=3, seconds=2).pairs == 3


def test_no_pairs_no_ratio():
    with pytest.raises(ValueError, match="pairs is 0"):
        compare(int, int, pairs=0)


def test_the_arithmetic_of_a_fully_connected_network(signals):
    """Forward 2 operations a weight and sample, backward twice that, but for the first layer's input."""
    weights = [40 * 128, 128 * 128, 128 * 128, 128 * 10]
    assert limits.work("F0", signals, 64) == 256 * (6 * sum(weights) - 2 * weights[0])


def test_the_peak_is_a_rate_of_this_machine():
    assert 1e9 < limits.peak(torch.device("cpu"), tries=2) < 1e14


def test_the_plain_loop_learns_like_ours(signals):
    """Other shuffles, so not the same numbers; the same sizes, steps and about the same loss."""
    recipe = Recipe(32, epochs=6)
    modules = plain.train("F0", signals, recipe, 2)
    ours = training.train(Problem("F0", signals), recipe, 2, progress=False)
    losses = [
        F.cross_entropy(module(signals.x_train), signals.y_train).item() for module in modules
    ]
    assert len(modules) == 2 and losses == pytest.approx(ours.final.train_loss.tolist(), rel=0.25)


def test_the_plain_search_maximizes_the_same_function(signals):
    x = training.train(Problem("F0", signals), Recipe(32, epochs=10), 1, progress=False).x
    f = Objective("F0", signals.x_train, signals.y_train)
    highest, evaluations = plain.sharpness("F0", x[0], signals)
    witness = sharpness(f, x, method="paper")
    assert highest > float(f(x[0])) and highest == pytest.approx(float(witness.f_max), rel=0.05)
    assert evaluations == pytest.approx(int(witness.evaluations[0]), abs=5)


def test_the_outside_eigenvalue_is_ours(signals):
    from labsupport import curvature

    x = training.train(Problem("F0-plain", signals), Recipe(32, epochs=3), 1, progress=False).x[0]
    f = Objective("F0-plain", signals.x_train, signals.y_train)
    assert plain.top_eigenvalue("F0-plain", x, signals) == pytest.approx(
        float(curvature.top_eigenvalues(f, x)), rel=5e-3
    )


def test_a_search_that_is_faster_but_worse_fails_its_row(signals, monkeypatch):
    monkeypatch.setattr(table.data, "load", lambda name, train_size=None: signals)
    table._sharpness("F0", "mnist1d", None, module=True).quality()
    monkeypatch.setattr(
        measures, "sharpness", lambda f, x, **settings: sharpness(f, x, epsilon=1e-6)
    )
    with pytest.raises(AssertionError, match="was found"):
        table._sharpness("F0", "mnist1d", None, module=True).quality()


def test_jax_takes_the_same_steps(signals, monkeypatch):
    """Equal starts and batches give equal losses, and a step that differs fails its row."""
    if with_jax.missing:
        pytest.skip(with_jax.missing)
    monkeypatch.setattr(table.data, "load", lambda name, **rest: signals)
    arms = table._steps_of_jax("F0", "mnist1d", seeds=2, batch=32)
    arms.quality()
    arms.baseline()
    arms.ours()
    assert arms.said.startswith("compiled in")
    monkeypatch.setattr(with_jax, "_adam", lambda layers, gradient, m, v, t: (layers, m, v))
    with pytest.raises(AssertionError, match="equal batches, but losses"):
        arms.quality()


def test_jax_evaluates_the_same_loss(signals, monkeypatch):
    if with_jax.missing:
        pytest.skip(with_jax.missing)
    f, x = Objective("F0", signals.x_train, signals.y_train), training.start("F0", [0])
    value, gradient = with_jax.evaluation(f, x)()
    assert float(value[0]) == pytest.approx(float(f(x)[0]), rel=1e-5)
    wanted = f.layout.split(f.gradient(x))[f.blocks[1].weight][0]
    assert torch.allclose(with_jax.as_vector(gradient[1]["w"][0]).T, wanted, atol=1e-6)


def test_pyhessian_finds_our_eigenvalue(signals):
    pytest.importorskip("pyhessian")
    x = training.train(Problem("F0-plain", signals), Recipe(32, epochs=3), 1, progress=False).x[0]
    f = Objective("F0-plain", signals.x_train, signals.y_train)
    theirs = plain.top_eigenvalue_by_pyhessian("F0-plain", x, signals)
    assert theirs == pytest.approx(float(curvature.top_eigenvalues(f, x)), rel=1e-2)


def test_the_residual_network_learns_by_the_general_path(signals):
    runs = training.train(
        Problem(residual.Residual(), signals), Recipe(32, epochs=6), 2, progress=False
    )
    assert (runs.final.train_loss < 0.6 * runs.history.train_loss[0]).all()


def test_a_row_whose_program_is_missing_is_left_out_with_its_reason(monkeypatch, capsys):
    row = table.Row(
        "F0", "a program", {"cpu": 1.0}, lambda: None, missing="it is not here; pip install it"
    )
    monkeypatch.setattr(benchmarks.__main__.table, "rows", lambda kind: [row])
    benchmarks.__main__.main(rows="F0", pairs=1)
    assert "left out: it is not here; pip install it" in capsys.readouterr().out


def test_every_operation_of_a_step_has_its_floor(monkeypatch):
    monkeypatch.setattr(floors, "ROUNDS", 4)  # a quartile of fewer is extrapolated, perhaps below 0
    monkeypatch.setattr(floors, "CALLS", 1)
    monkeypatch.setattr(floors, "STEPS", (("F0", "mnist1d", 8, 2), ("F0-plain", "mnist1d", 8, 1)))
    monkeypatch.setattr(limits, "peak", lambda where: 1e11)
    threads = torch.get_num_threads()
    found = floors.tables()
    assert torch.get_num_threads() == threads
    wide = found.pivot_table("microseconds", "operation", "of", sort=False)
    assert list(wide) == ["F0, B = 8, 2 seeds", "F0-plain, B = 8, 1 seed"] and len(wide) == 10
    assert (wide["F0, B = 8, 2 seeds"].drop(floors.REST) > 0).all()
    step, lines = wide["F0, B = 8, 2 seeds"], floors.markdown(found).splitlines()
    adam = next(line for line in lines if line.startswith("| Adam |"))
    assert f"| {100 * step['Adam'] / step[floors.STEP]:.0f} %" in adam
    two_models = 2 * limits.work("F0", data.load("mnist1d"), 8) / 500  # of 500 batches of 8
    assert step[floors.IDEAL] == pytest.approx(two_models / 1e11 * 1e6, abs=0.1)


def test_what_each_search_finds_is_compared_at_equal_evaluations(monkeypatch):
    monkeypatch.setattr(searches, "EVALUATIONS", (11, 22))
    monkeypatch.setattr(searches, "LONG", (3, 10))
    problem = Problem("C0", "mnist1d", 200)
    f, x = problem.objective(), training.start("C0", [0, 1])
    found = searches.rises(f, x)
    assert list(found.evaluations) == [11, 11, 22, 22] and list(found.seed) == [0, 1, 0, 1]
    single = found[found.evaluations == 11]
    assert single.over_auto_pgd.tolist() == pytest.approx(apgd.against_strong(f, x).tolist())
    assert (found.long_over_ours >= 1).all() and (found.rise > 0).all()
    told = searches.markdown(found.assign(network="C0", batch="SB")).splitlines()
    assert len(told) == 4 and told[2].startswith("| C0, SB | 11 | **")


def test_what_fits_in_an_hour():
    curves = [("S", "batches of 32", 5, 1.0)]
    curves += [("N", "one step of the search", samples, samples / 1000) for samples in (2000, 4000)]
    curves += [("n", "one step of the search", n, n / 10_000) for n in (40_000, 80_000)]
    found = growth.hour(pd.DataFrame(curves, columns=["panel", "curve", "x", "milliseconds"]), 1e11)
    answer = found.set_index(["machine", "question"]).answer
    seed = 0.2 * 80 * 125 + 4 * 50  # milliseconds: 10,000 steps and 50 evaluations
    assert answer["2 cores", "seeds of F0 on 4,000 samples"] == pytest.approx(2 * 3.6e6 / seed)
    assert answer["16 cores", "samples for one seed of F0 a process"] == pytest.approx(
        3.6e6 / seed * 4000
    )
    assert answer["a T4", "parameters for one seed on 4,000 samples a process"] == pytest.approx(
        16e9 / 48
    )


def test_who_is_faster_is_said_by_the_whole_range():
    rows = pd.DataFrame(
        {"what": ["a", "b", "c"], "against": "JAX", "low": [1.1, 0.5, 0.9], "high": [2, 0.8, 1.2]}
    )
    assert page.verdict(rows) == (
        "- **JAX**. Ours is faster in every pair: a. It is faster in every pair: b. "
        "Now one, now the other: c."
    )


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_rows_are_named_once_and_ask_for_something(kind):
    rows = [row for row in table.rows(kind) if kind in row.wanted]
    assert len({(row.what, row.baseline) for row in rows}) == len(rows) >= 4
    assert any(not math.isnan(row.wanted[kind]) for row in rows)


def test_the_page_shows_what_is_committed():
    text = page.BOOK.joinpath("speed.md").read_text(encoding="utf-8")
    assert text.startswith(page.HEAD)
    for kind in page.KINDS:
        if (found := page.committed(f"speed-{kind}")) is None:
            assert f"## {page.KINDS[kind]}\n\nNot measured yet" in text
            continue
        rows, about = found
        assert f"at commit {about['commit']}" in text
        assert all(page.line(row) in text for row in rows.itertuples())


def test_a_row_below_what_was_asked_for_is_named(monkeypatch):
    rows = pd.DataFrame(
        [
            {
                "what": "F0",
                "against": "plain loop",
                "commit": provenance.commit(),
                "ratio": 1.5,
                "low": 1.4,
                "high": 1.6,
                "wanted": 5.0,
                "pairs": 5,
                "share": math.nan,
                "possible": math.nan,
            }
        ]
    )
    about = {**provenance.here(), "machine": "a test"}
    monkeypatch.setattr(
        page, "committed", lambda name: (rows, about) if name == "speed-cpu" else None
    )
    text = page.section("cpu")
    assert "| F0 | plain loop | **1.5** | 1.4 to 1.6 | 5 |  |  |" in text
    assert "Below what was asked for: F0 against plain loop." in text


def test_a_row_that_is_measured_again_replaces_its_own_and_says_its_commit(monkeypatch):
    def of(what, **more):
        return {"what": what, "against": "a loop", "ratio": 1.5, "low": 1.4, "high": 1.6, "wanted": 1.0,
                "pairs": 5, "share": math.nan, "possible": math.nan, "commit": "old"} | more  # fmt: skip

    known = pd.DataFrame([of("F1"), of("C1")])
    about = {
        "commit": "old",
        "left_out": {
            "F0, one core: a step, a loop": "it found less",
            "C2, a loop": "it found less",
        },
    }
    monkeypatch.setattr(benchmarks.__main__.provenance, "read", lambda name: (known, about))
    order = [
        table.Row(what, "a loop", {"cpu": 1.0}, lambda: None)
        for what in ("F0, one core: a step", "F1", "C1", "C2")
    ]
    monkeypatch.setattr(benchmarks.__main__.table, "rows", lambda kind: order)
    again = pd.DataFrame([of("C1", ratio=2.0, commit="new"), of(order[0].what, commit="new")])
    rows, said = benchmarks.__main__._renewed("cpu", again)
    assert rows[["what", "ratio", "commit"]].values.tolist() == [
        ["F0, one core: a step", 1.5, "new"], ["F1", 1.5, "old"], ["C1", 2.0, "new"]
    ]  # fmt: skip
    assert said == {"commit": "old", "left_out": {"C2, a loop": "it found less"}}
    found = {"speed-cpu": (rows, {**provenance.here(), **said, "machine": "a test"})}
    monkeypatch.setattr(page, "committed", found.get)
    text = page.section("cpu")
    assert (
        "Measured again at commit new: F0, one core: a step against a loop; C1 against a loop."
        in text
    )
    assert "Left out, because they failed: C2, a loop: it found less." in text


def test_the_first_rows_of_a_kind_of_machine_begin_its_table(monkeypatch, tmp_path):
    read = functools.partial(provenance.read, folder=tmp_path)
    monkeypatch.setattr(benchmarks.__main__.provenance, "read", read)
    first = pd.DataFrame([{"what": "F1", "against": "a loop", "ratio": 2.0}])
    rows, said = benchmarks.__main__._renewed("cuda", first)
    assert rows.equals(first) and {"date", "commit", "machine", "torch"} <= set(said)


def test_the_width_of_f0_gives_f0():
    ours, real = networks.fully_connected(40, 128, 3)(10), networks.build("F0")
    assert [p.shape for p in ours.parameters()] == [p.shape for p in real.parameters()]


@pytest.mark.parametrize("norm", [False, True])
def test_seeds_together_by_vmap_have_the_gradients_of_the_loop(norm):
    network = vmap.Residual(norm=norm)
    x, y = torch.randn(vmap.SEEDS, 6, 40), torch.randint(10, (vmap.SEEDS, 6))
    loop, together = vmap.arms(network, x, y)
    for wanted, found in zip(loop(), together(), strict=True):
        assert wanted.shape == found.shape and torch.allclose(wanted, found, atol=1e-5)
