"""The state everybody shares: settings, arguments, the running job, and the checkpoint, loaded when first asked for."""

import sys
import types
from pathlib import Path
from typing import Any

from modules import cmd_args, paths_internal, shared_state
from modules.options import OptionInfo, Options, options_section

__all__ = ["OptionInfo", "cmd_opts", "config_filename", "demo", "host_name", "options_section", "opts", "state"]

cmd_opts: Any = cmd_args.parser.parse_known_args([] if "pytest" in sys.modules else None)[0]
host_name = "pocket host, not A1111"
config_filename = str(Path(paths_internal.data_path, "config.json"))
hide_dirs = {"visible": True}
parallel_processing_allowed = True
demo: Any = None
device: Any = None
state = shared_state.State()
options_templates: dict[str, OptionInfo] = {
    **options_section(
        ("saving-images", "Saving images"),
        {
            "samples_save": OptionInfo(True, "Always save all generated images"),
            "samples_format": OptionInfo("png", "File format for images"),
            "grid_save": OptionInfo(False, "Always save all generated image grids"),
            "return_grid": OptionInfo(True, "Show grid in results for web"),
            "grid_only_if_multiple": OptionInfo(True, "Do not save grids consisting of one picture"),
            "enable_pnginfo": OptionInfo(True, "Write infotext to metadata of the generated image"),
            "save_mask": OptionInfo(False, "For inpainting, save a copy of the greyscale mask"),
            "save_mask_composite": OptionInfo(False, "For inpainting, save a masked composite"),
        },
    ),
    **options_section(
        ("saving-paths", "Paths for saving"),
        {
            "outdir_samples": OptionInfo("", "Output directory for images"),
            "outdir_txt2img_samples": OptionInfo(
                str(Path(paths_internal.default_output_dir, "txt2img-images")), "Output directory for txt2img images"
            ),
            "outdir_img2img_samples": OptionInfo(
                str(Path(paths_internal.default_output_dir, "img2img-images")), "Output directory for img2img images"
            ),
            "outdir_grids": OptionInfo(str(Path(paths_internal.default_output_dir, "grids")), "Directory for grids"),
            "outdir_save": OptionInfo(str(Path(paths_internal.data_path, "log", "images")), "Directory for saving"),
        },
    ),
    **options_section(
        ("sd", "Stable Diffusion"),
        {
            "sd_model_checkpoint": OptionInfo(None, "Stable Diffusion checkpoint"),
            "CLIP_stop_at_last_layers": OptionInfo(1, "Clip skip", infotext="Clip skip"),
            "batch_cond_uncond": OptionInfo(True, "Batch cond/uncond"),
            "sd_lora": OptionInfo("None", "Add network to prompt"),
        },
    ),
    **options_section(
        ("img2img", "img2img"),
        {
            "return_mask": OptionInfo(False, "For inpainting, include the greyscale mask in results for web"),
            "return_mask_composite": OptionInfo(False, "For inpainting, include masked composite in results"),
            "overlay_inpaint": OptionInfo(True, "Overlay original for inpaint"),
            "img2img_color_correction": OptionInfo(False, "Apply color correction to img2img results"),
        },
    ),
}
opts: Any = Options(options_templates)


class _Shared(types.ModuleType):
    """`shared.sd_model` loads the checkpoint on first access; None where that failed."""

    @property
    def sd_model(self) -> Any:
        """The loaded checkpoint."""
        from modules import sd_models

        return sd_models.model_data.get_sd_model()

    @sd_model.setter
    def sd_model(self, model: Any) -> None:
        from modules import sd_models

        sd_models.model_data.set_sd_model(model)


sys.modules[__name__].__class__ = _Shared
