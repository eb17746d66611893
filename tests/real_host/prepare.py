"""Put what the checks of a real host need into its folder: `python tests/real_host/prepare.py HOST_FOLDER`.

A saboteur among the extensions, a LoRA, a second checkpoint (the first under another name), and for Forge and reForge
Sticker-SD's sizes.
The checkpoint itself is written by `ldznet export-checkpoint -o HOST_FOLDER/models/Stable-diffusion/sticker-sd.safetensors`.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LORA = "ldznet-test"
SECOND = "sticker-sd-second"


def main() -> None:
    """Write the files and say where."""
    host = Path(sys.argv[1])
    _script(host, "saboteur.py")
    if (host / "backend" / "diffusion_engine").is_dir():
        _script(host, "forge_sticker.py")
    elif (host / "ldm_patched").is_dir():
        _script(host, "reforge_sticker.py")
    checkpoints = host / "models" / "Stable-diffusion"
    for ending in (".safetensors", ".yaml"):
        if (checkpoints / f"sticker-sd{ending}").is_file():
            shutil.copyfile(checkpoints / f"sticker-sd{ending}", checkpoints / f"{SECOND}{ending}")
    write_lora(host / "models" / "Lora" / f"{LORA}.safetensors", widths=(64, 128, 192), context=96)


def write_lora(path: Path, *, widths: tuple[int, ...], context: int, rank: int = 2) -> None:
    """A LoRA of noise on the cross-attention of the way down, strong enough to change every picture."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = {}
    for level, width in enumerate(widths):
        for block in range(2):
            for layer, inward in (("to_q", width), ("to_k", context)):
                name = f"lora_unet_down_blocks_{level}_attentions_{block}_transformer_blocks_0_attn2_{layer}"
                state[f"{name}.lora_down.weight"] = torch.randn(rank, inward)
                state[f"{name}.lora_up.weight"] = torch.randn(width, rank)
                state[f"{name}.alpha"] = torch.tensor(float(rank))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    print(path)


def _script(host: Path, name: str) -> None:
    folder = host / "extensions" / Path(name).stem / "scripts"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / name, folder / name)
    print(folder / name)


if __name__ == "__main__":
    main()
