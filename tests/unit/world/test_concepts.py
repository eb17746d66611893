"""The table of concepts: the promised names, and words that mean one thing."""

import pytest

from ldznet_ext.errors import DataError
from ldznet_ext.world import concepts as table
from ldznet_ext.world.art import STYLES, TRAIN_STYLES

PROMISED = """fox, doughnut, croissant, hot pepper, swan, shark, octopus, penguin, owl, frog, tiger face, panda, turtle,
butterfly, sunflower, rose, cactus, red apple, banana, grapes, strawberry, watermelon, pineapple, avocado, carrot,
hamburger, pizza, beer mug, hot beverage, birthday cake, ice cream, fire engine, bus, automobile, bicycle, airplane,
rocket, sailboat, guitar, trumpet, soccer ball, basketball, umbrella, key, light bulb, hammer, books, alarm clock,
camera, crown, high-heeled shoe, t-shirt, backpack, balloon, wrapped gift, teddy bear, robot, ghost, jack-o-lantern,
snowman, house, castle, dolphin, elephant"""


def test_the_promised_names_are_the_named_set():
    assert {c.name for c in table.named()} == {name.strip() for name in PROMISED.replace("\n", " ").split(",")}
    assert len(table.named()) == 64


def test_sets_are_disjoint_and_large_enough():
    named, held_out, extra = ({c.name for c in chosen} for chosen in (table.named(), table.held_out(), table.extra()))
    assert len(held_out) == 20
    assert not named & held_out
    assert not (named | held_out) & extra
    assert len(table.concepts()) == len(named) + len(held_out) + len(extra) >= 150


def test_every_trained_concept_has_art_in_every_training_style():
    for concept in table.concepts("named", "held_out"):
        assert set(TRAIN_STYLES) <= set(concept.slugs), concept.name
        assert set(concept.slugs) <= set(STYLES), concept.name


def test_a_name_or_synonym_means_one_trained_concept_only():
    owners: dict[str, str] = {}
    for concept in table.concepts("named", "held_out"):
        for word in concept.words:
            assert word == word.lower().strip()
            assert owners.setdefault(word, concept.name) == concept.name
        assert not set(concept.words) & set(concept.groups)


def test_every_primary_group_offers_a_second_member_for_absent_phrases():
    for concept in table.named():
        assert len(table.groups("named")[concept.group]) >= 2, concept.name


def test_groups_count_secondary_members_and_respect_the_sets():
    birds = {c.name for c in table.groups("named")["birds"]}
    assert birds == {"swan", "penguin", "owl"}
    assert {c.name for c in table.groups("named", "held_out")["insects"]} == {"butterfly", "bee"}
    assert "trees" not in table.groups("named")


@pytest.mark.parametrize(
    ("word", "name", "expected"),
    [
        ("clock", "alarm clock", True),
        ("car", "automobile", True),
        ("animals", "fox", True),
        ("animal", "fox", True),
        ("piece of food", "pizza", True),
        ("fruits", "pizza", False),
        ("fox", "owl", False),
    ],
)
def test_means(word: str, name: str, expected: bool):
    assert table.means(word, table.concept(name)) is expected


def test_unknown_names_are_told_apart_from_known_ones():
    assert table.concept("fox").codepoint == "1f98a"
    with pytest.raises(DataError, match="'foxx'"):
        table.concept("foxx")
    with pytest.raises(DataError, match="named, held_out, extra"):
        table.concepts("all")
