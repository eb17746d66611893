"""Ways to be unlucky, against a running web UI: `python tests/real_host/unlucky.py http://127.0.0.1:7860 [--json]`.

Each is to end in a picture and a sentence. `prepare.py` puts what they need into the host's folder; cases for which the host
lacks something, or was started otherwise, are not run and say why. `--log FILE` also counts tracebacks, but for the saboteur's.
"""

import argparse
import contextlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from web_ui import RefusedError, WebUi, encoded

FOX: dict[str, Any] = {"words": "fox"}
SECOND, LORA = "sticker-sd-second", "ldznet-test"


class NotRunError(Exception):
    """The host has not what a case needs."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One case on one host. `result`: what was seen, or why it was not run."""

    case: str
    ran: bool
    good: bool
    result: str
    seconds: float


Case = Callable[[WebUi], str]
CASES: dict[str, Case] = {}


def case(name: str) -> Callable[[Case], Case]:
    """Enter a case; what it returns is what was seen, an assertion or another exception is a failure."""

    def enter(function: Case) -> Case:
        CASES[name] = function
        return function

    return enter


def same(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures have the same pixels."""
    return np.array_equal(np.asarray(one), np.asarray(other))


def well(painted: Any, pictures: int = 1, masks: int | None = None, says: str = "") -> str:
    """A line about a generation that must have given so many pictures and masks, and a sentence."""
    seen = len(painted.pictures), len(painted.masks)
    assert seen[0] == pictures, f"{seen[0]} pictures instead of {pictures}"
    assert masks is None or seen[1] == masks, f"{seen[1]} masks instead of {masks}: {painted.said}"
    assert all(np.asarray(one).std() > 0 for one in painted.pictures), "a picture of one colour"
    assert painted.said, "no sentence"
    assert re.search(says, painted.said), f"said: {painted.said}"
    return f"{seen[0]} picture{'s' * (seen[0] > 1)}, {seen[1]} mask{'s' * (seen[1] != 1)}: {first_line(painted.said)}"


def first_line(text: str) -> str:
    """The first sentence of several."""
    return text.splitlines()[0]


def refused(call: Callable[[], Any], says: str, status: int = 400) -> str:
    """A request that must be refused in one sentence."""
    try:
        call()
    except RefusedError as error:
        refusal = error
    else:
        raise AssertionError("was not refused")
    answer = json.loads(refusal.body)
    sentence = answer.get("error") or answer.get("detail", "")
    assert refusal.status == status and re.search(says, sentence), str(refusal)
    return f"refused: {sentence}"


def noise(width: int = 64, height: int = 96, mode: str = "RGB") -> Image.Image:
    """Coloured blobs."""
    coarse = np.random.default_rng(0).integers(0, 255, (6, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def flag(host: WebUi, name: str) -> Any:
    """A flag of the host's command line."""
    try:
        return host.get("/sdapi/v1/cmd-flags").get(name)
    except RefusedError as error:  # Forge's own route fails on its own flags
        raise NotRunError("the host does not tell its flags") from error


def need(there: Any, why: str) -> None:
    """Go on only where something is there."""
    if not there:
        raise NotRunError(why)


def checkpoints(host: WebUi) -> list[str]:
    """Names of the checkpoints."""
    return [one["model_name"] for one in host.get("/sdapi/v1/sd-models")]


def saboteur(host: WebUi) -> int:
    """Hooks on the UNet; the case is not run where there is no saboteur."""
    try:
        return host.get("/saboteur")["hooks"]
    except RefusedError as error:
        raise NotRunError("no saboteur among the host's extensions") from error


@case("masks off and on: the same picture, bit for bit")
def _(host: WebUi) -> str:
    off, on = host.txt2img(), host.txt2img(FOX)
    assert same(off.pictures[0], on.pictures[0])
    return "equal; " + well(on, masks=1)


@case("masks of every noun of the prompt")
def _(host: WebUi) -> str:
    return well(host.txt2img({"source": "nouns"}), says="fox.*doughnut")


@case("empty words: the things of the prompt")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": " "}), says="fox.*doughnut")


@case("words that are not in the picture")
def _(host: WebUi) -> str:
    painted = host.txt2img({"words": "piano"}, prompt="snow")
    line = well(painted, masks=1, says="not found|unknown")
    assert not np.asarray(painted.masks[0]).any()
    return line


@case("an unknown word")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "qwertzuiop"}), says="unknown")


