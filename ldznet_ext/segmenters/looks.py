"""How a method looks at a picture before it answers: once, several times for the average, or as the authors' demo does.

Once is the default and always the same: the latent's mean, the method's own timestep (400 for a head), noise from (seed, size),
the phrase as it stands. An average spreads the timesteps evenly, takes another noise each time, and goes round the templates the
head was trained with. The demo (koutilya-pnvr/LD-ZNet at 3d28f76) draws all of it, here from the seed, and so can be repeated.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ldznet_ext.caches import digest
from ldznet_ext.errors import MethodError, PhraseError
from ldznet_ext.geometry import Size
from ldznet_ext.masks.demo import demo_fit, demo_pixels
from ldznet_ext.request import SegmentRequest
from ldznet_ext.sampling import seeded_noise
from ldznet_ext.segmenters.base import Clock, Evidence, Segmenter
from ldznet_ext.segmenters.view import View
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

AS_IT_STANDS = "{}"
TEMPLATES = (
    "a photo of a {}.",
    "a photograph of a {}.",
    "an image of a {}.",
    "{}.",
    "a cropped photo of a {}.",
    "a good photo of a {}.",
    "a photo of one {}.",
    "a bad photo of a {}.",
    "a photo of the {}.",
)
"""What the authors put a phrase into, in training and in their demo (CLIPSeg's list)."""
TRAINED_WITH = {"sd1": TEMPLATES}
"""Family of the head -> its templates; the heads of other families were trained with the phrase as it stands."""
FIRST, LAST = 300, 499
"""The timesteps the authors draw from, both included."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look. timestep None: the method's own. seed: of the noise. template: holds the phrase at its braces."""

    timestep: int | None
    seed: int
    template: str = AS_IT_STANDS

    def text(self, phrase: str) -> str:
        """The phrase in the template."""
        return self.template.replace("{}", phrase)


def native_of(segmenter: Segmenter, backbone: "Backbone") -> Size:
    """The picture size at which a method is at home: a head's own, else the model's."""
    return getattr(segmenter, "native", None) or backbone.native


def gather(
    segmenter: Segmenter,
    backbone: "Backbone",
    view: View,
    phrases: Sequence[str],
    request: SegmentRequest,
    clock: Clock,
) -> Evidence:
    """What a method finds, over all the looks that a request asks for: their mean logits and scores.

    MethodError for the demo's way with a method that has no trained head.
    """
    if request.average == 1 and not request.parity:
        return segmenter.evidence(backbone, view, phrases, request, clock)
    chosen = _as_authors(segmenter) if request.parity else segmenter
    every = looks(request, getattr(segmenter, "timestep", None), _templates(segmenter))
    found = []
    for look in every:
        texts = tuple(look.text(phrase) for phrase in phrases)
        _check_length(texts, backbone, segmenter)
        with clock("encode"):
            seen = _demo_view(view, backbone, chosen, look.seed) if request.parity else replace(view, given=())
        asked = replace(request, timestep=look.timestep, seed=look.seed, average=1, parity=False)
        found.append(chosen.evidence(backbone, seen, texts, asked, clock))
    return _mean(found, every, _of_the_demo(seen, backbone) if request.parity else {})


def looks(request: SegmentRequest, timestep: int | None, templates: Sequence[str] = ()) -> tuple[Look, ...]:
    """The looks of a request. timestep: the method's own, around which they spread; None where it has none to tell.

    >>> [look.timestep for look in looks(SegmentRequest(phrases=("fox",), average=4), 400)]
    [325, 375, 425, 475]
    """
    if request.parity:
        return tuple(_drawn(request, number) for number in range(request.average))
    if request.average == 1:
        return (Look(timestep=request.timestep, seed=request.seed),)
    return tuple(
        Look(
            timestep=_spread(timestep, number, request.average) if request.timestep is None else request.timestep,
            seed=derived(request.seed, number, "noise") if number else request.seed,
            template=templates[number % len(templates)] if templates else AS_IT_STANDS,
        )
        for number in range(request.average)
    )


def derived(seed: int, number: int, use: str) -> int:
    """A seed for one use out of a request's: the same on every machine, and unlike those for other uses."""
    summed = hashlib.blake2b(f"{seed} {number} {use}".encode(), digest_size=8).digest()
    return int.from_bytes(summed, "big") >> 1  # torch takes 63 bits


def _drawn(request: SegmentRequest, number: int) -> Look:
    """As the demo draws: any of its timesteps, any of its templates, fresh noise."""
    timestep = FIRST + derived(request.seed, number, "timestep") % (LAST - FIRST + 1)
    template = TEMPLATES[derived(request.seed, number, "template") % len(TEMPLATES)]
    return Look(
        timestep=timestep if request.timestep is None else request.timestep,
        seed=derived(request.seed, number, "demo"),
        template=template,
    )


def _spread(timestep: int | None, number: int, count: int) -> int | None:
    """The middle of one of `count` equal parts of a stretch as long as the authors', around the method's own timestep."""
    if timestep is None:
        return None
    stretch = LAST - FIRST + 1
    return min(max(timestep - stretch // 2 + stretch * (2 * number + 1) // (2 * count), 0), 999)


def _templates(segmenter: Segmenter) -> tuple[str, ...]:
    info = getattr(segmenter, "info", None)
    return TRAINED_WITH.get(info.family, ()) if info is not None else ()


def _as_authors(segmenter: Segmenter) -> Segmenter:
    if not hasattr(segmenter, "as_authors"):
        raise MethodError(
            f"The method is '{segmenter.name}', and parity was asked for; expected a trained head, whose authors' demo it "
            "follows, so leave parity off or choose a head's method."
        )
    return segmenter.as_authors()  # type: ignore[attr-defined]


def _check_length(texts: Sequence[str], backbone: "Backbone", segmenter: Segmenter) -> None:
    for text in () if getattr(segmenter, "any_length", False) else texts:
        if over := backbone.overflow(text):
            raise PhraseError(
                f'"{text[:60]}..." is {over} token{"s" * (over > 1)} too long for the text encoder of {backbone.name}; '
                "expected 75 tokens at most with the words a template adds, so shorten the phrase."
            )


def _demo_view(view: View, backbone: "Backbone", segmenter: Segmenter, seed: int) -> View:
    """The picture as the demo shows it: floored to 64, by Lanczos, and a latent that is drawn, not the mean."""
    fitted = demo_fit(view.fit.original, native_of(segmenter, backbone).height)
    pixels = demo_pixels(view.picture, fitted.network)
    seen = View(picture=view.picture, fit=fitted, pixels=pixels, picture_digest=digest(pixels))
    return seen if "pixels" in segmenter.needs else replace(seen, given_latent=_sampled(seen, backbone, seed))


def _sampled(view: View, backbone: "Backbone", seed: int) -> Float[Tensor, "1 c lh lw"]:
    """A latent drawn from what the auto-encoder says of the picture; a host that tells the mean alone gives that."""
    if not hasattr(backbone, "posterior"):
        return view.latent(backbone)
    key: Any = view.latent_key(backbone)
    made = backbone.caches.latents.get_or(
        replace(key, kind="posterior"),
        lambda: backbone.posterior(view.tensor(backbone)),  # type: ignore[attr-defined]
    )
    mean, deviation = made
    # not the seed itself: the noise that is added later is drawn with it, in the same shape
    noise = seeded_noise(derived(seed, 0, "posterior"), tuple(mean.shape), mean.device, mean.dtype)
    return mean + deviation * noise


def _of_the_demo(view: View, backbone: "Backbone") -> dict[str, Any]:
    drawn = "sample" if hasattr(backbone, "posterior") else "mean"
    return {"parity": True, "network_size": list(view.fit.network), "latent": drawn}


def _mean(found: Sequence[Evidence], every: Sequence[Look], more: dict[str, Any]) -> Evidence:
    """The looks as one: what they measured on average, and how each was made."""
    first, told = found[0], [one.familiar for one in found if one.familiar is not None]
    backgrounds = [one.background for one in found if one.background is not None]
    return replace(
        first,
        logits=np.mean([one.logits for one in found], axis=0, dtype=np.float32),
        scores=np.mean([one.scores for one in found], axis=0),
        familiar=2 * sum(told) > len(told) if told else None,
        unet_calls=sum(one.unet_calls for one in found),
        background=np.mean(backgrounds, axis=0, dtype=np.float32) if len(backgrounds) == len(found) else None,
        provenance={
            **first.provenance,
            **more,
            "average": len(found),
            "timestep": [one.provenance.get("timestep") for one in found],
            "templates": [look.template for look in every],
            "noise_seeds": [look.seed for look in every],
        },
    )
