"""Ours beside the paper's: for each network the order, the ratio and its interval, as tables and as Markdown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from labsupport import files, intervals, paper
from labsupport.reproduce import protocol
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import OWN_RATE, PLAIN

#: With fewer seeds a row is exploratory and bears no claim.
SEEDS = 5


def interval(values) -> tuple[float, float, float]:
    """Mean, low and high of the 95 percent interval of `intervals.interval`; NaN ends for fewer than `SEEDS` values,
    which bear no claim.

    >>> interval([1.0, 2.0, 3.0, 4.0, 5.0])[0], interval([1.0, 2.0, 3.0])
    (3.0, (2.0, nan, nan))
    """
    values = np.asarray(values, dtype=float)
    if len(values) < SEEDS:
        return float(values.mean()), float("nan"), float("nan")
    mean, low, high = intervals.interval(values)
    return mean, low, high


def gaps(training: pd.DataFrame) -> pd.DataFrame:
    """Table 2, ours: SB minus LB on the test set, by network and data set, paired by seed, in points.

    Columns: run (`protocol.label`), network, dataset, train_size, seeds, SB, LB (mean test accuracy),
    gap, low, high (NaN below `SEEDS` seeds), paper (Table 2's gap, NaN for other data), standing ("exploratory" there).
    """
    plain = training[training.recipe == PLAIN].drop_duplicates(
        ["network", "dataset", "train_size", "batch", "seed"]
    )
    published = (
        paper.table2()
        .query("split == 'test'")
        .pivot(index="network", columns="batch", values="mean")
    )
    own = paper.table1().set_index("network").dataset
    rows = []
    for (network, dataset, size), part in plain.groupby(
        ["network", "dataset", "train_size"], dropna=False
    ):
        wide = part.pivot(index="seed", columns="batch", values="test_accuracy").dropna()
        if not {"SB", "LB"} <= set(wide.columns) or wide.empty:
            continue
        gap, low, high = interval(wide.SB - wide.LB)
        same = own[network].lower().replace("-", "") == dataset
        rows.append(
            {
                "run": protocol.label(network, dataset, size),
                "network": network,
                "dataset": dataset,
                "train_size": size,
                "seeds": len(wide),
                "SB": wide.SB.mean(),
                "LB": wide.LB.mean(),
                "gap": gap,
                "low": low,
                "high": high,
                "paper": published.SB[network] - published.LB[network] if same else np.nan,
                "standing": "claim" if len(wide) >= SEEDS else "exploratory",
            }
        )
    return pd.DataFrame(rows)


def ratios(sharpness: pd.DataFrame) -> pd.DataFrame:
    """Tables 3 and 4, ours: how many times as sharp LB is, by network, width and space; the mean of
    logarithms, paired by seed.

    Columns: run, network, dataset, train_size, epsilon, subspace_dim, estimator, starts, seeds, SB and
    LB (median phi, percent), ratio, low, high (geometric), paper (the published ratio of means, NaN
    for other data), standing.
    """
    plain = sharpness[(sharpness.recipe == PLAIN) & (sharpness.point == "end")]
    keys = ["network", "dataset", "train_size", "epsilon", "subspace_dim", "estimator", "starts"]
    published = {"full": paper.table3(), "subspace": paper.table4()}
    own = paper.table1().set_index("network").dataset
    rows = []
    for key, part in plain.groupby(keys, dropna=False):
        at = dict(zip(keys, key))
        wide = part.pivot_table(index="seed", columns="batch", values="sharpness").dropna()
        if not {"SB", "LB"} <= set(wide.columns) or wide.empty or not (wide > 0).all(axis=None):
            continue
        mean, low, high = interval(np.log(wide.LB / wide.SB))
        table = published["full" if pd.isna(at["subspace_dim"]) else "subspace"]
        its = table[
            (table.network == at["network"]) & np.isclose(table.epsilon, at["epsilon"])
        ].set_index("batch")["mean"]
        same = own[at["network"]].lower().replace("-", "") == at["dataset"]
        rows.append(
            {
                "run": protocol.label(at["network"], at["dataset"], at["train_size"]),
                **at,
                "seeds": len(wide),
                "SB": wide.SB.median(),
                "LB": wide.LB.median(),
                "ratio": np.exp(mean),
                "low": np.exp(low),
                "high": np.exp(high),
                "paper": its.LB / its.SB if same else np.nan,
                "standing": "claim" if len(wide) >= SEEDS else "exploratory",
            }
        )
    return pd.DataFrame(rows)


def in_full_space(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of sharpness, or of `ratios`, in full space at epsilon 1e-3 by our own estimator."""
    return table[
        table.subspace_dim.isna() & (table.epsilon == 1e-3) & (table.estimator == "strong")
    ]


#: The columns of `own_rates`.
OWN_RATES = (
    *("run", "network", "dataset", "train_size", "seeds", "SB", "LB", "own"),
    *("gained", "gained_low", "gained_high", "left", "left_low", "left_high"),
    *("ratio", "low", "high", "standing"),
)


def own_rates(training: pd.DataFrame, sharpness: pd.DataFrame) -> pd.DataFrame:
    """Large batches at the square-root rule's learning rate (`studies.own_rate`), beside both as in the paper.

    Columns: run, network, dataset, train_size, seeds (those trained in all three ways), SB, LB, own (mean test
    accuracy, percent); gained (own minus LB) and left (SB minus own), points, paired by seed; ratio, how many times as
    sharp LB is as own (full space, epsilon 1e-3, our estimator; NaN where not measured); each with its low and high,
    NaN below `SEEDS` seeds; standing.
    """
    keys = ["network", "dataset", "train_size"]
    one = [*keys, "batch", "recipe", "seed"]
    training = training.drop_duplicates(one)
    if len(sharpness):
        ends = in_full_space(sharpness[sharpness.point == "end"]).drop_duplicates(one)
        training = training.merge(ends[[*one, "sharpness"]], how="left", on=one)
    rows = []
    for key, part in training.groupby(keys, dropna=False):
        wide = _three_ways(part, "test_accuracy")
        if wide.empty:
            continue
        gained, left = interval(wide.own - wide.LB), interval(wide.SB - wide.own)
        times = (np.nan,) * 3
        if "sharpness" in part and len(phi := _three_ways(part, "sharpness")):
            times = tuple(np.exp(interval(np.log(phi.LB / phi.own))))
        rows.append(
            {
                "run": protocol.label(*key),
                **dict(zip(keys, key)),
                "seeds": len(wide),
                **{name: wide[name].mean() for name in ("SB", "LB", "own")},
                **dict(zip(("gained", "gained_low", "gained_high"), gained)),
                **dict(zip(("left", "left_low", "left_high"), left)),
                **dict(zip(("ratio", "low", "high"), times)),
                "standing": "claim" if len(wide) >= SEEDS else "exploratory",
            }
        )
    return pd.DataFrame(rows, columns=OWN_RATES)


def _three_ways(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """``column`` by seed, for the seeds with all three: SB and LB as in the paper, own is LB at its own rate."""
    ways = {"SB": ("SB", PLAIN), "LB": ("LB", PLAIN), "own": ("LB", OWN_RATE)}
    return pd.DataFrame(
        {
            name: rows[(rows.batch == batch) & (rows.recipe == recipe)].set_index("seed")[column]
            for name, (batch, recipe) in ways.items()
        }
    ).dropna()


def tables(folder: Path | str) -> dict[str, pd.DataFrame]:
    """{"gaps": `gaps`, "ratios": `ratios`, "own_rates": `own_rates`} of a results folder.

    Raises ValueError where it holds rows of several codes or editions for one network on as many
    samples of one data set, which do not belong in one table.
    """
    found = Ledger(folder, writable=False).tables()
    if found["training"].empty:
        raise ValueError(
            f"{folder} holds no finished training. Run `labsupport reproduce table2 --out {folder}` first."
        )
    for column, what in (("code", "versions of the code"), ("edition", "editions of the data")):
        runs = found["training"].groupby(["network", "dataset", "train_size"], dropna=False)
        for (network, dataset, _), part in runs:
            several = sorted(part[column].unique())
            if len(several) > 1:
                raise ValueError(
                    f"{folder} holds rows of {network} on {dataset} by several {what}: {', '.join(several)}. "
                    "They do not belong in one table: compare each folder on its own."
                )
    found_gaps = gaps(found["training"])
    found_ratios = ratios(found["sharpness"]) if len(found["sharpness"]) else pd.DataFrame()
    found_own = own_rates(found["training"], found["sharpness"])
    return {"gaps": found_gaps, "ratios": found_ratios, "own_rates": found_own}


def markdown(found: dict[str, pd.DataFrame]) -> str:
    """All tables as Markdown."""
    parts = [
        "## The generalization gap (Table 2)",
        "",
        "Test accuracy after small batches minus after large ones, in points; a 95 % t-interval over five seeds "
        "or more.",
        "",
    ]
    parts += [
        _lines(
            found["gaps"],
            {
                "gap": "{:+.2f}",
                "low": "{:+.2f}",
                "high": "{:+.2f}",
                "SB": "{:.2f}",
                "LB": "{:.2f}",
                "paper": "{:+.2f}",
            },
        )
    ]
    parts += [
        "",
        "## How many times as sharp (Tables 3 and 4)",
        "",
        "phi of LB over phi of SB, paired by seed: geometric mean and 95 % interval. Every phi is a lower bound.",
        "",
    ]
    parts += [
        _lines(
            found["ratios"],
            {
                "subspace_dim": "full space",
                "ratio": "{:.1f}",
                "low": "{:.1f}",
                "high": "{:.1f}",
                "SB": "{:.3g}",
                "LB": "{:.3g}",
                "paper": "{:.1f}",
            },
        )
    ]
    points = dict.fromkeys(("gained", "gained_low", "gained_high", "left", "left_low"), "{:+.2f}")
    parts += [
        "",
        "## Large batches at a learning rate of their own (not in the paper)",
        "",
        "own: LB at small batches' rate times the square root of the ratio of batch sizes. SB, LB, own: test accuracy "
        "in percent; gained: own minus LB, left: SB minus own, in points; ratio: how many times as sharp LB is as own.",
        "",
        _lines(
            found["own_rates"],
            {
                **dict.fromkeys(("SB", "LB", "own"), "{:.2f}"),
                **points,
                "left_high": "{:+.2f}",
                **dict.fromkeys(("ratio", "low", "high"), "{:.1f}"),
            },
        ),
    ]
    return "\n".join(parts) + "\n"


def _lines(table: pd.DataFrame, shown: dict[str, str]) -> str:
    if table.empty:
        return "*Not run.*"

    def text(column: str, value) -> str:
        how = shown.get(column, "{}")
        if isinstance(value, float) and np.isnan(value):
            return how if "{" not in how else "–"
        return how.format(value) if "{" in how else f"{value:g}"

    table = table.drop(columns=["network", "train_size"])  # `run` says both
    rows = [
        [text(column, value) for column, value in row.items()] for row in table.to_dict("records")
    ]
    head = [str(column) for column in table.columns]
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]
    )


