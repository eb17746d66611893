"""The stand-alone desk: a model of its own, loaded when it is first asked, one piece of work at a time.

The app and the API share one. Whatever is asked may be watched and cancelled, also while it waits its turn.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ldznet_ext.convertible import convert
from ldznet_ext.errors import ModelError, PhraseError
from ldznet_ext.hosts.about import about_model
from ldznet_ext.hosts.library import Loadable, loadable
from ldznet_ext.hosts.memory import Made, Memory, unet_key
from ldznet_ext.hosts.regions import named, ranked
from ldznet_ext.hosts.turns import Turns
from ldznet_ext.request import MaskSettings
from ldznet_ext.sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS, Sampling, as_size, check_seed, check_strength
from ldznet_ext.ui.desk import About
from ldznet_ext.watch import UNWATCHED, Watch
from ldznet_ext.weights import DEFAULT_MODEL
from ldznet_ext.words import check_prompt

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.generate import Painting
    from ldznet_ext.hosts.standalone import StandaloneBackbone
    from ldznet_ext.like import Clicks
    from ldznet_ext.masks.imaging import Picture
    from ldznet_ext.prompt.tree import Tree
    from ldznet_ext.result import Labelling, Segmentation

ELSEWHERE = "a real Stable Diffusion checkpoint with its head can be loaded in place of it"
"""What to do with pictures unlike those of training; the end of a sentence."""
OF_ITS_MODEL = ("lora", "embeddings", "prediction", "fast_encoder")
"""What is said of how to load the one model a desk is made for: another would be refused, or compute wrongly, with it."""
FULL = ("out of memory", "can't allocate memory")
"""What torch says of a full device, and of full main memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Painted:
    """A picture from words, uint8 (h w 3), and what was found in it; None where nothing was asked for."""

    picture: "np.ndarray"
    result: "Segmentation | None" = None


