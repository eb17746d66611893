"""CLIP's own BPE vocabulary as a transformers tokenizer folder, and the list of tokens seen in training.

The merges file ships with open_clip_torch (MIT); the same 49,408 tokens let a real web UI load Sticker-SD. Where that
package is missing, the tokenizer of the shipped Sticker-SD is copied: it is the same.
"""

import gzip
import json
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from ldznet_ext.errors import DataError
from ldznet_ext.weights import find_model

MERGES = 49_152 - 256 - 2
START, END = "<|startoftext|>", "<|endoftext|>"
POSITIONS = 77


def bpe_file() -> Path | None:
    """open_clip_torch's `bpe_simple_vocab_16e6.txt.gz`, found without importing the package; None where it is missing."""
    spec = find_spec("open_clip")
    folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path()
    path = folder / "bpe_simple_vocab_16e6.txt.gz"
    return path if path.is_file() else None


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins of bytes that GPT-2's and CLIP's BPE use, in vocabulary order."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [256 + n for n in range(256 - len(plain))]
    return [chr(code) for code in plain + others]


def write_tokenizer(folder: Path) -> Path:
    """Write vocab.json, merges.txt and the two configs of a CLIPTokenizer into `folder`."""
    source = bpe_file()
    if source is None:
        return _copy_shipped(folder)
    lines = gzip.decompress(source.read_bytes()).decode("utf-8").split("\n")
    merges = lines[1 : MERGES + 1]
    alphabet = byte_alphabet()
    tokens = alphabet + [char + "</w>" for char in alphabet] + ["".join(m.split()) for m in merges] + [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": POSITIONS, "do_lower_case": True, **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
    return folder


def _copy_shipped(folder: Path) -> Path:
    shipped = find_model("sticker-sd")
    if shipped is None or not (shipped / "tokenizer" / "merges.txt").is_file():
        raise DataError("CLIP's vocabulary was not found; `pip install --no-deps open_clip_torch` brings it.")
    shutil.copytree(shipped / "tokenizer", folder, dirs_exist_ok=True)
    return folder


def tokens_seen(tokenizer, texts: Iterable[str]) -> list[int]:
    """Sorted ids of every token that occurs in `texts`."""
    seen: set[int] = set()
    for text in texts:
        seen.update(tokenizer(text)["input_ids"])
    return sorted(seen)