@case("words in another script")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "狐狸 | лиса"}))


@case("an expression with a mistake")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox & (tail"}), masks=0, says=r"\)|parenthes|closed|expected")


@case("an unknown setting")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox", "colour": "red"}), masks=0, says="no setting")


@case("a method that does not exist")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox", "method": "magic"}), masks=0, says="magic")


@case("a method whose head is missing")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox", "method": "rgbnet"}), masks=0, says="rgbnet")


@case("without a head: attention")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox", "method": "attention"}), masks=1)


@case("odd size (72 x 104)")
def _(host: WebUi) -> str:
    painted = host.txt2img(FOX, width=72, height=104)
    assert painted.masks[0].size == painted.pictures[0].size == (72, 104)
    return well(painted, masks=1)


@case("batch size 4, batch count 2")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, batch_size=4, n_iter=2, steps=2), pictures=8, masks=8)


@case("CFG scale 1")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, cfg_scale=1), masks=1)


@case("AND in the prompt")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, prompt="a fox AND snow :0.6", negative_prompt="owl"), masks=1)


@case("a prompt of more than 75 tokens, BREAK, prompt editing")
def _(host: WebUi) -> str:
    prompt = "a fox " + "on white snow, " * 30 + "BREAK a [fox:owl:0.5], (doughnut:1.3)"
    return well(host.txt2img(FOX, prompt=prompt), masks=1)


@case("prompt and negative of different length")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, prompt="a fox " + "on white snow, " * 30, negative_prompt="owl"), masks=1)


@case("NGMS: the unconditional part skipped")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, s_min_uncond=4.0), masks=1)


@case("conditional and unconditional in two calls")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, override_settings={"batch_cond_uncond": False}), masks=1)


@case("second-order sampler (Heun)")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, sampler_name="Heun"), masks=1)


@case("DDIM")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, sampler_name="DDIM"), masks=1)


@case("UniPC")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, sampler_name="UniPC", steps=4), masks=1)


@case("one step")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, steps=1))


@case("hires fix")
def _(host: WebUi) -> str:
    extra = {"hr_additional_modules": ["Use same choices"]} if "Forge" in host.get("/ldznet/v1/health")["host"] else {}
    if "reForge" in host.get("/ldznet/v1/health")["host"]:
        extra = {}
    settings = {"enable_hr": True, "hr_scale": 1.5, "hr_upscaler": "Latent", "denoising_strength": 0.7, **extra}
    painted = host.txt2img(FOX, **settings)
    assert painted.masks[0].size == painted.pictures[0].size == (96, 144)
    return well(painted, masks=1)


@case("token merging")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, override_settings={"token_merging_ratio": 0.5}), masks=1)


@case("token merging, and a method that reads self-attention")
def _(host: WebUi) -> str:
    job = {"words": "fox", "method": "attention"}
    return well(host.txt2img(job, override_settings={"token_merging_ratio": 0.5}))


@case("CLIP skip 2")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, override_settings={"CLIP_stop_at_last_layers": 2}), masks=1)


@case("tiling")
def _(host: WebUi) -> str:
    return well(host.txt2img(FOX, tiling=True), masks=1)


@case("a LoRA in the prompt, and none in a mask after it")
def _(host: WebUi) -> str:
    try:
        known = {one["name"] for one in host.get("/sdapi/v1/loras")}
    except RefusedError as error:
        raise NotRunError("the host has no LoRA extension") from error
    need(LORA in known, "no test LoRA")
    picture, plain = noise(), host.txt2img()
    before = prob(host, picture)
    painted = host.txt2img(FOX, prompt=f"a fox and a doughnut on snow <lora:{LORA}:2>")
    assert not same(plain.pictures[0], painted.pictures[0]), "the LoRA changed nothing"
    after, with_lora = prob(host, picture), prob(host, picture, f"fox <lora:{LORA}:2>")
    assert before == after, "the mask after it differs"
    assert before != with_lora, "words with a LoRA give the same mask"
    assert prob(host, picture) == before, "the words' LoRA stayed"
    return (
        well(painted, masks=1) + " Masks of another picture before and after are equal, with the LoRA in the words not."
    )


@case("model switched between two pictures")
def _(host: WebUi) -> str:
    need(SECOND in checkpoints(host), "no second checkpoint")
    painted = host.txt2img(FOX, override_settings={"sd_model_checkpoint": SECOND})
    again = host.txt2img(FOX)
    assert SECOND in painted.info["infotexts"][0]
    well(again, masks=1)
    return well(painted, masks=1)


