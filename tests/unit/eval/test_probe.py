"""Probing: what ranks a cell, on hand-made masks, and one finding a transformer and timestep."""

import torch

from ldznet_ext.eval.probe import Case, Finding, _answers, probe, ranked
from ldznet_ext.harvest.taps import SD_TAPS
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters.view import look
from tests.tiny import picture

FOX = torch.tensor([[True, False, False], [False, False, False]])
OWL = torch.tensor([[False, False, True], [False, False, False]])


def test_the_two_questions_are_kept_apart() -> None:
    """Maps that find any object, but not which."""
    anything = torch.tensor([[0.9, 0.1, 0.9], [0.1, 0.2, 0.1]])
    ground, things = _answers(torch.stack([anything, anything]), {"fox": FOX, "owl": OWL})
    assert ground == [1.0, 1.0] and things == [0.5, 0.5]
    ground, things = _answers(torch.stack([FOX.float(), FOX.float()]), {"fox": FOX, "owl": OWL})
    assert things == [1.0, 0.0] and ground == [1.0, 0.5]


def test_a_scene_with_one_object_says_nothing_of_others() -> None:
    assert _answers(FOX.float()[None], {"fox": FOX}) == ([1.0], [])
    assert ranked(torch.zeros(0), torch.ones(2)) == []


def test_every_transformer_at_every_timestep(backbone: StandaloneBackbone) -> None:
    view = look(picture(64, 192), backbone)
    left = torch.zeros(view.latent(backbone).shape[-2:], dtype=torch.bool)
    left[:, :5] = True
    cases = [Case(view, {"fox": left, "red owl": ~left})]
    found = list(probe(backbone, cases, (1, 500), values=("softmax", "raw")))
    assert [each.place for each in found[::2]] == [*SD_TAPS, *SD_TAPS] and backbone.unet_calls == 2
    assert {each.timestep for each in found} == {1, 500}
    assert isinstance(found[0], Finding) and found[0].ground is None  # the two cover everything
    assert all(each.things is not None and 0 <= each.things <= 1 for each in found)
