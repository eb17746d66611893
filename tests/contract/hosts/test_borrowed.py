"""Backbones borrowed from A1111, Forge and reForge, over fakes of them: the stand-alone model's answers, nothing left behind."""

import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ldznet_ext.errors import ModelError, PhraseError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.hosts.webui.host import Host, find_host
from ldznet_ext.hosts.webui.networks import split_networks
from ldznet_ext.hosts.webui.plain import HYPERTILE
from ldznet_ext.pipeline import segment
from ldznet_ext.result import Segmentation
from tests.fakes.models import as_host, load, other_unet, unet_of, use_medvram
from tests.fakes.webui import WebUI
from tests.tiny import picture

PICTURE = picture(45, 65)
WORDS = "fox | owl"


def ask(host: Host, method: str = "attention", words: str = WORDS, **more: Any) -> Segmentation:
    """A mask as the desk makes it."""
    plain, networks = split_networks(words)
    return host.run(lambda: segment(PICTURE, plain, backbone=host.backbone(), method=method, **more), networks=networks)


def within(host: Host, call: Callable[[Any], Any]) -> Any:
    """What a call on the backbone gives, as a job."""
    return host.run(lambda: call(host.backbone()))


def hooks(module: nn.Module) -> int:
    """Hooks on a module and all it holds."""
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in module.modules())


def paint(ui: WebUI, model: Any) -> torch.Tensor:
    """What the host's own sampling would get of its UNet."""
    noisy = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    with as_host(ui):
        told = model.get_learned_conditioning(ui.modules["modules.prompt_parser"].SdConditioning(["fox"]))
        if ui.kind == "a1111":
            given = {"c_concat": [torch.zeros(1, 5, 1, 1)], "c_crossattn": [told]}
            return model.apply_model(noisy, torch.tensor([400]), given)
        name = "backend.memory_management" if ui.kind == "forge" else "ldm_patched.modules.model_management"
        patcher = model.forge_objects.unet
        ui.modules[name].load_models_gpu([patcher])
        return patcher.model.apply_model(noisy, torch.tensor([2.0]), c_crossattn=told)


def lora(ui: WebUI, model: Any, name: str = "loud") -> str:
    """Give the host a LoRA that turns every text key round."""
    modules: dict[str, Any] = dict(unet_of(model).named_modules())
    layers = {key: -2 * layer.weight.detach() for key, layer in modules.items() if key.endswith("attn2.to_k")}
    ui.loras[name] = layers
    return name


@pytest.mark.parametrize("method", ["ldznet", "attention"])
def test_masks_are_those_of_the_same_weights_alone(
    method: str, ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone
) -> None:
    ours = ask(host, method, threshold=0.3)
    alone = segment(PICTURE, WORDS, backbone=backbone, method=method, threshold=0.3)
    np.testing.assert_allclose(ours.prob, alone.prob, atol=2e-3)
    assert (ours.mask != alone.mask).mean() < 1e-3 and ours.unet_calls == 1
    assert [each.status for each in ours.phrases] == [each.status for each in alone.phrases]
    assert hooks(unet_of(loaded)) == 0


def test_what_a_backbone_is_asked_for_is_what_it_is_alone(
    ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone
) -> None:
    pixels, latent = torch.rand(1, 3, 64, 128) * 2 - 1, torch.randn(2, 4, 8, 16)
    pairs = [
        within(host, lambda b: b.encode(pixels)) - backbone.encode(pixels),
        within(host, lambda b: b.decode(latent)) - backbone.decode(latent),
        within(host, lambda b: b.add_noise(latent, latent.flip(0), 400))
        - backbone.add_noise(latent, latent.flip(0), 400),
        within(host, lambda b: b.text(["fox", "owl"])) - backbone.text(["fox", "owl"]),
        within(host, lambda b: b.predict(latent, 300, b.conditioning(["fox", "owl"])))
        - backbone.predict(latent, 300, backbone.text(["fox", "owl"])),
    ]
    assert max(float(pair.abs().max()) for pair in pairs) < 1e-4
    found = host.backbone()
    assert (found.name, found.family, found.native, found.unet_calls) == ("tiny", "sticker", Size(128, 128), 1)
    assert found.text_width == 32 and found.dtype == torch.float32 and not found.predicts_velocity


