"""What chapter 9's scorecard asks: five questions, which claims bear on them, and what other papers say.

Typed here are the questions, to which of them a claim belongs, and what abstracts of other papers say. No verdict is:
`scorecards` computes them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question about the paper.

    ``yes``: claims that speak for a yes if they are held, and against it if they are refuted; ``no``: the other way
    round. ``beside``, and every other claim of ``chapters``, point neither way. ``pro``, ``contra``: what other papers'
    abstracts say.
    """

    asks: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    chapters: tuple[int, ...]
    pro: tuple[str, ...]
    contra: tuple[str, ...]
    beside: tuple[str, ...] = ()


QUESTIONS = (
    Question(
        "Is there a gap, at one learning rate and when both have fitted the training set?",
        (
            "2.1",
            "2.2",
            "2.3",
            "2.8",
            "2.10",
            "2.11",
            "7.1",
            "7.3",
            "7.4",
            "7.7",
            "10.1",
            "10.6",
            "10.9",
            "10.14",
            "10.16",
            "10.18",
            "10.22",
        ),
        ("2.4", "2.5", "8.16", "10.2", "10.10"),
        (1, 2, 7),
        ("Masters and Luschi 2018: best results consistently with batches of 2 to 32",),
        ("Shallue 2019: in 168,160 models no evidence that larger batches degrade performance",),
        ("10.25", "10.27"),
    ),
    Question(
        "Are large batches' minima sharper, by the paper's measure?",
        (
            "2.6",
            "2.9",
            "2.12",
            "3.1",
            "3.2",
            "4.1",
            "4.2",
            "4.3",
            "4.5",
            "4.6",
            "4.7",
            "4.9",
            "4.11",
            "4.12",
            "5.2",
            "5.4",
            "5.5",
            "5.6",
            "8.22",
            "8.24",
            "10.3",
            "10.4",
            "10.5",
            "10.7",
            "10.8",
            "10.11",
            "10.12",
            "10.13",
            "10.15",
            "10.17",
            "10.19",
            "10.23",
            "10.26",
            "10.28",
        ),
        ("4.10", "9.2"),
        (3, 4, 5),
        (
            "Jastrzebski 2018: the ratio of rate to batch size is a key determinant of the minimum's width",
        ),
        ("Dinh 2017: rescaling can make a minimum arbitrarily sharp, with the same function",),
    ),
    Question(
        "Also by measures repaired against rescaling?",
        ("3.6", "9.4", "9.5", "9.16", "10.24"),
        ("3.5",),
        (),
        (),
        (),
    ),
    Question(
        "Can the gap of chapter 2 be removed?",
        (
            "2.7",
            "6.1",
            "6.3",
            "6.6",
            "6.7",
            "6.8",
            "8.1",
            "8.3",
            "8.4",
            "8.8",
            "8.9",
            "8.10",
            "8.12",
            "8.15",
            "8.16",
            "8.21",
            "8.23",
        ),
        ("6.4", "8.18"),
        (6, 8),
        (
            "Hoffer 2017, Goyal 2017: a higher rate, ghost batch norm, more updates, warm-up",
            "Geiping 2022: on CIFAR-10 explicit regularization can replace the implicit one of SGD",
        ),
        ("Kaur 2022: benefits of larger rates sometimes vanish at larger batch sizes",),
    ),
    Question(
        "Is sharpness the cause?",
        ("8.20", "9.8", "9.9", "9.10", "9.11", "9.12", "9.13", "9.14", "9.17", "9.18"),
        ("2.5", "8.2", "9.1"),
        (9,),
        (
            "Foret 2021: SAM, which seeks neighborhoods of low loss, "
            "improves generalization on a variety of benchmarks",
            "Wen 2023: for some two-layer ReLU networks flatness provably implies generalization",
        ),
        (
            "Andriushchenko 2023: adaptive sharpness does not correlate well with generalization",
            "Kaur 2022: the largest eigenvalue can be changed without affecting generalization",
            "Wen 2023: there are flattest models that do not generalize",
            "Jastrzebski 2019: a lower rate along the sharpest directions can lead to sharper solutions "
            "that generalize better",
        ),
        ("8.7", "8.19"),
    ),
)
