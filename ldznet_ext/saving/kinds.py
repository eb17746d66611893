"""The kinds of files that can be saved of a mask, as a person meets them; `exports` says how each is made.

Apart from it, so that they can be listed without loading what makes pictures.
"""

from dataclasses import dataclass

from ldznet_ext.errors import OptionError


@dataclass(frozen=True)
class Kind:
    """One kind of file. label: for a button. suffix: what follows a file's name, the kind's own name included."""

    name: str
    label: str
    suffix: str

    @property
    def ending(self) -> str:
        """The suffix without the kind: .png."""
        return self.suffix[self.suffix.rindex(".") :]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("mask", "Mask (PNG, grey, with its recipe)", "_mask.png"),
        Kind("prob", "Probability (PNG, grey, 16 bits)", "_prob.png"),
        Kind("overlay", "Mask drawn on the picture (PNG)", "_overlay.png"),
        Kind("cutout", "Cut-out (PNG, all else transparent)", "_cutout.png"),
        Kind("ora", "Layers (OpenRaster, for Krita and GIMP)", ".ora"),
        Kind("coco", "Annotations (COCO JSON, run lengths)", "_coco.json"),
        Kind("recipe", "Recipe (JSON)", "_recipe.json"),
    )
}
"""By the names that the command line and the API know, in the order in which they are offered."""
USUAL = ("mask", "prob", "overlay")
"""What the command line saves where nothing else is asked for."""


def check_kinds(names: str) -> tuple[str, ...]:
    """Names of kinds with commas between, each once, in the order given; OptionError for one that there is not.

    >>> check_kinds("ora, mask,ora")
    ('ora', 'mask')
    """
    chosen = tuple(dict.fromkeys(part.strip().lower() for part in names.split(",") if part.strip()))
    for one in chosen or ("",):
        if one not in KINDS:
            known = ", ".join(KINDS)
            raise OptionError(f'There is no kind of file "{one:.40}" to save; expected some of {known}, so name those.')
    return chosen
