"""Repainting by words inside a web UI: the inner run it asks for, when it asks for none, and img2img's own input pictures."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldznet_ext.geometry import Size
from ldznet_ext.hosts.webui import find as webui_find
from ldznet_ext.hosts.webui.inpaint import mask_inputs, repaint
from ldznet_ext.hosts.webui.results import deliver
from ldznet_ext.hosts.webui.script import Generation
from ldznet_ext.hosts.webui.session import INNER, NAME, Mask, Outcome, Session, file_of
from ldznet_ext.job import Job
from ldznet_ext.result import FOUND, NOT_FOUND, PhraseResult, Segmentation

GREY = Image.new("RGB", (10, 6), (90, 90, 90))
PAINTED = Image.new("RGB", (10, 6), (200, 0, 0))


class Img2Img(SimpleNamespace):
    """The host's processing object: it keeps whatever it is given."""


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The host's modules as far as an inner run needs them; `runs` are those that were asked for."""
    runs: list[Any] = []
    merging: list[float] = []
    state = SimpleNamespace(interrupted=False, skipped=False, job_count=1)

    def process_images(p: Any) -> SimpleNamespace:
        runs.append(p)
        return SimpleNamespace(images=[PAINTED])

    fakes = {
        "shared": SimpleNamespace(
            state=state, opts=SimpleNamespace(data={"multiple_tqdm": True}, samples_format="png")
        ),
        "processing": SimpleNamespace(StableDiffusionProcessingImg2Img=Img2Img, process_images=process_images),
        "sd_models": SimpleNamespace(apply_token_merging=lambda model, ratio: merging.append(ratio)),
        "images": SimpleNamespace(save_image=lambda *args, **kwargs: saved.append((args, kwargs))),
    }
    saved: list[Any] = []
    package = ModuleType("modules")
    monkeypatch.setitem(sys.modules, "modules", package)
    for name, fake in fakes.items():
        setattr(package, name, fake)
        monkeypatch.setitem(sys.modules, f"modules.{name}", fake)  # type: ignore[arg-type]
    return SimpleNamespace(runs=runs, state=state, merging=merging, saved=saved, processing=fakes["processing"])


def outer(**changes: Any) -> Any:
    return SimpleNamespace(
        **{
            "sampler_name": "Euler",
            "steps": 20,
            "cfg_scale": 7.0,
            "width": 10,
            "height": 6,
            "iteration": 1,
            "batch_size": 2,
            "n_iter": 2,
            "all_prompts": ["a", "b", "c", "d"],
            "all_negative_prompts": ["", "", "", "no"],
            "all_seeds": [1, 2, 3, 4],
            "sd_model": None,
            "outpath_samples": "out",
            "get_token_merging_ratio": lambda: 0.25,
            "extra_generation_params": {},
            "save_samples": lambda: True,
            **changes,
        }
    )


def outcome(*, found: bool = True) -> Outcome:
    grey = np.zeros((6, 10), np.uint8)
    grey[2:4, 3:8] = 255 * found
    masks = [Mask(words="fox", grey=grey)]
    return Outcome(index=3, seed=4, prompt="d", iteration=1, batch_index=1, made=None, masks=masks)


def test_the_inner_run_has_the_mask_and_our_settings(modules: SimpleNamespace) -> None:
    job = Job.from_mapping({"inpaint": True, "denoise": 0.6, "padding": 8, "mask_blur": 2, "inpaint_prompt": "an owl"})
    painted = repaint(outer(), GREY, outcome(), Session(job=job))
    assert np.array_equal(np.asarray(painted), np.asarray(PAINTED))
    (inner,) = modules.runs
    assert np.array_equal(np.asarray(inner.mask), outcome().masks[0].grey) and inner.init_images == [GREY]
    assert (inner.prompt, inner.negative_prompt, inner.seed) == ("an owl", "no", 4)
    assert (inner.denoising_strength, inner.inpaint_full_res, inner.inpaint_full_res_padding) == (0.6, True, 8)
    assert inner.mask_blur == 2 and inner.do_not_save_samples and inner.do_not_save_grid and inner.steps == 20
    assert getattr(inner, INNER) and inner.scripts is None
    assert modules.merging == [0.25] and modules.state.job_count == 2
    assert sys.modules["modules.shared"].opts.data == {"multiple_tqdm": True}


