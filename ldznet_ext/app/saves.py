"""What a page may take home: the exports of `saving`, and the recipe as text. Bytes and names; nothing is written here."""

from dataclasses import replace
from typing import TYPE_CHECKING

from ldznet_ext.app.by_hand import HAND
from ldznet_ext.app.drawing import mask_of
from ldznet_ext.app.work import Moment
from ldznet_ext.errors import OptionError
from ldznet_ext.saving.exports import EXPORTS, item_of
from ldznet_ext.saving.names import DEFAULT, file_name
from ldznet_ext.saving.recipe import recipe_of

if TYPE_CHECKING:
    from ldznet_ext.saving.exports import Item
    from ldznet_ext.saving.recipe import Recipe


def export(moment: Moment, kind: str, pattern: str = DEFAULT) -> tuple[str, bytes]:
    """A file's name, without folders, and its bytes. OptionError where there is no such export or nothing to save."""
    if kind not in EXPORTS:
        raise OptionError(f'There is no export "{kind:.40}"; expected one of {", ".join(EXPORTS)}, so choose one.')
    item = item_for(moment)
    name = file_name(pattern.strip() or DEFAULT, item, 1, EXPORTS[kind])
    return name.replace("/", "_"), EXPORTS[kind].make(item)


def item_for(moment: Moment) -> "Item":
    """All that any export needs; OptionError where there is no mask yet."""
    if moment.result is None:
        raise OptionError("There is no mask to save yet; expected one, so find or draw something first.")
    return item_of(
        moment.picture,
        moment.result,
        moment.settings,
        recipe_for(moment),
        stem=moment.name,
        edits=moment.edits,
        mask=mask_of(moment),
    )


def recipe_for(moment: Moment) -> "Recipe":
    """All that repeats the mask; OptionError where there is none yet."""
    if moment.result is None:
        raise OptionError("There is no recipe yet; expected a mask, so find or draw something first.")
    edits = moment.edits or None
    settings = moment.settings
    if moment.result.method == HAND:
        settings = replace(settings, words="")
    return recipe_of(moment.picture, moment.result, settings, name=f"{moment.name}.png", edits=edits)