def test_encoding_is_the_mean_and_draws_nothing(ui: WebUI, loaded: Any, host: Host) -> None:
    pixels, before = torch.rand(1, 3, 64, 64), torch.get_rng_state()
    first, second = (within(host, lambda b: b.encode(pixels)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), before)


def test_the_kind_is_told_by_what_the_host_has(ui: WebUI, host: Host) -> None:
    assert host.kind == ui.kind and host.name.endswith(" v0-fake") and find_host() is host


# texts


def test_clip_skip_is_for_the_unet_alone(ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone) -> None:
    ui.opts.data["CLIP_stop_at_last_layers"] = 2
    told = within(host, lambda b: b.conditioning(["fox"])).states
    torch.testing.assert_close(within(host, lambda b: b.text(["fox"])), backbone.text(["fox"]), atol=1e-5, rtol=1e-4)
    assert (told - backbone.text(["fox"])).abs().max() > 0.01
    assert loaded.prompts == [("fox", 2), ("fox", 1)] and ui.opts.data == {"CLIP_stop_at_last_layers": 2}
    ui.opts.data["CLIP_stop_at_last_layers"] = 1
    assert not torch.equal(within(host, lambda b: b.conditioning(["fox"])).states, told)  # the cache tells them apart


@pytest.mark.parametrize("emphasis", ["Original", "None"])
def test_brackets_are_words(emphasis: str, ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone) -> None:
    ui.opts.data["emphasis"] = emphasis
    for text in ("red (fox:1.4) [owl]", "a ((fox", "fox \\(", "BREAK fox", ""):
        assert within(host, lambda b, text=text: b.token_ids(text)) == list(backbone.token_ids(text))
        states = within(host, lambda b, text=text: b.conditioning([text])).states
        torch.testing.assert_close(states, backbone.text([text]), atol=1e-5, rtol=1e-4)


def test_a_text_embedding_takes_the_places_of_its_vectors(ui: WebUI, loaded: Any, host: Host) -> None:
    found = host.backbone()
    before = found.conditioning_keys(["fox"])
    found.embeddings.word_embeddings["my-fox"] = 3
    assert within(host, lambda b: len(b.token_ids("red my-fox owl"))) == 5
    assert found.conditioning_keys(["fox"]) != before


def test_longer_texts_overflow(ui: WebUI, loaded: Any, host: Host) -> None:
    assert [within(host, lambda b, n=n: b.overflow("fox " * n)) for n in (1, 75, 80)] == [0, 0, 5]
    with pytest.raises(PhraseError, match="5 tokens too long"):
        ask(host, "ldznet", "fox " * 80)


def test_words_the_small_model_never_saw(ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone) -> None:
    for text in ("fox", "cat", "red cat fox", "?!"):
        assert within(host, lambda b, text=text: b.unknown_words(text)) == backbone.unknown_words(text)


# networks


def test_the_last_generations_lora_is_put_aside_and_comes_back(ui: WebUI, loaded: Any, host: Host) -> None:
    plain, clean = ask(host), paint(ui, loaded)
    ui.activate(f"<lora:{lora(ui, loaded)}:0.7>")
    loud = paint(ui, loaded)
    assert (loud - clean).abs().max() > 0.05
    np.testing.assert_array_equal(ask(host).prob, plain.prob)
    host.backbone().caches.clear()
    np.testing.assert_array_equal(ask(host).prob, plain.prob)
    assert [(net.name, net.unet_multiplier) for net in ui.networks.loaded_networks] == [("loud", 0.7)]
    assert torch.equal(paint(ui, loaded), loud)
    ui.activate("")
    assert torch.equal(paint(ui, loaded), clean)