def test_the_inner_run_has_a_runner_without_scripts_where_the_outer_has_one(modules: SimpleNamespace) -> None:
    class Runner:
        def __init__(self) -> None:
            self.alwayson_scripts: list[str] = []

    runner = Runner()
    runner.alwayson_scripts.append("ours")
    repaint(outer(scripts=runner), GREY, outcome(), Session(job=Job.from_mapping({"inpaint": True})))
    (inner,) = modules.runs
    assert isinstance(inner.scripts, Runner)
    assert inner.scripts.alwayson_scripts == []


@pytest.mark.parametrize(("only_masked", "size"), [(True, (16, 8)), (False, (40, 24))])
def test_a_whole_picture_is_repainted_at_its_own_size(
    modules: SimpleNamespace, only_masked: bool, size: tuple[int, int]
) -> None:
    large = Image.new("RGB", (41, 27))
    job = Job(inpaint=True, only_masked=only_masked)
    assert repaint(outer(width=16, height=8), large, outcome(), Session(job=job)).size == (41, 27)
    inner = modules.runs[0]
    assert (inner.width, inner.height) == size and inner.mask.size == (41, 27)


def test_without_words_of_its_own_it_has_the_picture_s(modules: SimpleNamespace) -> None:
    repaint(outer(), GREY, outcome(), Session(job=Job(inpaint=True)))
    assert (modules.runs[0].prompt, modules.runs[0].negative_prompt) == ("d", "no")


@pytest.mark.parametrize("state", ["interrupted", "skipped", "not found"])
def test_the_picture_stays_where_there_is_nothing_to_do(modules: SimpleNamespace, state: str) -> None:
    if state != "not found":
        setattr(modules.state, state, True)
    assert repaint(outer(), GREY, outcome(found=state != "not found"), Session(job=Job(inpaint=True))) is GREY
    assert modules.runs == []


def test_an_interrupt_of_the_inner_run_leaves_the_picture(modules: SimpleNamespace) -> None:
    run = modules.processing.process_images

    def interrupted(p: Any) -> Any:
        modules.state.interrupted = True
        return run(p)

    modules.processing.process_images = interrupted
    assert repaint(outer(), GREY, outcome(), Session(job=Job(inpaint=True))) is GREY


def test_a_failing_inner_run_restores_the_host(modules: SimpleNamespace) -> None:
    def fail(p: Any) -> Any:
        raise RuntimeError("out of memory")

    modules.processing.process_images = fail
    with pytest.raises(RuntimeError):
        repaint(outer(), GREY, outcome(), Session(job=Job(inpaint=True)))
    assert sys.modules["modules.shared"].opts.data == {"multiple_tqdm": True} and modules.merging == [0.25]


def test_controlnet_s_forward_is_put_aside_meanwhile(modules: SimpleNamespace) -> None:
    class UNet:
        def forward(self) -> str:
            return "its own"

    unet, seen = UNet(), []
    unet.forward = lambda: "ControlNet's"  # type: ignore[method-assign]
    p = outer(sd_model=SimpleNamespace(model=SimpleNamespace(diffusion_model=unet)))
    run = modules.processing.process_images
    modules.processing.process_images = lambda inner: (seen.append(unet.forward()), run(inner))[1]
    repaint(p, GREY, outcome(), Session(job=Job(inpaint=True)))
    assert seen == ["its own"] and unet.forward() == "ControlNet's"


