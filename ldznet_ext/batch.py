"""Many pictures: the masks of a folder, one picture after the other, on from where a run was stopped.

Nothing is kept of a picture once its files are there and its line is in the journal (`saving.journal`), so that memory does not
grow. A file that is no picture is skipped and listed. At the end, and when a run is stopped in order, the scores of all pictures
are written as one table.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import LdznetError, PictureError
from ldznet_ext.request import LOOKED, MaskSettings
from ldznet_ext.result import FOUND
from ldznet_ext.saving.journal import Journal, Record, runs_in
from ldznet_ext.saving.kinds import KINDS, USUAL
from ldznet_ext.saving.listing import Sources, mark_of, pictures_in
from ldznet_ext.saving.names import DEFAULT, file_names
from ldznet_ext.saving.order import EMPTY, Order
from ldznet_ext.saving.output import OutputFolder, free, stem_of
from ldznet_ext.saving.report import Report, key_of, summed

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.result import PhraseResult, Segmentation
    from ldznet_ext.saving.exports import Item

TABLE, DATA_SET = "masks.csv", "masks_coco.json"
Tick = Callable[[int, int], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Finder:
    """What finds the words. find: from a picture, uint8 (h w 3), to a result. facts: of the model and the head, as they are in
    a recipe; with other ones it is another run."""

    find: "Callable[[np.ndarray], Segmentation]"
    backbone: Any = None
    facts: Mapping[str, str] = field(default_factory=dict)


def batch(
    pictures: Sources,
    words: str | Sequence[str],
    *,
    out: str | PathLike[str] = "masks",
    settings: MaskSettings | None = None,
    save: Sequence[str] = USUAL,
    pattern: str = DEFAULT,
    not_found: str = EMPTY,
    overwrite: bool = False,
    backbone: "Backbone | None" = None,
    progress: Tick | None = None,
) -> Report:
    """Masks of the words in every picture of a folder, or in those listed, as files in `out`, with a table of scores.

    words: one expression or several. settings: how to find and shape (their own words do not count). save: names of
    `saving.kinds.KINDS`. pattern: of the files' names (docs/saving.md). not_found: "empty", "skip", or "fail", which here is
    "skip": the report says what was not found. overwrite: files of other runs, instead of numbering around them. backbone: a
    loaded model; None for Sticker-SD. progress: called with the pictures done and their number.

    The same call again goes on where the last was stopped, by whatever; pictures that are new or have changed are done, others
    not again. With other words, settings or another model it is another run.
    """
    from ldznet_ext.backbone import default_backbone

    order = Order(
        words=(words,) if isinstance(words, str) else tuple(words),
        settings=settings or MaskSettings(),
        save=tuple(save),
        pattern=pattern,
        not_found=not_found,
        overwrite=overwrite,
    )
    paths = pictures_in(pictures)
    return run(paths, order, finder(order, backbone or default_backbone()), out, progress)


def finder(order: Order, backbone: "Backbone") -> Finder:
    """What finds an order's words with a model; PhraseError, MethodError and HeadError before any picture is read."""
    from ldznet_ext.pipeline import as_request, check_words, segment
    from ldznet_ext.saving.marks import facts_of
    from ldznet_ext.segmenters.methods import pick_segmenter

    settings = order.settings
    given = {name: getattr(settings, name) for name in LOOKED}
    segmenter = pick_segmenter(settings.method, backbone)
    check_words(as_request(order.words, segmenter, **given).phrases, backbone, segmenter)

    def find(picture: "np.ndarray") -> "Segmentation":
        try:
            return segment(picture, list(order.words), backbone=backbone, method=segmenter, **given)
        finally:  # no picture comes twice: what the caches keep of it would only fill memory
            backbone.caches.latents.clear()
            backbone.caches.features.clear()

    return Finder(find=find, backbone=backbone, facts=facts_of(backbone, segmenter))


def run(
    paths: Sequence[Path], order: Order, found_by: Finder, out: str | PathLike[str], progress: Tick | None = None
) -> Report:
    """Do what is not done yet, and report on all: `batch` with everything settled."""
    start, folder = time.perf_counter(), Path(out)
    asked = {**order.asked(), "model": dict(found_by.facts)}
    earlier = next((one["asked"] for one in runs_in(folder)), None)
    before = 0
    with OutputFolder(folder), Journal(folder, asked) as journal:
        fresh = journal.fresh
        if fresh:
            journal.start(_settled(folder, order))
        try:
            before = _each(paths, _Work(order, found_by, folder, journal), progress or (lambda done, total: None))
        finally:  # also where it is stopped: what is done is done
            report = summed(paths, journal, folder)
    report.before, report.seconds = before, time.perf_counter() - start
    report.news = _news(earlier, asked, folder) if fresh and earlier else ""
    return report


