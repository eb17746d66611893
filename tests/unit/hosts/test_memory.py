"""What is remembered of pictures: known again by their pixels or nearly so, bounded in bytes, owning its tensors."""

import io

import numpy as np
import torch
from PIL import Image

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.hosts.memory import Made, Memory
from tests.tiny import picture


def made(batch: torch.Tensor, row: int = 0) -> Made:
    part = batch[row : row + 1]
    kept = Kept(timestep=400.0, features={"mid": part}, latent=part)
    return Made(latent=None, kept=(kept,), prompt="a fox", grid=Size(*batch.shape[-2:]))


def test_known_by_its_pixels_and_after_jpeg() -> None:
    memory, first, second = Memory(), picture(256, 384, seed=1), picture(256, 384, seed=2)
    memory.put(first, made(torch.zeros(1, 4, 8, 12)))
    memory.put(second, made(torch.ones(1, 4, 8, 12)))
    buffer = io.BytesIO()
    Image.fromarray(first).save(buffer, "jpeg", quality=80)
    again = np.asarray(Image.open(buffer))
    assert not np.array_equal(again, first)
    for one in (first, again):
        found = memory.get(one)
        assert found is not None and not found.kept[0].latent.any()
    edited = first.copy()
    edited[80:120, 160:240] = 255 - edited[80:120, 160:240]
    assert memory.get(edited) is None, "a picture that was repainted is another"
    assert memory.get(first[:, ::-1]) is None and memory.get(first[:32]) is None


def test_bounded_in_bytes_least_recent_first() -> None:
    batch = torch.zeros(1, 4, 8, 12)
    each = 2 * batch.nbytes
    memory, pictures = Memory(2 * each), [picture(20, 30, seed=seed) for seed in range(3)]
    for one in pictures[:2]:
        memory.put(one, made(batch))
    assert memory.get(pictures[0]) is not None
    memory.put(pictures[2], made(batch))
    assert [memory.get(one) is not None for one in pictures] == [True, False, True] and memory.used == 2 * each
    memory.put(pictures[2], made(batch))
    assert len(memory) == 2 and memory.used == 2 * each
    memory.put(pictures[1], made(torch.zeros(1, 4, 80, 120)))
    assert memory.get(pictures[1]) is None, "larger than all the room there is"
    memory.resize(0, on_cpu=False)
    assert len(memory) == 0 == memory.used


def test_a_row_does_not_keep_its_batch_alive() -> None:
    batch = torch.randn(4, 4, 8, 12)
    memory, one = Memory(), picture(20, 30)
    memory.put(one, made(batch, row=2))
    found = memory.get(one)
    assert found is not None and torch.equal(found.kept[0].latent, batch[2:3])
    assert found.kept[0].features["mid"].untyped_storage().nbytes() == batch[:1].nbytes