@case("model switched while a picture is painted")
def _(host: WebUi) -> str:
    need(SECOND in checkpoints(host), "no second checkpoint")
    first = host.get("/sdapi/v1/options")["sd_model_checkpoint"]
    busy = host.meanwhile(job=FOX, steps=12)
    time.sleep(1)
    host.post("/sdapi/v1/options", {"sd_model_checkpoint": SECOND})
    line = well(busy.wait(), masks=1)
    host.masks(noise())
    host.post("/sdapi/v1/options", {"sd_model_checkpoint": first})
    host.masks(noise())
    return line + " Masks with the other model and with the first again."


@case("refiner: another model half-way")
def _(host: WebUi) -> str:
    need(SECOND in checkpoints(host), "no second checkpoint")
    painted = host.txt2img(FOX, refiner_checkpoint=SECOND, refiner_switch_at=0.5, steps=6)
    line = well(painted)
    host.txt2img(FOX)
    return line


@case("interrupted")
def _(host: WebUi) -> str:
    busy = host.meanwhile(job=FOX, steps=60)
    wait_for_steps(host)
    host.post("/sdapi/v1/interrupt")
    line = well(busy.wait())
    return f"{line} Hooks left: {left(host)}."


@case("skipped, with a second batch")
def _(host: WebUi) -> str:
    busy = host.meanwhile(job=FOX, steps=30, n_iter=2)
    wait_for_steps(host)
    host.post("/sdapi/v1/skip")
    line = well(busy.wait(), pictures=2)
    return f"{line} Hooks left: {left(host)}."


@case("the UNet raises in mid-generation")
def _(host: WebUi) -> str:
    before = saboteur(host)
    try:
        host.txt2img(FOX, trick="unet")
        seen = "the host went on"
    except RefusedError as error:
        seen = f"the host's own error {error.status}"
    assert saboteur(host) == before, "hooks were left"
    return f"{seen}; no hook left; the next: {well(host.txt2img(FOX), masks=1)}"


@case("another script raises")
def _(host: WebUi) -> str:
    saboteur(host)
    return well(host.txt2img(FOX, trick="script"), masks=1)


@case("our own code raises")
def _(host: WebUi) -> str:
    before = saboteur(host)
    plain, painted = host.txt2img(), host.txt2img(FOX, trick="ours")
    assert same(plain.pictures[0], painted.pictures[0]), "the picture was changed"
    assert saboteur(host) == before, "hooks were left"
    return well(painted, masks=0, says="sabotage in ours")


@case("another script paints from within ours (as ADetailer)")
def _(host: WebUi) -> str:
    saboteur(host)
    return well(host.txt2img(FOX, trick="nested"), masks=1)


@case("a mask asked for while a picture is painted")
def _(host: WebUi) -> str:
    busy = host.meanwhile(job=FOX, steps=8)
    answer = host.masks(noise())
    return f"{well(busy.wait(), masks=1)} The mask: {answer['masks'][0]['status']}."


@case("a picture just painted: no pass of the model")
def _(host: WebUi) -> str:
    # fewer steps may all be far from the timestep that the head reads, and its networks halve the latent three times
    painted = host.txt2img(FOX, steps=12, width=128, height=64)
    answer = host.masks(painted.pictures[0], ["fox", "snow"])["masks"]
    assert [one["unet_calls"] for one in answer] == [0, 0], painted.said
    return "0 UNet calls, " + ", ".join(f"{one['words']} {one['status']}" for one in answer)


@case("an older picture: a pass of its own")
def _(host: WebUi) -> str:
    answer = host.masks(noise())["masks"][0]
    return f"{answer['unet_calls']} UNet call, {answer['status']}; familiar: {answer['familiar']}"