class StandaloneDesk:
    """Answers by a model of our own. model: as `load_backbone` takes it, by default Sticker-SD; loaded at the first use. loading:
    where and how (device, dtype, offload, lora ...), as there; what is of that model alone does not follow to another."""

    def __init__(self, model: str | None = None, **loading: Any) -> None:
        self.memory, self.turns = Memory(on_cpu=True), Turns()
        self._chosen, self._own = model, model or DEFAULT_MODEL
        self._loading = loading
        self._backbone: StandaloneBackbone | None = None

    @property
    def name(self) -> str:
        """What people call this program."""
        from ldznet_ext import __version__

        return f"LD-ZNet {__version__}"

    def about(self) -> About:
        """What is loaded and what it can do."""
        backbone = self._backbone
        if backbone is None:
            name = self._chosen or DEFAULT_MODEL
            return about_model(message=f"The model {name.replace(chr(92), '/').rpartition('/')[2]} is not loaded yet.")
        return about_model(backbone.name, backbone.family)

    def models(self) -> tuple[Loadable, ...]:
        """What can be loaded by its name, with sizes."""
        return loadable(self.about().model)

    def load(self, name: str | None = None, watch: Watch = UNWATCHED) -> About:
        """Load one of `models()` (None: the one this desk was made for) and use it from now on.

        watch: told how many of the bytes of its files are read. What is loaded stays where the new one cannot be.
        """
        if name is not None and name not in [model.name for model in self.models()]:
            listed = ", ".join(model.name for model in self.models()) or "none"
            raise ModelError(f"There is no model '{name:.60}' here; expected one of {listed}, so choose one of them.")
        with self.turns.turn(watch):
            self._load(self._chosen if name in (None, self._own) else name, watch)
        return self.about()

    def mask(self, picture: "Picture", settings: MaskSettings, watch: Watch = UNWATCHED) -> "Segmentation":
        """Find what the words name; in a picture painted here by what its painting left (`unet_calls` 0)."""
        if not settings.words.strip():
            raise PhraseError('No words were given; expected what to look for, so give some, for example "fox".')
        return self._find(picture, settings.words, settings, watch)

    def regions(
        self, picture: "Picture", prompt: str, settings: MaskSettings, watch: Watch = UNWATCHED
    ) -> "Segmentation":
        """One answer for each thing the prompt names: found ones first, the likeliest before the others."""
        return ranked(self._find(picture, named(prompt), settings, watch))

    def classes(
        self,
        picture: "Picture",
        names: str | Sequence[str],
        settings: MaskSettings,
        watch: Watch = UNWATCHED,
        *,
        keep_absent: bool = False,
    ) -> "Labelling":
        """Every pixel with one of the names, or with none. keep_absent: let names label that are called absent."""
        from ldznet_ext.classes import as_names
        from ldznet_ext.hosts.searches import label
        from ldznet_ext.masks.imaging import load_picture

        listed, pixels = as_names(names), load_picture(picture)
        with self._at_work(watch) as backbone:
            watch.tell(0.1, "labelling")
            return label(pixels, listed, settings, backbone, self.memory.get(pixels), keep_absent=keep_absent)

    def like(
        self,
        picture: "Picture",
        example: "np.ndarray | Clicks",
        others: "Sequence[Picture]",
        settings: MaskSettings,
        watch: Watch = UNWATCHED,
    ) -> "list[Segmentation]":
        """Find what looks like an example (its mask, or clicks on it): in the others, or in its own picture without any."""
        from ldznet_ext.hosts.searches import marked, seek

        segmenter = marked(picture, example)
        with self._at_work(watch) as backbone:
            return seek(segmenter, others, settings, backbone, watch)

    def generate(
        self,
        prompt: str,
        settings: MaskSettings | None = None,
        *,
        steps: int = DEFAULT_STEPS,
        seed: int = 0,
        guidance: float = DEFAULT_GUIDANCE,
        negative: str = "",
        size: tuple[int, int] | None = None,
        watch: Watch = UNWATCHED,
    ) -> Painted:
        """Paint a prompt, find the settings' words in it on the way (None: none), and remember it for words asked later."""
        from ldznet_ext.generate import paint_keeping
        from ldznet_ext.hosts.answer import answer, wanted_for
        from ldznet_ext.prompt.parse import parse

        check_prompt(prompt)
        sampling = Sampling(steps=steps, guidance=guidance, negative=negative, size=size and as_size(size))
        seed, asked = check_seed(seed), settings or MaskSettings()
        if asked.words.strip():
            parse(asked.words)  # refused before anything is painted
        with self._at_work(watch) as backbone:
            wanted, progress = wanted_for(asked, backbone), watch.part(0, 0.95).steps("painting")
            painting = paint_keeping(prompt, wanted, backbone, seed=seed, sampling=sampling, progress=progress)
            made = _made(painting, prompt, backbone)
            self.memory.put(painting.picture, made)
            if not asked.words.strip():
                return Painted(picture=painting.picture)
            watch.tell(0.95, "finding the words")
            result = answer(painting.picture, asked.words, asked, backbone, made)
        return Painted(picture=painting.picture, result=result)

    def edit(
        self,
        picture: "Picture",
        mask: "np.ndarray",
        prompt: str,
        *,
        negative: str = "",
        seed: int = 0,
        steps: int = DEFAULT_STEPS,
        guidance: float = DEFAULT_GUIDANCE,
        strength: float = 1.0,
        watch: Watch = UNWATCHED,
    ) -> "np.ndarray":
        """Repaint what the mask (h w) covers; uint8 (h w 3), bit for bit as it was a few pixels away from the mask."""
        from ldznet_ext.inpaint import prepare_job, run_job

        check_strength(strength)
        sampling = Sampling(steps=steps, guidance=guidance, negative=negative)
        with self._at_work(watch) as backbone:
            job = prepare_job(
                picture, mask, prompt, native=backbone.native, seed=seed, sampling=sampling, strength=strength
            )
            return run_job(job, backbone, progress=watch.part(0, 0.95).steps("repainting"))

    def heads_refresh(self) -> About:
        """Look into the model folders again."""
        return self.about()

    def convert(self, name: str) -> str:
        """Convert a head of the authors' layout."""
        return convert(name)

    def _find(
        self, picture: "Picture", words: "str | Sequence[Tree]", settings: MaskSettings, watch: Watch
    ) -> "Segmentation":
        from ldznet_ext.hosts.answer import answer
        from ldznet_ext.masks.imaging import load_picture

        pixels = load_picture(picture)
        with self._at_work(watch) as backbone:
            watch.tell(0.1, "looking")
            return answer(pixels, words, settings, backbone, self.memory.get(pixels))

    @contextmanager
    def _at_work(self, watch: Watch) -> "Iterator[StandaloneBackbone]":
        """The model, in our turn; a cancel stops whatever asks it at its next call of the UNet."""
        with self.turns.turn(watch):
            backbone = self._backbone or self._load(self._chosen, watch.part(0, 0.1))
            checking = backbone.unet.register_forward_pre_hook(lambda *_: watch.check())
            try:
                yield backbone
            except (RuntimeError, MemoryError) as error:
                raise _full(error) from error
            finally:
                checking.remove()

    def _load(self, source: str | None, watch: Watch) -> "StandaloneBackbone":
        from ldznet_ext.hosts.standalone import load_backbone

        own = source == self._chosen
        loading = {name: value for name, value in self._loading.items() if own or name not in OF_ITS_MODEL}
        try:
            backbone = load_backbone(source, watch=watch, **loading)
        except (RuntimeError, MemoryError) as error:
            raise _full(error) from error
        backbone.elsewhere = ELSEWHERE
        self._own = backbone.name if own else self._own
        self._backbone = backbone
        self.memory.clear()  # another model's layers know nothing of what this one's left
        return backbone


def _full(error: Exception) -> Exception:
    """A device that is full is the person's business, in a sentence; any other fault stays what it is."""
    said = str(error).strip() or "no memory"
    if not isinstance(error, MemoryError) and not any(sign in said.lower() for sign in FULL):
        return error
    return ModelError(
        f"The memory is full ({said.splitlines()[0]:.120}); expected room for the model and the picture, so close other programs "
        "or choose a smaller one of either."
    )


def _made(painting: "Painting", prompt: str, backbone: "StandaloneBackbone") -> Made:
    from ldznet_ext.geometry import Size

    return Made(
        latent=painting.latent,
        kept=painting.kept,
        prompt=prompt,
        grid=Size(*painting.latent.shape[-2:]),
        model=unet_key(backbone),
    )
