"""JAX, as its users write it: ``jit`` over ``vmap`` over ``scan``. The same networks, starts,
batches and formulas as ours.

An extra (``pip install "jax[cpu]"``); without it `missing` says why its rows are left out.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor

from labsupport.objective import Objective

try:
    import jax
    import jax.numpy as jnp
except ImportError as error:
    jax, missing = None, f"JAX is not here ({error}); pip install 'jax[cpu]'"
else:
    missing = None


def double():
    """In this block JAX computes in float64 what is float64."""
    return jax.enable_x64(True)


def params(f: Objective, x: Tensor) -> list[dict]:
    """x (S, n) of a chain of linear layers and batch norms as JAX's users hold it: a list of
    layers, a leading axis of S.
    """
    views = f.layout.split(x)
    found = []
    for block in f.blocks:
        names = {"w": block.weight, "b": block.bias, "scale": block.scale, "shift": block.shift}
        layer = {key: jnp.asarray(views[name].cpu().numpy()) for key, name in names.items() if name}
        layer["w"] = layer["w"].transpose(0, 2, 1)  # (S, in, out)
        found.append(layer)
    return found


def loss(layers: list[dict], x, y, mean: bool = True):
    """Cross-entropy of one network on a batch x (B, in), y (B,)."""
    h = x.reshape(len(x), -1)
    for layer in layers[:-1]:
        z = h @ layer["w"] + layer["b"]
        z = (z - z.mean(0)) * jax.lax.rsqrt(z.var(0) + 1e-5)
        h = jax.nn.relu(z * layer["scale"] + layer["shift"])
    logits = h @ layers[-1]["w"] + layers[-1]["b"]
    logs = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
    return -logs.mean() if mean else -logs.sum()


def _adam(layers, gradient, m, v, t, rate=1e-3):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, gradient)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradient)

    def move(p, m, v):
        return p - rate * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return jax.tree.map(move, layers, m, v), m, v


def _epoch(state, order, x, y):
    """One seed: a scan over the batches, ``order`` (steps, B); the state behind it and the losses (steps,)."""

    def step(state, rows):
        layers, m, v, t = state
        value, gradient = jax.value_and_grad(loss)(layers, x[rows], y[rows])
        layers, m, v = _adam(layers, gradient, m, v, t + 1)
        return (layers, m, v, t + 1), value

    return jax.lax.scan(step, state, order)


class Training:
    """S seeds of a network, by batches of ``batch`` samples; ``compiling`` says how many seconds
    the first call took.
    """

    def __init__(self, f: Objective, x: Tensor, batch: int):
        self.x, self.y = (
            jnp.asarray(f.inputs.numpy()),
            jnp.asarray(f.labels.numpy().astype("int32")),
        )
        layers = params(f, x)
        zeros = jax.tree.map(jnp.zeros_like, layers)
        self.state = (layers, zeros, zeros, jnp.zeros(len(x)))
        self.key, self.batch = jax.random.key(0), batch
        self.run = jax.jit(jax.vmap(_epoch, in_axes=(0, 0, None, None)))
        self.shuffle = jax.jit(partial(_orders, seeds=len(x), total=len(self.y), batch=batch))
        began = time.perf_counter()
        self.run.lower(self.state, self.shuffle(self.key), self.x, self.y).compile()
        self.compiling = time.perf_counter() - began

    def epoch(self) -> None:
        """One epoch of every seed, each in an order of its own."""
        self.key, now = jax.random.split(self.key)
        self.by(self.shuffle(now))

    def by(self, order):
        """One epoch in a given order (S, steps, B); the losses (S, steps)."""
        self.state, losses = self.run(self.state, order, self.x, self.y)
        return losses.block_until_ready()


def _orders(key, *, seeds: int, total: int, batch: int):
    keys = jax.random.split(key, seeds)
    steps = total // batch
    return jax.vmap(
        lambda one: jax.random.permutation(one, total)[: steps * batch].reshape(steps, batch)
    )(keys)


def evaluation(f: Objective, x: Tensor):
    """A function without arguments: the loss and its gradient on all samples, at x (S, n), compiled."""
    layers, inputs, labels = (
        params(f, x),
        jnp.asarray(f.inputs.numpy()),
        jnp.asarray(f.labels.numpy().astype("int32")),
    )
    find = jax.jit(jax.vmap(jax.value_and_grad(loss), in_axes=(0, None, None)))

    def evaluate():
        return jax.block_until_ready(find(layers, inputs, labels))

    evaluate()
    return evaluate


def as_vector(found) -> Tensor:
    """Losses or an array of JAX's as a tensor."""
    return torch.from_numpy(np.asarray(found).copy())
