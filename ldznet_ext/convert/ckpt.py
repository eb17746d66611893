"""A whole Stable Diffusion checkpoint in torch's own format (.ckpt) as .safetensors, one tensor after the other."""

import os
from collections.abc import Callable
from pathlib import Path

from ldznet_ext.convert.official import stored
from ldznet_ext.convert.pickles import TensorFile
from ldznet_ext.convert.single_file import TEXTS, UNET, VAE
from ldznet_ext.convert.streaming import Written, write_files
from ldznet_ext.errors import ModelError

NETWORKS = (UNET.prefix, VAE.prefix, *(part.prefix for texts in TEXTS for part in texts))
MARKERS = ("v_pred", "ztsnr")
"""Names of empty tensors by which finetunes say how they were trained."""


def convert_checkpoint(
    source: str | os.PathLike[str], target: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the networks in `source` as the .safetensors file `target`; its training state and running averages are left out.

    progress: told the bytes done and to do. Memory: the largest tensor. ModelError where there is no UNet in it, and where it is
    damaged; OutputError where nothing could be written; then there is no new file.
    """
    with TensorFile(source, ModelError) as file:
        wanted = {
            name: reference
            for name, reference in file.references().items()
            if name.startswith(NETWORKS) or name in MARKERS
        }
        if not any(name.startswith(UNET.prefix) for name in wanted):
            raise ModelError(
                f"{file.path.name} has no tensors named {UNET.prefix}*; expected a checkpoint of Stable Diffusion or the "
                "authors' LD-ZNet, so choose another file."
            )
        tensors = stored(file, wanted, None, ModelError)
        total, done = sum(one.nbytes for one in tensors.values()), 0

        def told(size: int) -> None:
            nonlocal done
            done += size
            if progress is not None:
                progress(done, total)

        write_files([Written(target=Path(target), tensors=tensors, metadata={})], told)
