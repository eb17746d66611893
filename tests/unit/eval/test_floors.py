"""The floors know where a phrase was and what colour it had, and nothing else."""

import numpy as np
import pytest

from ldznet_ext.eval.example import Example
from ldznet_ext.eval.floors import ColourThreshold, PositionPrior
from ldznet_ext.eval.run import score

GREEN, BLUE, RED = (40, 160, 40), (40, 80, 220), (220, 30, 30)


def scene(horizon, ball):
    """A 32x48 picture of grass under sky with a red ball; -> (picture, masks)."""
    picture = np.empty((32, 48, 3), np.uint8)
    picture[:horizon], picture[horizon:] = BLUE, GREEN
    masks = {"blue sky": np.zeros((32, 48), bool), "grass": np.zeros((32, 48), bool), "ball": np.zeros((32, 48), bool)}
    masks["blue sky"][:horizon], masks["grass"][horizon:] = True, True
    masks["ball"][20:28, ball : ball + 8] = True
    masks["grass"] &= ~masks["ball"]
    picture[masks["ball"]] = RED
    return picture, masks


def lines(*scenes):
    for number, (picture, masks) in enumerate(scenes):
        for phrase, mask in {**masks, "cat": None}.items():
            kind = "absent" if mask is None else "object" if phrase == "ball" else "stuff"
            yield Example(
                source=str(number), phrase=phrase, kind=kind, where="", read_picture=lambda picture=picture: picture,
                read_mask=lambda mask=mask: mask,
            )  # fmt: skip


TRAIN = [scene(14, 2), scene(16, 30), scene(15, 18), scene(16, 24), scene(14, 9), scene(15, 33)]
TEST = list(lines(scene(15, 38)))


def test_position_knows_the_sky_and_is_blind_to_the_picture():
    prior = PositionPrior.learn(lines(*TRAIN))
    scores, name = score(TEST, segment=prior)
    assert name == "position prior"
    by_kind = scores.as_dict()["by_kind"]
    assert by_kind["stuff"]["miou"] > 0.85
    assert by_kind["object"]["miou"] < 0.3
    picture = np.zeros((32, 48, 3), np.uint8)
    np.testing.assert_array_equal(
        prior(picture, ["grass"]).phrases[0].prob, prior(picture + 99, ["grass"]).phrases[0].prob
    )


def test_colour_finds_the_ball_wherever_it_is():
    colours = ColourThreshold.learn(lines(*TRAIN))
    scores, _ = score(TEST, segment=colours)
    got = scores.as_dict()
    assert got["by_kind"]["object"]["miou"] > 0.7
    plain = np.full((32, 48, 3), GREEN, np.uint8)
    present, gone = colours(TEST[0].picture, ["ball"]).phrases[0], colours(plain, ["ball"]).phrases[0]
    assert present.score > 0.5 > gone.score
    assert (present.status, gone.status) == ("found", "not found")


@pytest.mark.parametrize("floor", [PositionPrior, ColourThreshold])
def test_longer_phrases_fall_back_on_the_words_they_hold(floor):
    learnt = floor.learn(lines(*TRAIN))
    result = learnt(TEST[0].picture, ["the  BALL left of it", "ball", "zebra", "of"])
    one, two, unknown, other = (phrase.prob for phrase in result.phrases)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(unknown, other)
    assert result.prob.shape == (32, 48)
    assert result.prob.dtype == np.float32
    assert 0 <= result.prob.min() <= result.prob.max() <= 1


@pytest.mark.parametrize("floor", [PositionPrior, ColourThreshold])
def test_a_floor_that_learnt_nothing_answers_nothing(floor):
    result = floor.learn([])(TEST[0].picture, ["ball"])
    assert not result.prob.any()


def test_an_absent_phrase_is_expected_less():
    prior = PositionPrior.learn(lines(*TRAIN))
    ball, cat = prior(TEST[0].picture, ["ball", "cat"]).phrases
    assert ball.score > cat.score
    assert cat.status == "not found"
