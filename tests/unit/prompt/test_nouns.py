"""A prompt's things: its syntax and praise read away."""

import pytest

from ldznet_ext.prompt.nouns import MOST, things


@pytest.mark.parametrize(
    "prompt, expected",
    [
        ("a fox and a doughnut on snow, night", ("fox", "doughnut", "snow", "night")),
        ("(a red fox:1.3), ((snow)), [moon]", ("red fox", "snow", "moon")),
        ("[cat:dog:0.5] [::0.5] [bird::.25]", ("cat", "dog", "bird")),
        ("[cat|bird] {red|blue} balloon", ("cat", "bird red", "blue balloon")),
        ("a cat :1.2 AND a dog :0.8 BREAK snow", ("cat", "dog", "snow")),
        ("fox <lora:pixel art:0.8> <hypernet:x:1> __animal__", ("fox",)),
        ("fox \\(vulpes\\)", ("fox vulpes",)),
        ("an astronaut riding a horse on mars", ("astronaut", "horse", "mars")),
        ("a sleeping cat, standing, the king of a castle", ("sleeping cat", "king", "castle")),
        ("masterpiece, best quality, depth of field, 8k, looking at viewer", ()),
        ("red fox (1:2), 16:9", ("red fox",)),
        ("dslr, film grain, fujifilm xt3, canvas, smile, oil painting", ()),
        ("an oil lamp, a canvas bag, (a cat:1.3)", ("oil lamp", "canvas bag", "cat")),
        ("t-shirt, F-16 jet", ("t-shirt", "f-16 jet")),
        ("fox, Fox, FOX", ("fox",)),
        ("狐狸, 雪、лиса", ("狐狸", "雪", "лиса")),
        ("", ()),
        ("(((:1.2), <>[]", ()),
    ],
)
def test_things(prompt: str, expected: tuple[str, ...]) -> None:
    assert things(prompt) == expected


def test_things_are_bounded_in_number_and_length() -> None:
    many = things(", ".join(f"thing{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(60)))
    assert len(many) == MOST
    assert things("red green blue old wooden boat") == ("blue old wooden boat",)
