"""A small classifier of Sticker World's objects, trained on scenes alone: the judge of what Sticker-SD paints.

It answers for every known object whether it is in the picture (multi-label), and is never shown a generated picture.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Dataset

from ldznet_ext.train.latents import pixels_of
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.world.concepts import held_out, named
from ldznet_ext.world.scenes import scene


def class_names() -> list[str]:
    """The 64 named and the 20 held-out objects, in table order."""
    return [concept.name for concept in (*named(), *held_out())]


class Classifier(nn.Module):
    """A stem of stride 4 and three strided residual stages, max- and mean-pooled: (b 3 h w) in -1..1 -> (b classes) logits.

    Pictures of other sizes are averaged down to 128x128 first.
    """

    def __init__(self, classes: int, width: int = 32) -> None:
        super().__init__()
        widths = (width * 2, width * 4, width * 6, width * 8)
        self.stem = nn.Conv2d(3, widths[0], 7, stride=4, padding=3)
        self.stages = nn.ModuleList(Stage(a, b) for a, b in pairwise(widths))
        self.last = nn.Linear(2 * widths[-1], classes)

    def forward(self, pixels: Tensor) -> Tensor:
        x = F.interpolate(pixels, size=(128, 128), mode="area") if pixels.shape[-1] != 128 else pixels
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.last(torch.cat([x.amax((2, 3)), x.mean((2, 3))], dim=1))


class Stage(nn.Module):
    """Strided residual block with batch norm."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(width, out, 1)
        self.body = nn.Sequential(
            nn.Conv2d(width, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(F.max_pool2d(self.skip(x) + self.body(x), 2))


class LabelledScenes(Dataset):
    """{"pixels": float32 3 s s, "labels": float32 classes}."""

    def __init__(self, *, seed: int, size: int, split: str = "train") -> None:
        self.seed, self.size, self.split = seed, size, split
        self.places = {name: place for place, name in enumerate(class_names())}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        painted = scene(self.seed, index, split=self.split, concepts="known", size=self.size)
        labels = torch.zeros(len(self.places))
        labels[[self.places[thing.concept.name] for thing in painted.objects]] = 1
        return {"pixels": pixels_of(painted.picture), "labels": labels}


class ClassifierTask:
    """Say which objects a scene holds."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        self.module = Classifier(len(class_names()), recipe.model.get("width", 32))

    def dataset(self, phase: Phase) -> Dataset:
        return LabelledScenes(seed=self.recipe.seed, size=phase.size)

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        logits = self.module(batch["pixels"]).float()
        loss = F.binary_cross_entropy_with_logits(
            logits, batch["labels"], pos_weight=torch.tensor(4.0).to(logits.device)
        )
        right = ((logits > 0) == (batch["labels"] > 0.5))[batch["labels"] > 0.5].float().mean()
        return {"loss": loss, "recall": right.detach()}

    def sheet(self) -> np.ndarray | None:
        return None

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write `classifier.safetensors` with the class names and its accuracy on test scenes."""
        module = getattr(self.module, "module", self.module)
        accuracy = top_accuracy(module, scenes=400)
        meta = {
            "classes": json.dumps(class_names()),
            "width": str(recipe.model.get("width", 32)),
            "top1": str(accuracy),
        }
        save_file(module.state_dict(), folder / "classifier.safetensors", metadata=meta)


def load_classifier(path: Path) -> tuple[Classifier, list[str]]:
    """A trained classifier in evaluation mode and its class names."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
    names = json.loads(meta["classes"])
    module = Classifier(len(names), int(meta["width"]))
    module.load_state_dict(load_file(path))
    return module.eval(), names


@torch.inference_mode()
def top_accuracy(module: Classifier, *, scenes: int) -> float:
    """Part of the objects in test scenes that are among the picture's n strongest answers, n objects being there."""
    data, hits, total = LabelledScenes(seed=0, size=256, split="test"), 0, 0
    device = next(module.parameters()).device
    for index in range(scenes):
        item = data[index]
        wanted = set(item["labels"].nonzero().flatten().tolist())
        strongest = module(item["pixels"][None].to(device))[0].topk(len(wanted)).indices.tolist() if wanted else []
        hits, total = hits + len(wanted & set(strongest)), total + len(wanted)
    return hits / max(1, total)