def answered(monkeypatch: pytest.MonkeyPatch, *, found: bool) -> None:
    prob = np.zeros((6, 10), np.float32)
    prob[1:3, 2:5] = 0.9
    one = PhraseResult(text="fox", status=FOUND if found else NOT_FOUND, score=0.8, prob=prob, box=None, area=6)
    result = Segmentation(
        size=Size(6, 10),
        method="attention",
        model="tiny",
        familiar=None,
        phrases=(one,),
        prob=prob,
        mask=(prob > 0.5) & found,
        seconds={},
        unet_calls=1,
    )
    monkeypatch.setattr(webui_find, "ask", lambda *args: result)
    monkeypatch.setattr("ldznet_ext.hosts.webui.inpaint.ask", lambda *args: result)


def test_an_input_picture_is_masked_by_the_words(modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, found=True)
    job = Job.from_mapping({"batch": True, "words": "fox", "only_masked": False, "padding": 4, "mask_blur": 0})
    session, p = Session(job=job), outer(init_images=[GREY], image_mask=None, inpaint_full_res=True)
    mask_inputs(None, p, session)  # type: ignore[arg-type]
    assert np.count_nonzero(np.asarray(p.image_mask)) == 6 and p.image_mask.mode == "L"
    assert (p.inpaint_full_res, p.inpaint_full_res_padding, p.inpainting_mask_invert) == (False, 4, 0)
    assert (p.mask_blur_x, p.mask_blur_y, p.inpainting_fill, p.n_iter) == (0, 0, 1, 2)
    session.restore(p)
    assert p.image_mask is None and p.inpaint_full_res is True, "the next file has its own"


@pytest.mark.parametrize(("policy", "pictures"), [("keep", [GREY]), ("skip", [])])
def test_a_file_without_the_words_is_not_painted(
    modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, policy: str, pictures: list[Image.Image]
) -> None:
    answered(monkeypatch, found=False)
    job = Job.from_mapping({"batch": True, "words": "fox", "not_found": policy})
    session, p = Session(job=job), outer(init_images=[GREY], image_mask=None)
    mask_inputs(None, p, session)  # type: ignore[arg-type]
    assert p.n_iter == 0 and p.do_not_save_grid and not session.active
    processed = SimpleNamespace(images=[], infotexts=["its parameters"], comments="")
    session.restore(p)
    deliver(p, processed, session)
    assert processed.images == pictures and len(processed.infotexts) == len(pictures) and p.n_iter == 2
    assert "left as it is" in processed.comments and "not found (0.80)" in processed.comments
    assert len(modules.saved) == len(pictures)


def test_what_is_said_of_each_file_is_logged_and_in_its_infotext(
    modules: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """img2img's Batch shows the remarks of its first file alone."""
    generation, p = Generation(None, None), outer(init_images=[GREY], image_mask=None)  # type: ignore[arg-type]
    monkeypatch.setattr("ldznet_ext.hosts.webui.script.runs.begin", lambda *args: True)
    noted = []
    modules.state.job = "task(one)"
    assert file_of(p) == "", "one picture, whose remarks are shown"
    for number, found in enumerate((False, True)):
        answered(monkeypatch, found=found)
        modules.state.job, p.extra_generation_params = f"{number + 1} out of 2", {**p.extra_generation_params}
        if found:
            p.override_settings = {"samples_filename_pattern": "photo-[generation_number]"}
        vars(p)[NAME] = Session(job=Job.from_mapping({"enabled": True, "batch": True, "words": "fox"}))
        generation.process(p, [])
        vars(p)[NAME].say("One more.")
        noted.append(p.extra_generation_params["LD-ZNet said"])
    said = [record.getMessage() for record in caplog.records]
    assert 'LD-ZNet masks: 1 out of 2: "fox" not found (0.80).' in said
    assert 'LD-ZNet masks: photo: "fox" found (0.80).' in said and "LD-ZNet masks: photo: One more." in said
    assert noted[0].startswith('1 out of 2: "fox" not found (0.80).') and noted[1].startswith(
        'photo: "fox" found (0.80).'
    )