@case("img2img with an RGBA picture")
def _(host: WebUi) -> str:
    picture = noise(mode="RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return well(host.img2img(picture, FOX), masks=1)


@case("img2img with a palette picture")
def _(host: WebUi) -> str:
    return well(host.img2img(noise().convert("P"), FOX), masks=1)


@case("img2img of a picture of another size")
def _(host: WebUi) -> str:
    painted = host.img2img(noise(91, 57), FOX)
    assert painted.masks[0].size == painted.pictures[0].size
    return well(painted, masks=1)


@case("inpaint: only masked, whose crop is mapped back")
def _(host: WebUi) -> str:
    given = Image.new("L", (128, 192))
    given.paste(255, (70, 100, 110, 150))
    painted = host.img2img(noise(128, 192), FOX, mask=encoded(given), inpaint_full_res=True, inpaint_full_res_padding=8)
    assert painted.masks[0].size == painted.pictures[0].size
    assert not np.asarray(painted.masks[0])[:60, :40].any(), "a mask outside the crop"
    return well(painted, masks=1, says="Only the repainted part")


@case("img2img: mask the input by the words")
def _(host: WebUi) -> str:
    picture = host.txt2img().pictures[0]
    painted = host.img2img(picture, {"words": "fox | doughnut", "batch": True}, denoising_strength=0.9)
    return well(painted)


@case("img2img: mask the input by words not in it, keep")
def _(host: WebUi) -> str:
    picture = host.txt2img(prompt="snow").pictures[0]
    painted = host.img2img(picture, {"words": "qwertzuiop", "batch": True})
    assert same(painted.pictures[0].convert("RGB"), picture.convert("RGB")), "it was changed"
    return well(painted)


@case("inpaint each picture by words")
def _(host: WebUi) -> str:
    plain = host.txt2img()
    job = {"words": "fox | doughnut", "inpaint": True, "inpaint_prompt": "an owl", "denoise": 0.9}
    painted = host.txt2img(job)
    changed = not same(plain.pictures[0], painted.pictures[0])
    return well(painted, masks=1) + (" The picture was repainted there." if changed else " Nothing was repainted.")


@case("inpaint each picture by words, nothing found, skip")
def _(host: WebUi) -> str:
    job = {"words": "qwertzuiop", "inpaint": True, "not_found": "skip"}
    plain, painted = host.txt2img(), host.txt2img(job)
    assert same(plain.pictures[0], painted.pictures[0]), "it was changed"
    return well(painted, masks=0)


@case("masks saved beside the pictures")
def _(host: WebUi) -> str:
    return well(host.txt2img({"words": "fox", "save": True}, save_images=True), masks=1)


@case("the accordion's values in their order, in place of a dict")
def _(host: WebUi) -> str:
    body = {"prompt": "a fox", "width": 64, "height": 96, "steps": 2, "seed": 5}
    scripts = {"ld-znet masks": {"args": [True, "fox"]}}
    answer = host.post("/sdapi/v1/txt2img", {**body, "alwayson_scripts": scripts})
    assert len(answer["images"]) == 3
    return "1 picture, overlay and mask"


@case("an infotext pasted through the API")
def _(host: WebUi) -> str:
    text = host.txt2img(FOX).info["infotexts"][0]
    assert "LD-ZNet words: fox" in text
    try:
        host.post("/sdapi/v1/txt2img", {"infotext": "a fox\nSteps: 1, Sampler: Euler, Seed: 5, Size: 64x64"})
    except RefusedError as error:
        raise NotRunError("the host's own API fails on every infotext") from error
    answer = host.post("/sdapi/v1/txt2img", {"infotext": text})
    assert len(answer["images"]) == 3, f"{len(answer['images'])} images"
    return "the same settings again: 1 picture, overlay and mask"


@case("route: RGBA, palette, grey, 16 bits, one pixel")
def _(host: WebUi) -> str:
    deep = Image.fromarray(np.arange(48 * 32, dtype=np.uint16).reshape(48, 32) * 40)
    pictures = [noise(mode="RGBA"), noise().convert("P"), noise(mode="L"), deep, noise(1, 1)]
    sizes = [host.masks(picture)["size"] for picture in pictures]
    return f"5 masks, sizes {sizes}"


@case("route: a path in place of a picture")
def _(host: WebUi) -> str:
    return refused(lambda: host.masks("/etc/hostname"), "not base64|no picture")


@case("route: an address in place of a picture")
def _(host: WebUi) -> str:
    return refused(lambda: host.masks("http://127.0.0.1:1/x.png"), "not base64|no picture")


@case("route: a picture of 40 megapixels")
def _(host: WebUi) -> str:
    return refused(lambda: host.masks(Image.new("1", (8000, 5000))), "megapixels", status=413)


@case("route: empty words")
def _(host: WebUi) -> str:
    return refused(lambda: host.masks(noise(), ""), "empty|words")


@case("--api-auth: without name and password")
def _(host: WebUi) -> str:
    need(flag_given(host), "started without --api-auth")
    return refused(lambda: host.get("/ldznet/v1/models"), "password", status=401)


@case("--medvram")
def _(host: WebUi) -> str:
    need(flag(host, "medvram"), "started without --medvram")
    line = well(host.txt2img(FOX), masks=1)
    return f"{line} Own pass: {host.masks(noise())['masks'][0]['status']}."


@case("--lowvram")
def _(host: WebUi) -> str:
    need(flag(host, "lowvram"), "started without --lowvram")
    line = well(host.txt2img(FOX), masks=1)
    return f"{line} Own pass: {host.masks(noise())['masks'][0]['status']}."


@case("--nowebui")
def _(host: WebUi) -> str:
    need(flag(host, "nowebui"), "started with its interface")
    line = well(host.txt2img(FOX), masks=1)
    return f"{line} Own pass: {host.masks(noise())['masks'][0]['status']}."


@case("no checkpoint")
def _(host: WebUi) -> str:
    need(not checkpoints(host), "it has a checkpoint")
    return refused(lambda: host.masks(noise()), "checkpoint", status=409)


@case("no head in any model folder")
def _(host: WebUi) -> str:
    need(not host.get("/ldznet/v1/models")["heads"], "it has a head")
    painted = host.txt2img(FOX)
    assert "LD-ZNet method: attention" in painted.info["infotexts"][0]
    return well(painted, masks=1)


def flag_given(host: WebUi) -> bool:
    """Whether the API is locked."""
    try:
        host.get("/sdapi/v1/progress")
    except RefusedError as error:
        return error.status == 401
    return False


def wait_for_steps(host: WebUi, steps: int = 2, seconds: float = 120) -> None:
    """Until the host has painted a few steps."""
    end = time.time() + seconds
    while time.time() < end:
        if host.get("/sdapi/v1/progress?skip_current_image=true")["state"]["sampling_step"] >= steps:
            return
        time.sleep(0.2)
    raise AssertionError("the host does not paint")


def prob(host: WebUi, picture: Image.Image, words: str = "fox") -> str:
    """The probability map of words, encoded."""
    return host.masks(picture, words, want=["prob"])["masks"][0]["prob"]


def settle(host: WebUi) -> None:
    """Make the settings that cases override ones that the host knows: A1111 restores no others afterwards."""
    for name, value in (("token_merging_ratio", 0), ("CLIP_stop_at_last_layers", 1), ("batch_cond_uncond", True)):
        with contextlib.suppress(RefusedError):
            host.post("/sdapi/v1/options", {name: value})


def left(host: WebUi) -> str:
    """Hooks on the UNet, as the saboteur counts them."""
    try:
        return str(saboteur(host))
    except NotRunError:
        return "not counted"


def run(host: WebUi, name: str, log: Path | None) -> Line:
    """One case."""
    began, size = time.time(), log.stat().st_size if log else 0
    ran, good = True, True
    try:
        result = CASES[name](host)
    except NotRunError as why:
        ran, result = False, f"not run: {why}"
    except (AssertionError, RefusedError, KeyError, IndexError, OSError) as error:
        good, result = False, f"{type(error).__name__}: {error}"
    if log and ran and (traces := tracebacks(log, size)):
        good, result = False, f"{result} Tracebacks in the log: {traces}."
    return Line(case=name, ran=ran, good=good, result=" ".join(result.split()), seconds=round(time.time() - began, 1))


def tracebacks(log: Path, start: int) -> list[str]:
    """The last lines of tracebacks written since, the saboteur's left out."""
    with log.open("rb") as stream:
        stream.seek(start)
        text = stream.read().decode(errors="replace")
    found = re.findall(
        r"^\s*Traceback \(most.*?\n(?:.*\n)*?\s{0,4}(\w+(?:\.\w+)*(?:Error|Exception)[^\n]*)", text, re.M
    )
    return [line for line in found if "sabotage" not in line]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--only", action="append", help="a case whose name has this in it; may be given several times")
    parser.add_argument("--log", type=Path, help="the host's log")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    host = WebUi(args.address)
    chosen = [name for name in CASES if not args.only or any(part in name for part in args.only)]
    lines = []
    settle(host)
    for name in chosen:
        lines.append(run(host, name, args.log))
        if not args.json:
            line = lines[-1]
            mark = "ok" if line.ran and line.good else "not run" if not line.ran else "FAILED"
            print(f"| {line.case} | {mark} | {line.result} | {line.seconds} s |", flush=True)
    if args.json:
        print(json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False))
    bad = [line.case for line in lines if not line.good]
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
