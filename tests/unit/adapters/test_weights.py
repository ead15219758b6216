"""State dicts load from local files, run nothing, and say what does not fit."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from auditor.adapters.models.weights import load_weights, local_path
from auditor.errors import InputError


def network(num_outputs: int = 4) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, num_outputs)
    )


def state(**changes: Tensor) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return network().state_dict() | changes


def fits(path: Path) -> bool:
    target = network()
    load_weights(target, str(path))
    return all(torch.equal(value, target.state_dict()[key]) for key, value in state().items())


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_weights(network(), str(path))
    assert str(path) in str(caught.value)
    return str(caught.value)


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_safetensors_load(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "w.safetensors")
    assert fits(tmp_path / "w.safetensors")


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {"lr": 0.1}},
        lambda s: {f"module.{key}": value for key, value in s.items()},
        lambda s: {"state_dict": {f"_orig_mod.module.{k}": v for k, v in s.items()}},
        lambda s: {
            "state_dict": {k: nn.Parameter(v) if v.is_floating_point() else v for k, v in s.items()}
        },
    ],
)
def test_torch_files_load_from_the_usual_wrappings(
    tmp_path: Path, wrap: Any, new_format: bool
) -> None:
    path = tmp_path / "w.pt"
    torch.save(wrap(state()), path, _use_new_zipfile_serialization=new_format)
    assert fits(path)


def test_files_without_batch_counters_load(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({k: v for k, v in state().items() if not k.endswith("num_batches_tracked")}, path)
    assert fits(path)


@pytest.mark.parametrize("how", ["pickle", "torch", "legacy"])
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path: Path, how: str) -> None:
    path, sprung = tmp_path / "w.pt", tmp_path / "sprung"
    trap = {"state_dict": state(), "trap": Trap(sprung)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, path, _use_new_zipfile_serialization=how == "torch")
    message = refusal(path)
    assert "refused" in message
    assert "safetensors" in message
    assert not sprung.exists()


def test_a_pickle_called_safetensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "not a safetensors file" in refusal(path)
    assert not (tmp_path / "sprung").exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "w.pt")
    assert "refused" in refusal(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a safetensors nor a torch file"),
        (b"<html>404</html>", "neither a safetensors nor a torch file"),
        (b"PK\x03\x04 broken", "cannot be read"),
        (b"\x80\x02}q\x00", ""),
    ],
)
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    assert words in refusal(tmp_path / "w.pt")


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "cannot be read" in refusal(tmp_path / "w.pt")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    for name, save in (("w.safetensors", save_file), ("w.pt", torch.save)):
        path = tmp_path / name
        save(state(), path)
        path.write_bytes(path.read_bytes()[:-200])
        assert name in refusal(path)


@pytest.mark.parametrize("found", [[1, 2], {"epoch": 3, "lr": 0.1}, {}, {"state_dict": 3}])
def test_a_file_without_a_state_dict_is_refused(tmp_path: Path, found: Any) -> None:
    torch.save(found, tmp_path / "w.pt")
    assert "state dict" in refusal(tmp_path / "w.pt")


def test_shapes_that_do_not_fit_are_shown(tmp_path: Path) -> None:
    save_file(network(10).state_dict(), tmp_path / "w.safetensors")
    message = refusal(tmp_path / "w.safetensors")
    assert "3.weight: [4, 8] in the network, [10, 8] in the file" in message
    assert "num_outputs" in message


def test_keys_that_do_not_fit_are_shown_with_near_names(tmp_path: Path) -> None:
    renamed = {f"features.{key}": value for key, value in state().items()}
    save_file(renamed, tmp_path / "w.safetensors")
    message = refusal(tmp_path / "w.safetensors")
    assert "missing in the file: 0.weight" in message
    assert "not in the network: features." in message
    assert "features.0.weight" in message.splitlines()[-1]


def test_only_the_first_misfits_are_shown(tmp_path: Path) -> None:
    save_file(
        {f"extra{n}": torch.zeros(1) for n in range(50)} | state(), tmp_path / "w.safetensors"
    )
    message = refusal(tmp_path / "w.safetensors")
    assert "and 45 more" in message
    assert "extra7" not in message


def test_a_misfit_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    target = network(10)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    save_file(state(), tmp_path / "w.safetensors")
    with pytest.raises(InputError):
        load_weights(target, str(tmp_path / "w.safetensors"))
    assert all(torch.equal(value, target.state_dict()[key]) for key, value in before.items())


@pytest.mark.parametrize(
    "weights",
    [
        "IMAGENET1K_V1",
        "DEFAULT",
        "ResNet50_Weights.DEFAULT",
        "https://example.org/w.pt",
        "hf://a/b",
    ],
)
def test_names_of_downloads_are_refused(weights: str) -> None:
    with pytest.raises(InputError, match=r"nothing is ever downloaded[\s\S]*local"):
        local_path(weights)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.safetensors"):
        local_path("nowhere.safetensors")