def write(folder: Path | str, out: Path | str | None = None) -> Path:
    """Write ``compare.md``, a CSV of each table and a figure into ``out``, by default the
    results' own folder.
    """
    found, out = tables(folder), Path(out or folder)
    write_tables(found, out)
    figure(found, out / "compare.svg")
    return out / "compare.md"


def write_tables(found: dict[str, pd.DataFrame], out: Path) -> None:
    """Write what `tables` found into ``out``: ``compare.md``, and a CSV of each table that has a row."""
    files.write(out / "compare.md", markdown(found))
    for name, table in found.items():
        if len(table):
            files.write(out / f"{name}.csv", table.to_csv(index=False))


def figure(found: dict[str, pd.DataFrame], path: Path) -> None:
    """Gap and ratio by network, ours with its interval and the paper's, as a picture."""
    import matplotlib.pyplot as plt

    from labsupport import plots

    plots.use_style()
    picture, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for ax, table, value, label in (
        (left, found["gaps"], "gap", "gap (points)"),
        (right, found["ratios"], "ratio", "phi of LB over phi of SB"),
    ):
        if len(table):
            if value == "ratio":
                table = in_full_space(table)
            places = np.arange(len(table))
            middle = table[value].to_numpy()
            reach = np.nan_to_num(np.array([middle - table.low, table.high - middle]))
            ax.errorbar(
                places,
                middle,
                yerr=reach,
                fmt="o",
                color="black",
                capsize=4,
                label="ours, 95 % interval",
            )
            ax.plot(
                places, table.paper, "s", color=plots.GREY, markerfacecolor="none", label="paper"
            )
            ax.set_xticks(places, table.run.str.replace(", ", "\n"))
            ax.legend()
        ax.set(ylabel=label)
    right.set_yscale("log")
    left.axhline(0, color=plots.GREY, linewidth=1)
    left.set_title("Do large batches test worse?")
    right.set_title("Are their minimizers sharper?")
    picture.savefig(path)
    plt.close(picture)
