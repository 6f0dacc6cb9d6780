"""The bench from the command line: ``python -m labsupport --help``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from labsupport import cache, data, device, networks, settings
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.reproduce import commands as reproduction
from labsupport.teach import commands

app = typer.Typer(
    add_completion=False,
    help="Train networks with small and large batches and measure how sharp their minima are.",
)


@app.command()
def describe() -> None:
    """Say which device and scale the course would use here, what data it has, and where it keeps its results."""
    print(device.describe())
    for name in data.NAMES:
        print(f"  {name:<13} {'here' if data.available(name) else 'not yet fetched'}")
    print(f"data: {data.folder()}\nresults: {cache.folder()}")


@app.command("doctor")
def say_how_it_is() -> None:
    """Print versions, machine and folders: what a report of a surprise needs."""
    from labsupport import doctor

    print(doctor.report())


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help=f"data sets, of: {', '.join(data.NAMES)}")],
) -> None:
    """Bring data sets into the data folder, or check those that are there."""
    for name in names:
        print(data.load(name, device="cpu"))


@app.command()
def store(
    forget: Annotated[
        bool, typer.Option(help="delete all results, and say what was deleted")
    ] = False,
) -> None:
    """Say where results are kept and how many there are; or forget them."""
    from labsupport.cache import upkeep

    if forget:
        print(upkeep.forget(cache.folder()))
        return
    found = upkeep.stored(cache.folder())
    size = sum(path.stat().st_size for path in found) / 2**20
    print(f"{len(found):,} results, {size:,.1f} MiB, in {cache.folder()}")


@app.command()
def train(
    network: Annotated[str, typer.Argument(help=f"of: {', '.join(networks.REGISTRY)}")] = "F0",
    batch_size: Annotated[list[int], typer.Option(help="one or more")] = [32, 400],  # noqa: B006
    epochs: int = 80,
    learning_rate: float = 1e-3,
    seeds: int = 5,
    stop_loss: float | None = None,
    train_size: int | None = None,
    sharpness: Annotated[bool, typer.Option(help="measure Metric 2.1 too")] = False,
) -> None:
    """Train a network with one or more batch sizes and print the mean over seeds; finished runs come from the store."""
    from labsupport import experiments, sweep
    from labsupport.errors import choose

    choose("network", network, networks.REGISTRY)
    problem = Problem(network, networks.REGISTRY[network].dataset, train_size)
    recipes = {
        f"B = {size}": Recipe(size, epochs=epochs, learning_rate=learning_rate, stop_loss=stop_loss)
        for size in batch_size
    }
    print(f"{'':<10} {'train loss':>11} {'test %':>14}" + f" {'phi(1e-3) %':>16}" * sharpness)
    for name, runs in sweep.run(problem, recipes, seeds).items():
        found = runs.final
        accuracy = f"{found.test_accuracy.mean():>7.2f} ± {found.test_accuracy.std():.2f}"
        line = f"{name:<10} {found.train_loss.mean():>11.4f} {accuracy}"
        if sharpness:
            phi = experiments.sharpness_of(problem, runs.x, epsilons=(1e-3,)).sharpness
            line += f" {phi.mean():>9.2f} ± {phi.std():.2f}"
        print(line)


@app.command()
def scales() -> None:
    """Print the table of recipes at each scale."""
    for row in settings.TABLE.values():
        print(
            f"{row.name}: {row.main.network} on {row.main.dataset}, {row.seeds} seeds\n  SB {row.SB}\n  LB {row.LB}"
        )


commands.register(app)
reproduction.register(app)


def main() -> None:
    """Run a command; what a reader can mend is said in one line, without a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"labsupport: {error}")


if __name__ == "__main__":
    main()