def test_only_the_words_lora_is_active(ui: WebUI, loaded: Any, host: Host) -> None:
    name = lora(ui, loaded)
    ui.opts.data["sd_lora"] = name  # a setting that adds it to every prompt
    plain = ask(host)
    wholly, half = ask(host, words=f"{WORDS} <lora:{name}:1>"), ask(host, words=f"{WORDS}<lora:{name}:0.5>")
    assert np.abs(wholly.prob - plain.prob).max() > 0.01 and np.abs(half.prob - wholly.prob).max() > 0.001
    assert ui.networks.loaded_networks == [] and ui.opts.sd_lora == name
    np.testing.assert_array_equal(ask(host).prob, plain.prob)


def test_a_lora_that_is_not_there_is_refused_and_changes_nothing(ui: WebUI, loaded: Any, host: Host) -> None:
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    loud = paint(ui, loaded)
    with pytest.raises(PhraseError, match=r'the LoRA "none".*; expected .*, so '):
        ask(host, words="fox <lora:none:1>")
    assert [net.name for net in ui.networks.loaded_networks] == ["loud"] and torch.equal(paint(ui, loaded), loud)


# the queue, the mode, what is restored


def test_pictures_are_the_same_to_the_bit_after_a_pass(ui: WebUI, loaded: Any, host: Host) -> None:
    clean = paint(ui, loaded)
    ask(host)
    ask(host, "ldznet")
    assert torch.equal(paint(ui, loaded), clean)


def test_an_exception_leaves_everything_as_it_was(ui: WebUI, loaded: Any, host: Host) -> None:
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    convolution: Any = unet_of(loaded).input_blocks[0][0]  # type: ignore[index]
    convolution.padding_mode = "circular"
    loaded.applied_token_merged_ratio = 0.4
    tiled = SimpleNamespace(enabled=True)
    setattr(unet_of(loaded).middle_block, HYPERTILE, tiled)
    notes = ui.modules["modules.sd_hijack"].model_hijack.extra_generation_params
    seen: list[Any] = []

    def broken() -> None:
        notes["Emphasis"] = "noted by a pass of ours"
        ratio = loaded.applied_token_merged_ratio if ui.kind == "a1111" else 0
        seen.append(
            (list(ui.networks.loaded_networks), convolution.padding_mode, ratio, tiled.enabled, ui.lock.locked())
        )
        raise RuntimeError("of the pass")

    with pytest.raises(RuntimeError, match="of the pass"):
        host.run(broken)
    assert seen == [([], "zeros", 0, False, True)] and tiled.enabled
    assert [net.name for net in ui.networks.loaded_networks] == ["loud"] and notes == {}
    assert (convolution.padding_mode, loaded.applied_token_merged_ratio) == ("circular", 0.4)
    assert not ui.lock.locked() and ui.autocast == 0 and ui.modules["modules.shared"].state.job == ""
    ask(host)


