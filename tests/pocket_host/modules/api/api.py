"""`/sdapi/v1`: pictures from words, pictures from pictures, the scripts' arguments, options, progress, interrupt."""

import base64
import io
import secrets
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from PIL import Image, PngImagePlugin
from pydantic import BaseModel

from modules import processing, progress, scripts, shared

basic = HTTPBasic()


def decode_base64_to_image(encoding: str) -> Image.Image:
    """A picture out of base64, with or without its data URL's head; never a path or an address."""
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(encoding.split(",", 1)[-1])))
        picture.load()
        return picture
    except Exception as error:
        raise HTTPException(status_code=500, detail="Invalid encoded image") from error


def encode_pil_to_base64(image: Image.Image) -> bytes:
    """A PNG with its parameters."""
    stream, kept = io.BytesIO(), PngImagePlugin.PngInfo()
    for key, value in image.info.items():
        if isinstance(key, str) and isinstance(value, str):
            kept.add_text(key, value)
    image.save(stream, format="PNG", pnginfo=kept)
    return base64.b64encode(stream.getvalue())


class Txt2ImgRequest(BaseModel):
    """What can be asked for; the rest has its defaults."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    steps: int = 20
    cfg_scale: float = 5.0
    width: int = 256
    height: int = 256
    batch_size: int = 1
    n_iter: int = 1
    enable_hr: bool = False
    hr_scale: float = 1.5
    denoising_strength: float = 0.75
    sampler_name: str = ""
    override_settings: dict = {}
    alwayson_scripts: dict = {}
    script_name: str = ""
    script_args: list = []
    send_images: bool = True
    save_images: bool = False
    infotext: str = ""


class Img2ImgRequest(BaseModel):
    """The same, from pictures."""

    init_images: list = []
    mask: str = ""
    mask_blur: int = 4
    inpainting_fill: int = 1
    inpaint_full_res: bool = False
    inpaint_full_res_padding: int = 32
    inpainting_mask_invert: int = 0
    resize_mode: int = 0
    denoising_strength: float = 0.75
    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    steps: int = 20
    cfg_scale: float = 5.0
    width: int = 256
    height: int = 256
    batch_size: int = 1
    n_iter: int = 1
    override_settings: dict = {}
    alwayson_scripts: dict = {}
    send_images: bool = True
    save_images: bool = False
    infotext: str = ""


class Api:
    """Routes on an app, every one behind --api-auth where that is set."""

    def __init__(self, app: FastAPI, queue_lock: Any) -> None:
        self.app, self.queue_lock, self.router = app, queue_lock, APIRouter()
        self.credentials: dict[str, str] = {}
        for pair in (shared.cmd_opts.api_auth or "").split(","):
            name, _, password = pair.strip().partition(":")
            if name:
                self.credentials[name] = password
        self._default_args: dict[str, list[Any]] = {}
        for runner, name in ((scripts.scripts_txt2img, "txt2img"), (scripts.scripts_img2img, "img2img")):
            self._default_args[name] = runner.default_args()
            self._default_args[name] = runner.default_args()  # A1111 asks each script twice
        self.add_api_route("/sdapi/v1/txt2img", self.text2img, ["POST"])
        self.add_api_route("/sdapi/v1/img2img", self.img2img, ["POST"])
        self.add_api_route("/sdapi/v1/options", lambda: dict(shared.opts.data), ["GET"])
        self.add_api_route("/sdapi/v1/options", self.set_options, ["POST"])
        self.add_api_route("/sdapi/v1/progress", self.progress, ["GET"])
        self.add_api_route("/sdapi/v1/interrupt", self.interrupt, ["POST"])
        self.add_api_route("/sdapi/v1/sd-models", self.models, ["GET"])
        self.add_api_route("/sdapi/v1/script-info", self.script_info, ["GET"])
        app.include_router(self.router)

    def add_api_route(self, path: str, endpoint: Any, methods: list[str]) -> None:
        """With the password asked for where there is one."""
        guard = {"dependencies": [Depends(self.auth)]} if self.credentials else {}
        self.app.add_api_route(path, endpoint, methods=methods, **guard)

    def auth(self, credentials: HTTPBasicCredentials = Depends(basic)) -> bool:  # noqa: B008
        """401 unless name and password fit."""
        wanted = self.credentials.get(credentials.username)
        if wanted is not None and secrets.compare_digest(credentials.password, wanted):
            return True
        raise HTTPException(
            status_code=401, detail="Incorrect username or password", headers={"WWW-Authenticate": "Basic"}
        )

    def text2img(self, request: Txt2ImgRequest) -> dict[str, Any]:
        """Pictures as base64, the request, the infotext as JSON."""
        kept = request.dict()
        p = processing.StableDiffusionProcessingTxt2Img(**self._fields(kept, "outdir_txt2img_samples"))
        return self._answer(p, kept, "txt2img", scripts.scripts_txt2img)

    def img2img(self, request: Img2ImgRequest) -> dict[str, Any]:
        """The same from pictures."""
        if not request.init_images:
            raise HTTPException(status_code=404, detail="Init image not found")
        kept = request.dict()
        fields = self._fields(kept, "outdir_img2img_samples")
        fields["init_images"] = [decode_base64_to_image(text) for text in request.init_images]
        fields["mask"] = decode_base64_to_image(request.mask) if request.mask else None
        p = processing.StableDiffusionProcessingImg2Img(**fields)
        return self._answer(p, {**kept, "init_images": None, "mask": None}, "img2img", scripts.scripts_img2img)

    def _fields(self, kept: dict[str, Any], folder: str) -> dict[str, Any]:
        dropped = {"alwayson_scripts", "script_name", "script_args", "send_images", "save_images", "infotext"}
        fields = {key: value for key, value in kept.items() if key not in dropped}
        return {
            **fields,
            "outpath_samples": getattr(shared.opts, folder),
            "do_not_save_samples": not kept["save_images"],
            "do_not_save_grid": True,
        }

    def _answer(self, p: Any, kept: dict[str, Any], tab: str, runner: Any) -> dict[str, Any]:
        args = self._script_args(kept["alwayson_scripts"], tab, runner)
        with self.queue_lock:
            p.scripts = runner
            p.script_args = args
            shared.state.begin(job=f"scripts_{tab}")
            progress.start_task("api")
            try:
                processed = processing.process_images(p)
            finally:
                progress.finish_task("api")
                shared.state.end()
                p.close()
        pictures = (
            [encode_pil_to_base64(picture).decode() for picture in processed.images] if kept["send_images"] else []
        )
        return {"images": pictures, "parameters": kept, "info": processed.js()}

    def _script_args(self, asked: dict[str, Any], tab: str, runner: Any) -> list[Any]:
        args = list(self._default_args[tab])
        for title, given in asked.items():
            script = runner.script(title)
            if script is None:
                raise HTTPException(status_code=422, detail=f"always on script {title} not found")
            listed = given.get("args", [])
            for offset, value in enumerate(listed[: script.args_to - script.args_from]):
                args[script.args_from + offset] = value
        return args

    def set_options(self, request: dict[str, Any]) -> None:
        """Change settings."""
        for key, value in request.items():
            shared.opts.set(key, value, is_api=True)

    def progress(self, skip_current_image: bool = False) -> dict[str, Any]:
        """0..1 and the state."""
        return {
            "progress": progress.fraction(),
            "eta_relative": 0.0,
            "state": shared.state.dict(),
            "current_image": None,
            "textinfo": shared.state.textinfo,
        }

    def interrupt(self) -> dict[str, Any]:
        """Stop the running job."""
        shared.state.interrupt()
        return {}

    def models(self) -> list[dict[str, Any]]:
        """The checkpoints."""
        from modules import sd_models

        return [
            {"title": info.title, "model_name": info.name, "filename": info.filename}
            for info in sd_models.checkpoints_list.values()
        ]

    def script_info(self) -> list[dict[str, Any]]:
        """The scripts and how many arguments each takes."""
        return [
            {
                "name": script.title().lower(),
                "is_alwayson": script.alwayson,
                "is_img2img": script.is_img2img,
                "args": [{}] * (script.args_to - script.args_from),
            }
            for runner in (scripts.scripts_txt2img, scripts.scripts_img2img)
            for script in runner.alwayson_scripts
        ]
