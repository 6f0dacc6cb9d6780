"""How many threads an evaluation deserves, and in which precision it is computed: the state of torch around a block."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

#: Networks with fewer parameters than this run on one thread: on two shared cores, two threads were seen to
#: wait for each other for up to 300 ms a step. A second core is better used by a second process (`sweep`), or in an
#: evaluation by the next model (`side_by_side`).
TINY = 200_000


@functools.cache
def keep_freed_memory() -> bool:
    """Let the C library keep what one step frees for the next, up to 512 MB; whether it can be told so.

    It would give the memory back to the system and ask for the same again, page by page, in every step: a fifth of an
    evaluation's time on a CPU. Known to glibc alone; elsewhere nothing happens.
    """
    try:
        set_option = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    mmap_threshold, trim_threshold, top_pad = -3, -1, -2  # as in malloc.h
    return all(
        [
            set_option(mmap_threshold, 1 << 28),
            set_option(trim_threshold, 1 << 29),
            set_option(top_pad, 1 << 26),
        ]
    )


@contextmanager
def threads_for(n: int):
    """Run the block on one thread if a network of ``n`` parameters is tiny; restore the number afterwards.

    Yields the number of threads that the block may run `side_by_side`: 1 unless the network is tiny.
    """
    keep_freed_memory()
    before = torch.get_num_threads()
    if n < TINY and before != 1:
        torch.set_num_threads(1)
    try:
        yield before if n < TINY else 1
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


def _precisions() -> list:
    """Where torch keeps how float32 products may be rounded, by kind of product (torch 2.9 and up)."""
    b: Any = torch.backends
    return [b.cuda.matmul, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul, b.mkldnn.conv, b.mkldnn.rnn]


@contextmanager
def full_precision():
    """Float32 products are float32 in the block: TF32 rounds to 10 bits, bf16 to 7; sharpness is a small difference."""
    b: Any = torch.backends
    # the old switches may not be read once the new ones have been used
    if hasattr(b, "fp32_precision"):
        switches = _precisions()
        before = [one.fp32_precision for one in switches]
        try:
            for one in switches:
                one.fp32_precision = "ieee"
            yield
        finally:
            for one, kept in zip(switches, before):
                one.fp32_precision = kept
        return
    products, convolutions = torch.get_float32_matmul_precision(), b.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("highest")
        b.cudnn.allow_tf32 = False
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        b.cudnn.allow_tf32 = convolutions


@contextmanager
def alone(device: torch.device | None = None, dtype: torch.dtype | None = None):
    """What a caller has switched on is off in the block, and on again behind it.

    That is: autocast, inference mode, deterministic algorithms, rounded products, the default dtype (``dtype`` or
    float32 instead) and the default device (``device`` or the CPU instead).
    """
    where = torch.device("cpu") if device is None else device
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        for kind in {"cpu", where.type}:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_dtype() != (dtype or torch.float32):
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(dtype or torch.float32)
        if torch.get_default_device().type != where.type:
            stack.enter_context(where)
        if torch.are_deterministic_algorithms_enabled():
            warns = torch.is_deterministic_algorithms_warn_only_enabled()
            stack.callback(torch.use_deterministic_algorithms, True, warn_only=warns)
            torch.use_deterministic_algorithms(False)
        stack.enter_context(full_precision())
        yield


@contextmanager
def measuring(n: int, device: torch.device | None = None, dtype: torch.dtype | None = None):
    """As `threads_for`, and `alone`: a measure does not depend on what its surroundings have switched on."""
    with threads_for(n) as lanes, alone(device, dtype):
        yield lanes


def outside_inference(method):
    """A method whose tensors autograd can use, also where it is called under inference mode."""

    @functools.wraps(method)
    def outside(*args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return method(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return method(*args, **kwargs)

    return outside


def side_by_side(function: Callable[[Any], None], tasks: Iterable, lanes: int) -> None:
    """``function`` of every task, on ``lanes`` threads of Python; an error in one is raised here.

    One thread computes a task from first to last, so its numbers do not depend on ``lanes``, and
    nobody waits for anybody until all is done. Torch lets go of Python's lock while it computes.
    """
    tasks = list(tasks)
    if min(lanes, len(tasks)) < 2:
        for task in tasks:
            function(task)
    else:
        with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(function, tasks))