def _each(paths: Sequence[Path], work: "_Work", tick: Tick) -> int:
    """Do the pictures that are not done; how many had been."""
    before = 0
    tick(0, len(paths))
    for number, path in enumerate(paths, 1):
        mark = mark_of(path)
        if work.journal.has(key_of(path), mark):
            before += 1
        else:
            record = work.one(path, number)
            work.journal.finish(
                key_of(path), None if record.get("error") else mark, record
            )  # the next call tries again
        tick(number, len(paths))
    return before


@dataclass(frozen=True)
class _Work:
    """One run."""

    order: Order
    by: Finder
    folder: Path
    journal: Journal

    def one(self, path: Path, number: int) -> Record:
        """Do one picture: its files, and what the journal says of it.

        What is wrong with one picture must not end the night's run, not even a defect of ours; what would be wrong with every
        picture does.
        """
        start = time.perf_counter()
        try:
            record = self._masked(path, number)
        except PictureError as error:
            record = {"error": error.line}
        except LdznetError:
            raise
        except MemoryError:
            record = {
                "error": f"The picture {path.name!r} needs more memory than there is; expected a smaller one, so shrink it."
            }
        except Exception as error:
            log.debug("%s failed", path, exc_info=True)
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            record = {
                "error": f"Something went wrong that should not with {path.name!r} ({said:.200}).",
                "defect": True,
            }
        return {**record, "seconds": time.perf_counter() - start}

    def _masked(self, path: Path, number: int) -> Record:
        from ldznet_ext.masks.loading import load_picture

        picture = load_picture(path)
        result = self.by.find(picture)
        found = any(answer.status == FOUND for answer in result.phrases)
        wanted = found or self.order.not_found == EMPTY
        files = self._write(path, self._item(path, picture, result), number) if wanted else {}
        first = files.get("mask") or next(iter(files.values()), "")
        phrases = [_phrase(answer) for answer in result.phrases]
        return {"phrases": phrases, "files": files, "file": first, "message": result.message}

    def _item(self, path: Path, picture: "np.ndarray", result: "Segmentation") -> "Item":
        from ldznet_ext.saving.exports import item_of
        from ldznet_ext.saving.recipe import recipe_of

        weights, settings = self.by.facts.get("weights"), self.order.settings
        recipe = recipe_of(picture, result, settings, name=path, backbone=self.by.backbone, weights=weights)
        layered = bool({"ora", "coco"} & set(self.order.save))
        return item_of(picture, result, settings, recipe, stem=stem_of(path), layered=layered)

    def _write(self, path: Path, item: "Item", number: int) -> dict[str, str]:
        from ldznet_ext.saving.exports import EXPORTS

        kinds = [KINDS[kind] for kind in self.order.save]
        names = self.journal.names(key_of(path)) or file_names(self.order.pattern, item, number, kinds, self._taken)
        self.journal.begin(key_of(path), names)
        with OutputFolder(self.folder, lasting=True) as folder:
            for kind, name in names.items():
                folder.write(name, EXPORTS[kind].make(item))
        return names

    def _taken(self, name: str) -> bool:
        return (
            self.journal.mine(name)
            or name.casefold() in _tables(self.journal.facts)
            or (not self.order.overwrite and (self.folder / name).exists())
        )


def _settled(folder: Path, order: Order) -> dict[str, str]:
    """The names of the table and the data set, which are those of this run from now on."""
    names = {"table": TABLE, **({"coco": DATA_SET} if "coco" in order.save else {})}
    promised = set().union(*map(_tables, runs_in(folder)))  # to runs that were stopped before they wrote any
    return names if order.overwrite else {what: free(folder, name, promised) for what, name in names.items()}


def _tables(facts: Mapping[str, Any]) -> set[str]:
    """The names that a run has settled, not in capitals."""
    return {facts[what].casefold() for what in ("table", "coco") if what in facts}


def _news(earlier: Mapping[str, Any], asked: Mapping[str, Any], folder: Path) -> str:
    """What is not as it was in the last run in this folder."""
    changed = " and ".join(name for name in asked if earlier.get(name) != asked[name])
    return (
        f"The last run in '{folder}' was asked for something else ({changed}), so this is a new one, from the beginning; where a "
        "name is taken its files are numbered."
    )


def _phrase(answer: "PhraseResult") -> Record:
    box = None if answer.box is None else [int(edge) for edge in answer.box]
    score = float(answer.score) if 0 <= answer.score <= 1 else 0.0  # false for NaN
    return {"text": answer.text, "status": answer.status, "score": score, "box": box, "area": int(answer.area)}
