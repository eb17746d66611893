"""Sampling: seeds, guidance, batches, and what is held still while a part is repainted."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.errors import ModelError, OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.sampling import Sampling, Start

SIZE = Size(64, 128)


def test_a_seed_decides(backbone: StandaloneBackbone) -> None:
    first = backbone.generate(["fox"], [1], Sampling(steps=2, size=SIZE))
    assert first.shape == (1, 4, 8, 16)
    assert torch.equal(first, backbone.generate(["fox"], [1], Sampling(steps=2, size=SIZE)))
    assert not torch.allclose(first, backbone.generate(["fox"], [2], Sampling(steps=2, size=SIZE)))


def test_a_picture_does_not_depend_on_its_neighbours(backbone: StandaloneBackbone) -> None:
    together = backbone.generate(["fox", "owl"], [1, 2], Sampling(steps=2, size=SIZE))
    alone = backbone.generate(["owl"], [2], Sampling(steps=2, size=SIZE))
    torch.testing.assert_close(together[1:], alone, atol=1e-3, rtol=1e-3)


def test_conditional_rows_come_second(backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, int, Tensor]] = []
    predict = backbone.predict
    monkeypatch.setattr(backbone, "predict", lambda *args: (seen.append(args), predict(*args))[1])
    backbone.generate(["fox"], [1], Sampling(steps=3, size=SIZE))
    assert [timestep for _, timestep, _ in seen] == [667, 334, 1]
    context = seen[0][2].states
    assert torch.equal(context[:1], backbone.text([""])) and torch.equal(context[1:], backbone.text(["fox"]))
    assert backbone.unet_calls == 3


def test_guidance_one_needs_no_second_row(backbone: StandaloneBackbone) -> None:
    """Guidance mixes: 1 is the conditional prediction alone, 0 the unconditional one."""
    plain = backbone.generate([""], [1], Sampling(steps=2, size=SIZE, guidance=1.0))
    torch.testing.assert_close(
        backbone.generate(["fox"], [1], Sampling(steps=2, size=SIZE, guidance=0.0)),
        plain,
        atol=1e-3,
        rtol=1e-3,
    )


def test_progress_counts_to_the_end(backbone: StandaloneBackbone) -> None:
    seen: list[tuple[int, int]] = []
    backbone.generate(["fox"], [1], Sampling(steps=3, size=SIZE), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_cells_outside_stay_exactly(backbone: StandaloneBackbone, strength: float) -> None:
    latent, repaint = torch.randn(1, 4, 8, 16), torch.zeros(1, 1, 8, 16)
    repaint[..., 2:5, 3:7] = 1
    start = Start(latent=latent, repaint=repaint, strength=strength)
    painted = backbone.generate(["owl"], [1], Sampling(steps=5), start=start)
    changed = (painted != latent).any(dim=1, keepdim=True)
    assert torch.equal(changed, repaint.bool())
    assert backbone.unet_calls == (5 if strength == 1 else 2)


def test_full_strength_forgets_what_was_inside(backbone: StandaloneBackbone) -> None:
    repaint = torch.zeros(1, 1, 8, 16)
    repaint[..., 2:5, 3:7] = 1
    latent = torch.randn(1, 4, 8, 16)
    other = torch.lerp(latent, torch.randn(1, 4, 8, 16), repaint)
    runs = [
        backbone.generate(["owl"], [1], Sampling(steps=3), start=Start(latent=z, repaint=repaint))
        for z in (latent, other)
    ]
    assert torch.equal(*runs)
    weak = [
        backbone.generate(["owl"], [1], Sampling(steps=3), start=Start(latent=z, repaint=repaint, strength=0.4))
        for z in (latent, other)
    ]
    assert not torch.allclose(*weak)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([-1], "seed"),
        ([1, 2], "1 prompts and 2 seeds"),
        ([1.5], "seed"),
    ],
)
def test_seeds_out_of_range(backbone: StandaloneBackbone, seeds: list[int], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        backbone.generate(["fox"], seeds, Sampling(steps=2))
    assert backbone.unet_calls == 0


def test_an_impossible_size(backbone: StandaloneBackbone) -> None:
    for size in (Size(60, 64), Size(72, 64)):
        with pytest.raises(OptionError, match="multiples of 64"):
            backbone.generate(["fox"], [1], Sampling(steps=1, size=size))
    with pytest.raises(ModelError, match="multiples of 8"):
        backbone.latent_size(Size(60, 64))
