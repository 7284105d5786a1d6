"""The graph network against the literal formulation of the authors' network in torch, on the same graphs in one run.

    python cli.py sample --paper-format --clusters 7117 --ids SPLITS --out /tmp/standin
    python cli.py ingest paper /tmp/standin/data.csv --splits /tmp/standin --out /tmp/standin/dataset
    python -m benchmarks.graph_network /tmp/standin/dataset            # speed
    python -m benchmarks.graph_network /tmp/standin/dataset --learn 3  # what both learn in as many graph passes, 3 seeds

Sizes and positions are those of the dataset's clusters; the 577 numbers of an image are simulated. The literal formulation is
float32, padded to 200 vertices, (A·V)·W, batches of 256, masked moments and masked logits, all batches made beforehand; once in
torch and, where JAX is installed (pip install jax), once there. Ours has W first, batches in blocks of similar size, and smaller
batches; its figures are with batches made beforehand, too, in float32 and, where the processor has it, in bfloat16, and with
making them. `as train gcn trains`: each pass over the graphs shows 2 to 64 images of a place, drawn anew, with batches made as
they come. All figures are graphs a second of processor time. The operations of matrix products in both are counted, too: their
ratio is the most that float32 allows at one speed of products. With several threads, only our time with them is compared with
that of one, and so is the time of as many processes, one thread in each, which is how geolive fits folds.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measured import in_turns, ratios, record
from geolive.dataset_folder import read_dataset
from geolive.graphs.batches import Batch, batches_in_blocks, largest_distance_km, subsample_images
from geolive.graphs.edges import parse_edges
from geolive.graphs.gradients import training_outputs
from geolive.graphs.network import GraphNetwork
from geolive.graphs.packed import PackedBatch, packed_batches
from geolive.models.adam import FusedAdam
from geolive.models.photoset_model import FEWEST_SEEN, MOST_SEEN
from geolive.places import Places
from geolive.worker_processes import computed_ahead

FEATURES, PADDED, LITERAL_BATCH = 577, 200, 256
TRAIN_BATCH, PREDICT_BATCH = 32, 16
EDGES = parse_edges("distance")


class Literal(nn.Module):
    """The formulas of the authors' network, one after the other."""

    def __init__(self, features: int, outputs: int):
        super().__init__()
        ours = GraphNetwork(features, outputs, 1, torch.Generator().manual_seed(0))
        self.weights = nn.ParameterDict(
            {name.replace(".", "_"): p.detach().clone() for name, p in ours.named_parameters()}
        )
        widths = (64, 64, 64, 32, 32, 32)
        for i, width in enumerate(widths):
            self.register_buffer(f"mean{i}", torch.zeros(width))
            self.register_buffer(f"variance{i}", torch.ones(width))

    def layer(self, i: int, v: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        w = self.weights
        return (a @ v) @ w[f"layer{i}_weights"] + v @ w[f"layer{i}_weights_self"] + w[f"layer{i}_bias"]

    def norm(self, i: int, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if self.training:
            mask = torch.ones_like(v[..., :1]) if mask is None else mask
            mean = (v * mask).sum((0, 1)) / mask.sum()
            variance = ((v - mean).square() * mask).sum((0, 1)) / mask.sum()
            with torch.no_grad():
                getattr(self, f"mean{i}").lerp_(mean, 0.1)
                getattr(self, f"variance{i}").lerp_(variance, 0.1)
        else:
            mean, variance = getattr(self, f"mean{i}"), getattr(self, f"variance{i}")
        scaled = (v - mean) / torch.sqrt(variance + 1e-3)
        return torch.relu(scaled * self.weights[f"norms_{i}_scale"] + self.weights[f"norms_{i}_shift"])

    def pool(self, i: int, v: torch.Tensor, a: torch.Tensor, mask: torch.Tensor | None = None):
        logits = v @ self.weights[f"pool{i}_weights"] + self.weights[f"pool{i}_bias"]
        factors = torch.softmax(logits if mask is None else logits * mask, dim=1)
        gather = factors.transpose(1, 2)
        return gather @ v, gather @ (a @ factors)

    def forward(self, v: torch.Tensor, a: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        w, a, mask = self.weights, a[:, :, 0], mask[..., None]
        v = self.norm(0, self.layer(1, v, a), mask)
        v = self.norm(1, self.layer(2, v, a), mask)
        v, a = self.pool(1, v, a, mask)
        v = self.norm(2, v)
        v = self.norm(3, self.layer(3, v, a))
        v = self.norm(4, self.layer(4, v, a))
        v, _ = self.pool(2, v, a)
        v = self.norm(5, v).flatten(1)
        return torch.relu(v @ w["dense_weights"] + w["dense_bias"]) @ w["output_weights"] + w["output_bias"]


def graphs_of(folder: str, n: int, seed: int) -> tuple[Places, np.ndarray, np.ndarray]:
    """n clusters of a dataset, features of their images, and values that these follow; features and values are simulated."""
    dataset, rng = read_dataset(folder), np.random.default_rng(seed)
    chosen = dataset.clusters.iloc[np.sort(rng.choice(len(dataset.clusters), n, replace=False))]
    places = dataset.cluster_places(chosen)
    wealth, loading = rng.normal(size=n), np.random.default_rng(99).normal(0, 0.02, FEATURES)
    place = np.repeat(np.arange(n), places.n_images)
    character = rng.normal(0, 0.3, (n, FEATURES)).astype(np.float32) + (wealth[:, None] * loading).astype(np.float32)
    features = rng.standard_normal((len(place), FEATURES), np.float32) + character[place]
    return places, features, wealth + rng.normal(0, 0.5, n)


def literal_batch(places: Places, features: np.ndarray, rows: np.ndarray, d_max_km: float) -> Batch:
    """A batch padded to 200 vertices."""
    (block,) = next(
        batches_in_blocks(
            places.take(rows), _of(places, features, rows), EDGES, d_max_km, n_blocks=1, batch_size=len(rows)
        )
    )
    back, missing = np.argsort(block.rows), PADDED - block.mask.shape[1]
    pad = nn.functional.pad
    return Batch(
        rows,
        pad(block.vertices[back], (0, 0, 0, missing)),
        pad(block.adjacency[back], (0, missing, 0, 0, 0, missing)),
        pad(block.mask[back], (0, missing)),
    )


def _of(places: Places, features: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.concatenate([features[places.offsets[row] : places.offsets[row + 1]] for row in rows])


def step(optimizer: FusedAdam, outputs: torch.Tensor, wanted: torch.Tensor) -> None:
    """Take a step of our network."""
    nn.functional.mse_loss(outputs[:, 0], wanted).backward()
    optimizer.descend()


def adam(network: nn.Module) -> FusedAdam:
    """Return the optimiser of `train gcn`, without decay of weights, as the literal formulation has none."""
    return FusedAdam([{"params": list(network.parameters())}], lr=1e-3)


def graphs_per_second(passes: list[Callable[[], int]], rounds: int) -> list[list[float]]:
    """Graphs per second of processor time, of each pass in each round, in turns after one of each that is not counted."""

    def rate(once: Callable[[], int]) -> float:
        before = time.process_time()
        return once() / (time.process_time() - before)

    for once in passes:
        once()
    return in_turns(rounds, *(partial(rate, once) for once in passes))


def has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 matrices in its own instructions."""
    flags = Path("/proc/cpuinfo")
    return flags.exists() and any(name in flags.read_text() for name in ("avx512_bf16", "amx_bf16"))


def speed(folder: str, n: int, rounds: int, threads: int) -> None:
    """Print graphs a second of processor time of both, in training and in prediction, and record the ratios."""
    torch.set_num_threads(1)
    places, features, values = graphs_of(folder, n, 0)
    values, d_max_km = torch.from_numpy(values).float(), largest_distance_km(places)
    print(f"{n} graphs of {places.n_images.mean():.0f} vertices on average, {FEATURES} features, {threads} thread(s)")
    literal, ours = Literal(FEATURES, 1), GraphNetwork(FEATURES, 1, 1, torch.Generator().manual_seed(0))
    padded = [
        literal_batch(places, features, rows, d_max_km)
        for rows in np.split(np.arange(n), range(LITERAL_BATCH, n, LITERAL_BATCH))
    ]
    by_literal, by_ours = torch.optim.Adam(literal.parameters(), lr=1e-3), adam(ours)

    def seeded() -> torch.Generator:
        return torch.Generator().manual_seed(0)

    def packed() -> Iterator[PackedBatch]:
        return packed_batches(places, features, EDGES, d_max_km, batch_size=TRAIN_BATCH, generator=seeded())

    def blocks(train: bool, batch_size: int) -> Iterator[list[Batch]]:
        settings = {"batch_size": batch_size, "generator": seeded() if train else None, "n_blocks": 4 if train else 1}
        return batches_in_blocks(places, features, EDGES, d_max_km, **settings)

    def train_literal() -> int:
        for batch in padded:
            outputs = literal(batch.vertices, batch.adjacency, batch.mask)
            by_literal.zero_grad()
            nn.functional.mse_loss(outputs[:, 0], values[batch.rows]).backward()
            by_literal.step()
        return n

    def train_ours(source: Callable) -> int:
        for batch in source():
            step(by_ours, training_outputs(ours, batch), values[batch.rows])
        return n

    def train_half() -> int:
        for batch in made_half:
            with torch.autocast("cpu", torch.bfloat16):
                outputs = ours.forward_blocks(batch)
            step(by_ours, outputs.float(), values[np.concatenate([block.rows for block in batch])])
        return n

    def predict(network: Callable, source: Callable, half: bool = False) -> int:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            for batch in source():
                network(batch)
        return n

    made, ready = list(packed()), list(blocks(False, PREDICT_BATCH))
    halves = (False, True) if has_bfloat16() else (False,)
    made_half = list(blocks(True, TRAIN_BATCH)) if has_bfloat16() else []
    names = {False: "float32", True: "bfloat16"}
    training = {"literal, torch": train_literal}
    training["all images, float32"] = lambda: train_ours(lambda: made)
    if has_bfloat16():
        training["all images, bfloat16"] = train_half
    training |= {
        "all images, float32, with making batches": lambda: train_ours(packed),
        "as train gcn trains": lambda: train_ours(lambda: drawn_batches(places, features, d_max_km, seeded())),
    }
    prediction = {"literal, torch": lambda: predict(lambda b: literal(b.vertices, b.adjacency, b.mask), lambda: padded)}
    prediction |= {
        f"all images, {names[half]}": partial(predict, ours.forward_blocks, lambda: ready, half) for half in halves
    }
    prediction["all images, float32, with making batches"] = lambda: predict(
        ours.forward_blocks, lambda: blocks(False, PREDICT_BATCH)
    )
    if threads > 1:
        # before threads start, which the processes would share
        _report_processes(lambda: train_ours(lambda: made), rounds, threads)
        _report_threads("training", lambda: train_ours(lambda: made), rounds, threads)
        ours.eval()
        _report_threads("prediction", partial(predict, ours.forward_blocks, lambda: ready), rounds, threads)
        return
    if peer := _jax_peer(padded, values, n):
        training["literal, JAX"], prediction["literal, JAX"] = peer
    _report("training", training, rounds, 2.0)
    literal.eval(), ours.eval()
    _report("prediction", prediction, rounds, 2.5)


def _report_processes(once: Callable[[], int], rounds: int, n: int) -> None:
    """Record how many times as many graphs several processes do in a time as one; geolive fits folds so, a thread in each."""

    def rate(n_jobs: int) -> float:
        before = time.perf_counter()
        with computed_ahead([once] * n, n_jobs) as ahead:
            graphs = sum(ahead.result(number) for number in range(n))
        return graphs / (time.perf_counter() - before)

    one, several = in_turns(rounds, partial(rate, 1), partial(rate, n))
    record(f"graph network, training of {n} folds, {n} processes against one, time", ratios(several, one), at_least=1.0)


def _report_threads(name: str, once: Callable[[], int], rounds: int, threads: int) -> None:
    """Record how many times as many graphs several threads do in a time as one."""

    def rate(n_threads: int) -> float:
        torch.set_num_threads(n_threads)
        before = time.perf_counter()
        return once() / (time.perf_counter() - before)

    one, several = in_turns(rounds, partial(rate, 1), partial(rate, threads))
    torch.set_num_threads(1)
    record(f"graph network, {name}, {threads} threads against one, time", ratios(several, one), at_least=1.0)


def _jax_peer(padded: list[Batch], values: torch.Tensor, n: int) -> tuple[Callable[[], int], Callable[[], int]] | None:
    """Return a pass of training and one of prediction by the peer; None where JAX is not installed."""
    if find_spec("jax") is None:
        print("JAX is not installed, so there is no peer from another framework: pip install jax")
        return None
    from benchmarks.graph_network_jax import Peer

    peer = Peer({name: p.detach().numpy() for name, p in Literal(FEATURES, 1).weights.items()})
    batches = [(b.vertices.numpy(), b.adjacency[:, :, 0].contiguous().numpy(), b.mask.numpy()) for b in padded]
    wanted = [values[b.rows].numpy() for b in padded]

    def train() -> int:
        for batch, own in zip(batches, wanted, strict=True):
            peer.step(batch, own)
        return n

    def predict() -> int:
        for batch in batches:
            peer.outputs(batch)
        return n

    return train, predict


def _report(name: str, passes: dict[str, Callable[[], int]], rounds: int, limit: float) -> None:
    """Print the rates of passes; record ratios to the literal formulation in torch and in JAX, and what bounds them."""
    rates = dict(zip(passes, graphs_per_second(list(passes.values()), rounds), strict=True))
    for what, found in rates.items():
        print(f"{name}, {what}: {median(found):,.0f} graphs a second of processor time")
    for peer in ("literal, torch", "literal, JAX"):
        for what, found in rates.items():
            if peer in rates and not what.startswith("literal"):
                wanted = limit if what.endswith(("float32", "bfloat16")) else None
                record(f"graph network, {name}, {what}, against {peer}", ratios(found, rates[peer]), at_least=wanted)
    bound = _operations(passes["literal, torch"]) / _operations(passes["all images, float32"])
    record(f"graph network, {name}, operations of the literal formulation against ours (the limit of float32)", bound)
    reached = [ratio / bound for ratio in ratios(rates["all images, float32"], rates["literal, torch"])]
    record(f"graph network, {name}, all images, float32, share of that limit", reached, at_least=0.97)


def _operations(once: Callable[[], int]) -> int:
    """Count the floating-point operations of matrix products in a pass."""
    with FlopCounterMode(display=False) as counter:
        once()
    return counter.get_total_flops()


def drawn_batches(
    places: Places, features: np.ndarray, d_max_km: float, generator: torch.Generator
) -> Iterator[PackedBatch]:
    """Batches of a pass in which each place shows some of its images only."""
    seen, images = subsample_images(places, FEWEST_SEEN, MOST_SEEN, generator)
    return packed_batches(seen, features[images], EDGES, d_max_km, batch_size=TRAIN_BATCH, generator=generator)


def learn(folder: str, n: int, seeds: int, epochs: int) -> None:
    """Print R² on left-out clusters after as many graph passes of each, for each seed."""
    print(f"{n} clusters to learn from, {n // 2} to test on; Adam 1e-3; batches of {LITERAL_BATCH} and {TRAIN_BATCH}")
    for seed in range(seeds):
        places, features, values = graphs_of(folder, n + n // 2, seed)
        order = np.random.default_rng(seed).permutation(n + n // 2)
        train, test = order[:n], order[n:]
        wanted, d_max_km = torch.from_numpy(values).float(), largest_distance_km(places)
        mine, of_mine, generator = places.take(train), _of(places, features, train), torch.Generator().manual_seed(seed)

        def literal_batches(epoch: int, places=places, features=features, train=train, d_max_km=d_max_km):
            for rows in np.array_split(np.random.default_rng(epoch).permutation(train), -(-n // LITERAL_BATCH)):
                yield literal_batch(places, features, rows, d_max_km), rows

        def ours(source, train=train):
            return ((batch, train[batch.rows]) for batch in source)

        def all_images(_, given=(mine, of_mine, EDGES, d_max_km), generator=generator):
            return ours(packed_batches(*given, batch_size=TRAIN_BATCH, generator=generator))

        def some_images(_, given=(mine, of_mine, d_max_km), generator=generator):
            return ours(drawn_batches(*given, generator))

        contestants = {
            "literal": (Literal(FEATURES, 1), literal_batches),
            "ours": (GraphNetwork(FEATURES, 1, 1, torch.Generator().manual_seed(seed)), all_images),
            "drawn": (GraphNetwork(FEATURES, 1, 1, torch.Generator().manual_seed(seed)), some_images),
        }
        found = {name: [] for name in contestants}
        for name, (network, source) in contestants.items():
            optimizer = adam(network)
            for epoch in range(1, epochs + 1):
                network.train()
                for batch, rows in source(epoch):
                    outputs = (
                        training_outputs(network, batch)
                        if isinstance(network, GraphNetwork)
                        else network(batch.vertices, batch.adjacency, batch.mask)
                    )
                    step(optimizer, outputs, wanted[rows])
                if epoch % 5 == 0:
                    found[name].append(r2(network, places, features, test, values, d_max_km))
        for i, figures in enumerate(zip(*found.values(), strict=True)):
            said = ", ".join(f"{name} {figure:.3f}" for name, figure in zip(found, figures, strict=True))
            print(f"seed {seed}, {5 * (i + 1) * n:,} graph passes: R² {said}", flush=True)


def r2(
    network: nn.Module, places: Places, features: np.ndarray, rows: np.ndarray, values: np.ndarray, km: float
) -> float:
    """On these clusters, in one padded batch: both take it."""
    network.eval()
    with torch.inference_mode():
        batch = literal_batch(places, features, rows, km)
        found = network(batch.vertices, batch.adjacency, batch.mask)[:, 0].numpy()
    return 1 - np.square(values[rows] - found).mean() / values[rows].var()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("--graphs", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--learn", type=int, default=0, metavar="SEEDS", help="compare what both learn instead")
    given = parser.parse_args()
    if given.learn:
        learn(given.dataset, given.graphs, given.learn, epochs=15)
    else:
        speed(given.dataset, given.graphs, given.rounds, given.threads)


if __name__ == "__main__":
    main()
