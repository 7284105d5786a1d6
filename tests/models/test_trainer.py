"""The training loop: early stopping, and checkpoints that give the same bits; a SIGKILL is in tests/cli/test_train_gcn.py."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from geolive.errors import InputError, RestartWarning
from geolive.models import trainer
from geolive.models.adam import FusedAdam
from geolive.models.attention import AttentionPooling, MeanPooling
from geolive.models.graphcnn import GraphCNN
from geolive.models.stacked import StackedNetwork
from geolive.models.trainer import Schedule, Validated, fit_network
from tests.graphs.places import make_places

KINDS = {
    "gcn": lambda **given: GraphCNN(epochs=5, **given),
    "gcn with early stopping": lambda **given: GraphCNN(epochs=6, patience=2, **given),
    "attention": lambda **given: AttentionPooling("classification", epochs=6, patience=3, **given),
    "stacked": lambda **given: StackedNetwork(epochs=3, **given),
}


class Stopped(Exception):
    """Stands for whatever ends a training: power, memory, a signal."""


@pytest.fixture(scope="module")
def survey():
    wealth = np.random.default_rng(1).normal(size=40)
    return make_places(np.full(40, 12), seed=1, wealth=wealth), (wealth > 0).astype(float)


@pytest.fixture
def every_epoch(monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", 0.0)


def stop_after(times):
    said = []

    def progress(words):
        said.extend([words] if "epoch" in words else [])
        if len(said) == times:
            raise Stopped

    return progress


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(survey, tmp_path, every_epoch, kind):
    places, values = survey
    whole = KINDS[kind]().fit(places, values).predict(places)
    for times in (2, 4):
        own = tmp_path / str(times)
        with pytest.raises(Stopped):
            KINDS[kind](checkpoints=own).fit(places, values, progress=stop_after(times))
        said = []
        again = KINDS[kind](checkpoints=own).fit(places, values, progress=said.append)
        assert again.predict(places).tobytes() == whole.tobytes()
        fresh = []
        KINDS[kind]().fit(places, values, progress=fresh.append)
        assert len(said) < len(fresh), "it began anew"
        # a finished training is only read
        said.clear()
        KINDS[kind](checkpoints=own).fit(places, values, progress=said.append)
        assert not [line for line in said if "epoch" in line]


def test_fits_of_other_data_or_parameters_have_checkpoints_of_their_own(survey, tmp_path):
    places, values = survey
    for model, own in (
        (MeanPooling(epochs=2), values),
        (MeanPooling(epochs=3), values),
        (MeanPooling(epochs=2), -values),
    ):
        plain = model.fit(places, own).predict(places)
        kept = clone(model).set_params(checkpoints=tmp_path).fit(places, own)
        assert kept.predict(places).tobytes() == plain.tobytes()
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    plain = MeanPooling(epochs=2).fit(places, values).predict(places)
    contents = {file: file.read_bytes() for file in files}
    for damage in ("cut", "flipped"):
        for file, content in contents.items():
            file.write_bytes(
                content[:-50] if damage == "cut" else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
            )
        with pytest.warns(RestartWarning, match="trained again"):
            again = MeanPooling(epochs=2, checkpoints=tmp_path).fit(places, values)
        assert again.predict(places).tobytes() == plain.tobytes(), damage


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    network, adam, generator = line()
    path = tmp_path / "fit.safetensors"
    schedule = Schedule(1, 1e-3)
    fit_network(network, adam, generator, schedule, lambda epoch: 0.0, checkpoint=path, fingerprint="this")
    with pytest.raises(InputError, match="other data or settings"):
        fit_network(network, adam, generator, schedule, lambda epoch: 0.0, checkpoint=path, fingerprint="other")


def test_a_full_disk_leaves_the_last_checkpoint_whole(survey, tmp_path, every_epoch, monkeypatch):
    import safetensors.torch

    places, values = survey
    written, save = [], safetensors.torch.save_file

    def save_until_full(tensors, to, about):
        if len(written) == 2:
            to.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        written.append(save(tensors, to, about))

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", save_until_full)
        with pytest.raises(InputError, match="the disk is full") as error:
            MeanPooling(epochs=4, checkpoints=tmp_path).fit(places, values)
    assert "\n" not in str(error.value)
    assert [file.suffix for file in tmp_path.iterdir()] == [".safetensors"]
    said = []
    again = MeanPooling(epochs=4, checkpoints=tmp_path).fit(places, values, progress=said.append)
    assert len(said) == 2
    assert again.predict(places).tobytes() == MeanPooling(epochs=4).fit(places, values).predict(places).tobytes()


def line():
    network = torch.nn.Linear(1, 1)
    return network, torch.optim.Adam(network.parameters()), torch.Generator()


def test_training_stops_where_nothing_is_gained_and_keeps_the_best_weights():
    network, adam, generator = line()
    errors, seen = iter([3.0, 1.0, 2.0, 2.0, 2.0, 0.1]), []

    def run_epoch(epoch):
        with torch.no_grad():
            network.bias.add_(1)
        return 0.0

    def validate():
        seen.append(network.bias.item())
        # losses are for the curve; errors choose the epoch
        return Validated(9.0, next(errors))

    fitted = fit_network(network, adam, generator, Schedule(6, 1e-3, patience=3), run_epoch, validate)
    assert (len(fitted.curve.train), fitted.curve.best) == (5, 2)
    assert network.bias.item() == seen[1]
    assert fitted.last["bias"].item() == seen[4]


def test_the_learning_rate_falls_only_where_it_shall():
    assert [Schedule(4, 1.0).rate(epoch) for epoch in range(4)] == [1.0] * 4
    falling = [Schedule(4, 1.0, decay=True).rate(epoch) for epoch in range(4)]
    assert falling[0] == 1.0
    assert sorted(falling, reverse=True) == falling
    assert falling[-1] < 0.2


def test_a_model_has_its_best_and_its_last_checkpoint(survey, tmp_path, every_epoch):
    places, values = survey
    held_out = np.arange(30, 40)
    # wrong labels, so that the best epoch is not the last
    given = {"validation": (places.take(held_out), 1 - values[held_out])}
    learn = np.arange(30)
    model = AttentionPooling("classification", epochs=6, learning_rate=0.03, checkpoints=tmp_path)
    best = clone(model).fit(places.take(learn), values[learn], **given)
    assert best.curve_.best < 6
    # a batch holds all places, so an iteration is an epoch
    plain = clone(model).set_params(iterations=6, checkpoints=None).fit(places.take(learn), values[learn])
    last = best.last_checkpoint()
    assert last.predict(places).tobytes() == plain.predict(places).tobytes()
    assert not np.allclose(best.predict(places), last.predict(places))
    # a finished training that is read again has both, too
    again = clone(model).fit(places.take(learn), values[learn], **given)
    assert again.last_checkpoint().predict(places).tobytes() == last.predict(places).tobytes()
    assert plain.last_checkpoint() is plain


def test_iterations_are_steps_of_the_optimiser(survey):
    places, values = survey
    said = []
    # 40 places in batches of at most 16 are three steps; seven steps end within the third epoch
    model = GraphCNN(iterations=7, batch_size=16).fit(places, values, progress=said.append)
    assert [line.split(", loss")[0] for line in said] == [f"gcn-obj-distance: epoch {n} of 3" for n in (1, 2, 3)]
    assert model.params["iterations"] == 7
    assert "epochs" not in model.params
    found = {n: clone(model).set_params(iterations=n).fit(places, values).predict(places) for n in (6, 9)}
    by_epochs = clone(model).set_params(iterations=None, epochs=3).fit(places, values).predict(places)
    assert found[9].tobytes() == by_epochs.tobytes()
    assert not np.array_equal(model.predict(places), found[6])
    assert not np.array_equal(model.predict(places), found[9])


def test_a_stacked_network_says_that_it_takes_no_validation_part(survey):
    places, values = survey
    with pytest.raises(InputError, match="takes no validation part"):
        StackedNetwork().fit(places, values, validation=(places, values))


def test_fused_adam_gives_the_bits_of_torch_and_goes_on_from_a_state():
    x, found = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), []
    for own in (False, True):
        layer = torch.nn.Linear(3, 1)
        torch.nn.init.ones_(layer.weight), torch.nn.init.zeros_(layer.bias)
        groups = [{"params": [layer.weight], "weight_decay": 0.1}, {"params": [layer.bias]}]
        adam = FusedAdam(groups, lr=0.1) if own else torch.optim.Adam(groups, lr=0.1, fused=True)
        for step in range(8):
            adam.param_groups[0]["lr"] = 0.1 / (step + 1)
            layer(x).square().mean().backward()
            if step in (2, 5):  # a parameter without a gradient takes no step
                layer.bias.grad = None
            if own:
                adam.descend()
            else:
                adam.step()
                adam.zero_grad()
            if step == 3:
                adam.load_state_dict(adam.state_dict())
        found.append(torch.cat([layer.weight.flatten(), layer.bias]).detach())
        assert [state["step"].item() for state in adam.state_dict()["state"].values()] == [8, 6]
    assert torch.equal(*found)
    assert not torch.equal(found[0], torch.tensor([1.0, 1.0, 1.0, 0.0]))


@pytest.mark.parametrize("kind", [AttentionPooling, GraphCNN])
def test_training_makes_no_optimiser_of_torch(survey, monkeypatch, kind):
    def refuse(*given, **options):
        raise AssertionError("it imports torch's compiler, which takes longer than a small network takes to train")

    monkeypatch.setattr(torch.optim.Optimizer, "__init__", refuse)
    kind(epochs=1).fit(*survey)
