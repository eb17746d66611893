"""`ldznet mask PICTURE WORDS...`: what the words name, as files and as numbers, in one picture or in many."""

import argparse
import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.cli import options
from ldznet_ext.errors import OptionError, RecipeError
from ldznet_ext.prompt.parse import parse
from ldznet_ext.request import OPTION, OPTIONS, MaskSettings
from ldznet_ext.saving.kinds import KINDS, USUAL, check_kinds
from ldznet_ext.saving.listing import looks_like_a_picture
from ldznet_ext.saving.names import PLACEHOLDERS, check_pattern
from ldznet_ext.saving.order import EMPTY, NOT_FOUND

if TYPE_CHECKING:
    from ldznet_ext.saving.recipe import Recipe

FLAGS = tuple(option.name for option in OPTIONS if option.name not in ("words", "method"))
"""Of the table of options; `method` is shared with other commands, and the words are arguments."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a call asks for, read and checked. recipe, source: what is to be repeated, and the file it came from."""

    pictures: tuple[str, ...]
    words: tuple[str, ...]
    settings: MaskSettings
    save: tuple[str, ...]
    recipe: "Recipe | None" = None
    source: str = ""

    @property
    def many(self) -> bool:
        """Whether there is, or may be, more than one picture."""
        return len(self.pictures) > 1 or any(map(os.path.isdir, self.pictures))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.usage = "ldznet mask [options] PICTURE|DIR... WORDS..."
    parser.add_argument(
        "given",
        metavar="PICTURE|DIR WORDS",
        nargs="*",
        help="a picture, several or a folder; then expressions such as fox, 'fox & !tail', 'hair +12', in single quotes for a "
        "shell: each has its own answer, the mask is of all",
    )
    _add_files(parser.add_argument_group("what is saved"))
    finding = parser.add_argument_group("how it is found and shaped")
    options.add_model(finding)
    for name in FLAGS:
        options.add_setting(finding, OPTION[name])


def _add_files(parser: argparse._ActionsContainer) -> None:
    options.add_output(parser, default=None, told="this one, or masks/ for several pictures")
    usual = ",".join(USUAL)
    parser.add_argument("--save", metavar="KINDS", default=usual, help=f"of {', '.join(KINDS)} (default: {usual})")
    parser.add_argument(
        "--pattern", metavar="NAME", help=f"of the files: a name with {', '.join(f'{{{one}}}' for one in PLACEHOLDERS)}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files instead of numbering around them")
    parser.add_argument("--from", dest="source", metavar="FILE", help="repeat the mask of a saved PNG or recipe")
    parser.add_argument(
        "--not-found",
        choices=NOT_FOUND,
        default=EMPTY,
        help="where nothing is found: an empty mask; no file; no file and exit code 3 (default: empty)",
    )


def run(args: argparse.Namespace) -> int:
    """Find, write the files, print the answer."""
    wish = read(args)
    if wish.many:
        from ldznet_ext.cli import mask_many

        return mask_many.run(args, wish)
    from ldznet_ext.cli import mask_one

    return mask_one.run(args, wish)


def read(args: argparse.Namespace) -> Wish:
    """The call, checked before anything is loaded; LdznetError in a sentence."""
    given = {name: getattr(args, name) for name in ("method", *FLAGS)}
    settings, recipe = MaskSettings(**given), None
    pictures, words = divided(args.given, recipe_given=args.source is not None)
    if args.source is not None:
        recipe = _recipe(args.source)
        changed = {**settings.to_mapping(), **{name: given[name] for name in options.said(args) if name in given}}
        settings = MaskSettings.from_mapping({**recipe.settings.to_mapping(), **changed})
        words = words or recipe.words
        pictures = pictures or (_its_picture(args.source, recipe),)
    if not pictures or not words:
        lacking = "are no words" if pictures else "is no picture"
        raise OptionError(f"There {lacking}; expected a picture and what to find in it, so see `ldznet mask --help`.")
    for expression in words:
        parse(expression)
    if args.pattern is not None:
        check_pattern(args.pattern)
    save = check_kinds(args.save)
    return Wish(pictures=pictures, words=words, settings=settings, save=save, recipe=recipe, source=args.source or "")


def divided(given: Sequence[str], *, recipe_given: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pictures and words: the first argument is a picture or a folder, and so is each after it that names a picture's file.

    With a recipe, which has a picture and words of its own, the first is one only if it is there.
    """
    pictures: list[str] = []
    words = list(given)
    while words and (_is_picture(words[0]) or (not pictures and (not recipe_given or os.path.exists(words[0])))):
        pictures += _files(words.pop(0))
    return tuple(pictures), tuple(words)


def _is_picture(text: str) -> bool:
    return all(looks_like_a_picture(Path(file)) for file in _files(text))


def _files(text: str) -> list[str]:
    """What a shell would make of it: on Windows none does."""
    wild = any(sign in text for sign in "*?[") and not os.path.exists(text)
    return (sorted(glob.glob(text)) if wild else []) or [text]


def _recipe(source: str) -> "Recipe":
    from ldznet_ext.saving.recipe import read as read_recipe

    recipe = read_recipe(source)
    if recipe.settings.method == "example":
        raise RecipeError(
            f"The mask in {Path(source).name!r} was found by an example; expected one found by words, so use `ldznet like` with "
            "the example again."
        )
    return recipe


def _its_picture(source: str, recipe: "Recipe") -> str:
    """The picture a recipe names, beside its file or here."""
    for place in (Path(source).parent, Path()):
        if recipe.picture and looks_like_a_picture(place / recipe.picture):
            return str(place / recipe.picture)
    named = f"'{recipe.picture}', which it names, is neither beside it nor here" if recipe.picture else "it names none"
    raise RecipeError(
        f"There is no picture for {Path(source).name!r}: {named}; expected it, so name it after --from FILE."
    )
