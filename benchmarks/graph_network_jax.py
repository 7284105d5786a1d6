"""The literal formulation of the authors' network in JAX, as a peer from another framework; it needs pip install jax.

The formulas are those of `benchmarks.graph_network.Literal`, compiled by XLA, in float32, with Adam written out.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

EPS, RATE, BETA1, BETA2 = 1e-3, 1e-3, 0.9, 0.999


class Peer:
    """Trains and predicts on batches of arrays: vertices (b, n, f), adjacency (b, n, n), mask (b, n)."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = {name: jnp.asarray(array) for name, array in weights.items()}
        zeros = {name: jnp.zeros_like(array) for name, array in self.weights.items()}
        self.state = zeros, zeros, jnp.zeros(())
        self.train, self.predict = jax.jit(_train), jax.jit(_forward, static_argnames="training")

    def step(self, batch: tuple, wanted: jax.Array) -> None:
        """Take one step of Adam, and wait for it."""
        self.weights, self.state = jax.block_until_ready(self.train(self.weights, self.state, *batch, wanted))

    def outputs(self, batch: tuple) -> jax.Array:
        """Predict, and wait for the outputs."""
        return jax.block_until_ready(self.predict(self.weights, *batch, training=False))


def _layer(w, i, v, a):
    return (a @ v) @ w[f"layer{i}_weights"] + v @ w[f"layer{i}_weights_self"] + w[f"layer{i}_bias"]


def _norm(w, i, v, training, mask=None):
    mean, variance = 0.0, 1.0
    if training:
        mask = jnp.ones_like(v[..., :1]) if mask is None else mask
        mean = (v * mask).sum((0, 1)) / mask.sum()
        variance = (jnp.square(v - mean) * mask).sum((0, 1)) / mask.sum()
    return jax.nn.relu((v - mean) / jnp.sqrt(variance + EPS) * w[f"norms_{i}_scale"] + w[f"norms_{i}_shift"])


def _pool(w, i, v, a, mask=None):
    logits = v @ w[f"pool{i}_weights"] + w[f"pool{i}_bias"]
    factors = jax.nn.softmax(logits if mask is None else logits * mask, axis=1)
    gather = factors.swapaxes(1, 2)
    return gather @ v, gather @ (a @ factors)


def _forward(w, v, a, mask, training):
    mask = mask[..., None]
    v = _norm(w, 0, _layer(w, 1, v, a), training, mask)
    v = _norm(w, 1, _layer(w, 2, v, a), training, mask)
    v, a = _pool(w, 1, v, a, mask)
    v = _norm(w, 2, v, training)
    v = _norm(w, 3, _layer(w, 3, v, a), training)
    v = _norm(w, 4, _layer(w, 4, v, a), training)
    v, _ = _pool(w, 2, v, a)
    v = _norm(w, 5, v, training).reshape(len(v), -1)
    return jax.nn.relu(v @ w["dense_weights"] + w["dense_bias"]) @ w["output_weights"] + w["output_bias"]


def _train(w, state, v, a, mask, wanted):
    gradients = jax.grad(lambda w: jnp.square(_forward(w, v, a, mask, True)[:, 0] - wanted).mean())(w)
    m, s, n = state
    n = n + 1
    m = jax.tree.map(lambda old, g: BETA1 * old + (1 - BETA1) * g, m, gradients)
    s = jax.tree.map(lambda old, g: BETA2 * old + (1 - BETA2) * g * g, s, gradients)
    rate = RATE * jnp.sqrt(1 - BETA2**n) / (1 - BETA1**n)
    return jax.tree.map(lambda p, m, s: p - rate * m / (jnp.sqrt(s) + 1e-8), w, m, s), (m, s, n)