def test_a_pass_does_not_go_through_what_controlnet_put_in_place(ui: WebUI, loaded: Any, host: Host) -> None:
    if ui.kind != "a1111":
        return  # the forges' ControlNet hangs on a patcher
    plain, unet = ask(host), unet_of(loaded)

    def theirs(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("hints of another picture")

    unet.forward = theirs  # type: ignore[method-assign]
    np.testing.assert_array_equal(ask(host).prob, plain.prob)
    host.backbone().caches.clear()
    np.testing.assert_array_equal(ask(host).prob, plain.prob)
    assert unet.forward is theirs


def test_what_the_last_sampling_hung_on_a_patcher_is_not_taken(ui: WebUI, loaded: Any, host: Host) -> None:
    if ui.kind == "a1111":
        pytest.skip("A1111 has no patchers")
    objects = loaded.forge_objects_after_applying_lora.shallow_copy()
    objects.unet = objects.unet.clone()
    loaded.forge_objects = objects
    patchers = within(host, lambda b: b.patcher)
    assert patchers is loaded.forge_objects_original.unet and loaded.forge_objects is objects


def test_inside_a_hook_the_queue_is_held_already(ui: WebUI, loaded: Any, host: Host) -> None:
    with as_host(ui), host.inside():
        result = segment(PICTURE, WORDS, backbone=host.backbone(), method="attention")
    np.testing.assert_array_equal(result.prob, ask(host).prob)


def test_a_job_is_a_turn_in_the_queue(ui: WebUI, loaded: Any, host: Host) -> None:
    with host.job("a mask"):
        assert ui.lock.locked() and ui.modules["modules.shared"].state.job == "a mask"
        segment(PICTURE, "fox", backbone=host.backbone(), method="attention")
    assert not ui.lock.locked()


def test_handlers_go_through_the_main_thread_where_the_host_has_one(ui: WebUI, loaded: Any, host: Host) -> None:
    answers: list[Any] = []

    def handler(work: Callable[[], Any]) -> threading.Thread:
        def call() -> None:
            try:
                answers.append(host.run(work))
            except ModelError as error:
                answers.append(str(error))

        thread = threading.Thread(target=call)
        thread.start()
        return thread

    def refuse() -> None:
        raise ModelError("no; expected yes, so go.")

    for work in (threading.current_thread, refuse):
        thread = handler(work)
        if ui.kind != "a1111":
            ui.modules["modules_forge.main_thread"].work_once()
        thread.join(20)
    assert (answers[0] is threading.main_thread()) is (ui.kind != "a1111") and answers[1] == "no; expected yes, so go."
    assert not ui.lock.locked()


def test_medvram_fetches_the_unet_and_nothing_stays(ui: WebUI, loaded: Any, host: Host) -> None:
    if ui.kind != "a1111":
        pytest.skip("Forge and reForge have their memory management, which these fakes are strict about anyway")
    plain = ask(host)
    use_medvram(loaded, ui)
    host.backbone().caches.clear()
    np.testing.assert_array_equal(ask(host).prob, plain.prob)
    assert not loaded.fetched
    with pytest.raises(AssertionError, match="on the CPU"):
        loaded.model.diffusion_model(torch.zeros(1, 4, 8, 8), torch.tensor([1]), torch.zeros(1, 77, 32))


# which models


def test_no_checkpoint_is_a_sentence(ui: WebUI, host: Host) -> None:
    ui.modules["modules.shared"].sd_model = None  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="has no checkpoint loaded; expected one, so "):
        host.run(host.backbone)
    assert host.loaded() is None and not ui.lock.locked()


def test_forges_stand_in_for_a_model_is_none(
    ui: WebUI, host: Host, backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ui.kind != "forge":
        pytest.skip("only Forge has one")
    ui.data.sd_model = type("FakeInitialModel", (), {})()
    assert host.loaded() is None
    sd_models: Any = ui.modules["modules.sd_models"]
    sd_models.forge_model_reload = lambda: (load(ui, backbone), True)  # as its first generation does
    assert host.run(host.backbone).name == "tiny"

    ui.data.forge_loading_parameters = {}  # with --nowebui nothing has chosen one
    entry: Any = ModuleType("modules_forge.main_entry")
    entry.refresh_model_loading_parameters = lambda: ui.data.forge_loading_parameters.update(checkpoint_info="chosen")
    monkeypatch.setitem(sys.modules, "modules_forge.main_entry", entry)
    monkeypatch.setattr(ui.modules["modules_forge"], "main_entry", entry, raising=False)
    host.run(host.backbone)
    assert ui.data.forge_loading_parameters == {"checkpoint_info": "chosen"}

    def none_at_all() -> None:
        raise ValueError("You do not have any model!")

    sd_models.forge_model_reload = none_at_all
    with pytest.raises(ModelError, match=r"could not load a checkpoint \(You do not have any model!\); expected"):
        host.run(host.backbone)


def test_a_model_without_unet_blocks_is_a_sentence(ui: WebUI, host: Host, backbone: StandaloneBackbone) -> None:
    model = load(ui, backbone)
    dit = type("MMDiT", (nn.Module,), {})()
    (model.forge_objects.unet.model if ui.kind != "a1111" else model.model).diffusion_model = dit
    with pytest.raises(ModelError, match=r"tiny is a MMDiT, which has no UNet blocks.*; expected Stable Diffusion"):
        host.run(host.backbone)


def test_a_diverted_unet_is_a_sentence(ui: WebUI, loaded: Any, host: Host) -> None:
    class Elsewhere:
        option = type("Option", (), {"label": "[TRT] tiny"})

    ui.modules["modules.sd_unet"].current_unet = Elsewhere()  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"runs in \[TRT\] tiny, which lets nobody look into it; expected"):
        host.run(host.backbone)


def test_other_channels_are_a_sentence(ui: WebUI, host: Host, backbone: StandaloneBackbone) -> None:
    load(ui, backbone, other_unet(in_channels=8))
    with pytest.raises(ModelError, match="reads 8 channels; expected 4, or 9"):
        host.run(host.backbone)


def test_inpainting_checkpoints_are_told_that_everything_is_painted(
    ui: WebUI, host: Host, backbone: StandaloneBackbone
) -> None:
    model = load(ui, backbone, other_unet(in_channels=9))
    seen: list[torch.Tensor] = []
    unet_of(model).register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    assert np.isfinite(ask(host).prob).all()
    grey = backbone.encode(torch.zeros(1, 3, *(8 * side for side in seen[0].shape[-2:])))
    assert seen[0].shape[1] == 9 and torch.equal(seen[0][:, 4], torch.ones_like(seen[0][:, 4]))
    torch.testing.assert_close(seen[0][:, 5:], grey, atol=1e-5, rtol=1e-4)


def test_sdxl_is_told_its_vector_and_native_size(ui: WebUI, host: Host, backbone: StandaloneBackbone) -> None:
    load(ui, backbone, other_unet(context_dim=2048))
    told = within(host, lambda b: b.conditioning(["fox", "owl"]))
    assert told.states.shape == (2, 77, 2048) and told.vector.shape == (2, 2816)
    assert (1000 * told.vector[0, :2]).round().tolist() == [1024, 1024]
    found = host.backbone()
    assert (found.family, found.native) == ("sdxl", Size(1024, 1024))
    noisy = torch.randn(2, 4, 8, 16)
    one, other = (
        within(host, lambda b, v=v: b.predict(noisy, 400, type(told)(told.states, v * told.vector))) for v in (1, 3)
    )
    assert one.shape == noisy.shape and (one - other).abs().max() > 1e-4


# caching


def test_the_backbone_is_kept_while_the_checkpoint_stays(
    ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone
) -> None:
    first = host.run(host.backbone)
    assert host.run(host.backbone) is first
    loaded.sd_checkpoint_info.filename = "/nowhere/other.safetensors"  # other weights in the same object
    second = host.run(host.backbone)
    assert second is not first and second.state_key("unet") != first.name
    load(ui, backbone, name="third")
    assert host.run(host.backbone).name == "third"


def test_a_checkpoint_is_not_kept_alive(ui: WebUI, host: Host, backbone: StandaloneBackbone) -> None:
    load(ui, backbone)
    found = host.run(host.backbone)
    ui.data.sd_model = ui.modules["modules.shared"].sd_model = None  # type: ignore[attr-defined]
    import gc

    gc.collect()
    with pytest.raises(ModelError, match="no longer loaded"):
        _ = found.model


def test_painting_is_the_hosts_own(ui: WebUI, loaded: Any, host: Host) -> None:
    with pytest.raises(ModelError, match="inside a web UI; expected masks only"):
        host.backbone().generate(["fox"], [1])


def test_a_full_device_is_a_sentence(ui: WebUI, loaded: Any, host: Host) -> None:
    def full() -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\n(GPU 0)")

    with pytest.raises(
        ModelError, match=r"memory is full \(CUDA out of memory. Tried.*\); expected room for one pass, so "
    ):
        host.run(full)
    assert not ui.lock.locked()


def test_a_checkpoint_in_main_memory_is_fetched_and_put_back(ui: WebUI, loaded: Any, host: Host) -> None:
    if ui.kind != "a1111":
        pytest.skip("Forge and reForge move models themselves")
    moves: list[str] = []
    sd_models: Any = ui.modules["modules.sd_models"]
    sd_models.send_model_to_device = lambda model: moves.append("fetched")
    sd_models.send_model_to_cpu = lambda model: moves.append("put back")
    ui.modules["modules.devices"].device = torch.device("meta")  # type: ignore[attr-defined]
    host.run(lambda: moves.append("asked"))
    assert moves == ["fetched", "asked", "put back"]
