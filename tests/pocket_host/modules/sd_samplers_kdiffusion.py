"""Euler's method in the form of k-diffusion (arXiv 2206.00364), with the hosts' batches and callbacks.

One call of the UNet a step over [cond of each picture ..., uncond of each picture ...].
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from modules import script_callbacks, shared
from modules.script_callbacks import AfterCFGCallbackParams, CFGDenoisedParams, CFGDenoiserParams
from modules.scripts import MaskBlendArgs
from modules.sd_samplers_common import InterruptedException, store_latent


class CompVisDenoiser(torch.nn.Module):
    """x, sigma -> denoised x, over a model that predicts the noise at a timestep."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.inner_model = model
        self.register_buffer("sigmas", ((1 - model.alphas_cumprod) / model.alphas_cumprod) ** 0.5)
        self.register_buffer("log_sigmas", self.sigmas.log())

    def sigma_to_t(self, sigma: Tensor) -> Tensor:
        """Timesteps between the table's, as floats."""
        log = sigma.log().clamp(self.log_sigmas[0], self.log_sigmas[-1])
        low = (torch.searchsorted(self.log_sigmas, log, right=True) - 1).clamp(0, len(self.sigmas) - 2)
        below, above = self.log_sigmas[low], self.log_sigmas[low + 1]
        return low + (log - below) / (above - below)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        """The other way round."""
        low, part = t.floor().long(), t.frac()
        high = (low + 1).clamp(max=len(self.sigmas) - 1)
        return torch.lerp(self.log_sigmas[low], self.log_sigmas[high], part).exp()

    def get_sigmas(self, steps: int) -> Tensor:
        """From the noisiest to 0."""
        times = torch.linspace(len(self.sigmas) - 1, 0, steps, device=self.sigmas.device)
        return torch.cat([self.t_to_sigma(times), self.sigmas.new_zeros(1)])

    def forward(self, x: Tensor, sigma: Tensor, cond: Any) -> Tensor:
        scale = (1 / (sigma**2 + 1) ** 0.5)[:, None, None, None]
        noise = self.inner_model.apply_model(x * scale, self.sigma_to_t(sigma), cond)
        return x - noise * sigma[:, None, None, None]


class CFGDenoiser(torch.nn.Module):
    """Guidance, the inpainting blend, and the callbacks around each call of the UNet."""

    def __init__(self, sampler: "KDiffusionSampler") -> None:
        super().__init__()
        self.sampler, self.p = sampler, None
        self.inner_model = sampler.model_wrap
        self.mask = self.nmask = self.init_latent = None
        self.steps: int | None = None
        self.total_steps: int | None = None
        self.step = 0

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        cond: Sequence[Sequence[tuple[Tensor, float]]],
        uncond: Tensor,
        cond_scale: float,
    ) -> Tensor:
        if shared.state.interrupted or shared.state.skipped:
            raise InterruptedException
        repeats = [len(parts) for parts in cond]
        text = torch.stack([state for parts in cond for state, _ in parts])
        rows = torch.cat([x.repeat_interleave(torch.tensor(repeats, device=x.device), dim=0), x])
        sigmas = torch.cat([sigma.repeat_interleave(torch.tensor(repeats, device=x.device)), sigma])
        params = CFGDenoiserParams(
            rows,
            x.new_zeros(len(rows), 5, 1, 1),
            sigmas,
            shared.state.sampling_step,
            shared.state.sampling_steps,
            text,
            uncond,
            self,
        )
        script_callbacks.cfg_denoiser_callback(params)
        out = self._call_model(params)
        denoised_params = CFGDenoisedParams(
            out, shared.state.sampling_step, shared.state.sampling_steps, self.inner_model
        )
        script_callbacks.cfg_denoised_callback(denoised_params)
        denoised = self._guided(out, cond, cond_scale)
        if self.mask is not None:
            denoised = self._blend(denoised, sigma)
        store_latent(denoised)
        after = AfterCFGCallbackParams(denoised, shared.state.sampling_step, shared.state.sampling_steps)
        script_callbacks.cfg_after_cfg_callback(after)
        self.step += 1
        return after.x

    def _call_model(self, params: CFGDenoiserParams) -> Tensor:
        """One call where texts are of one length and the setting is on, else conds and unconds apart."""
        text, uncond, rows = params.text_cond, params.text_uncond, len(params.text_cond)
        if text.shape[1] == uncond.shape[1] and shared.opts.batch_cond_uncond:
            return self.inner_model(params.x, params.sigma, _cond(torch.cat([text, uncond])))
        first = self.inner_model(params.x[:rows], params.sigma[:rows], _cond(text))
        return torch.cat([first, self.inner_model(params.x[rows:], params.sigma[rows:], _cond(uncond))])

    def _guided(self, out: Tensor, cond: Any, scale: float) -> Tensor:
        unconds = out[-len(cond) :]
        denoised, row = unconds.clone(), 0
        for index, parts in enumerate(cond):
            for _, weight in parts:
                denoised[index] += (out[row] - unconds[index]) * (weight * scale)
                row += 1
        return denoised

    def _blend(self, latent: Tensor, sigma: Tensor | None = None) -> Tensor:
        """What is outside the mask is put back."""
        blended = latent * self.nmask + self.init_latent * self.mask
        args = MaskBlendArgs(
            latent, self.nmask, self.init_latent, self.mask, blended, self if sigma is not None else None, sigma
        )
        if self.p.scripts is not None:
            self.p.scripts.on_mask_blend(self.p, args)
        return args.blended_latent


def _cond(text: Tensor) -> dict[str, list[Tensor]]:
    return {"c_crossattn": [text], "c_concat": [text.new_zeros(len(text), 5, 1, 1)]}


class KDiffusionSampler:
    """The one sampler: Euler."""

    def __init__(self, sd_model: Any) -> None:
        self.model_wrap = CompVisDenoiser(sd_model)
        self.model_wrap_cfg = CFGDenoiser(self)
        self.last_latent: Tensor | None = None
        self.conditioning_key = sd_model.model.conditioning_key
        self.p: Any = None

    def sample(
        self, p: Any, x: Tensor, conditioning: Any, unconditional_conditioning: Any, steps: int | None = None, **_: Any
    ) -> Tensor:
        """From noise (standard normal)."""
        sigmas = self.model_wrap.get_sigmas(steps or p.steps)
        return self._run(p, x * sigmas[0], sigmas, conditioning, unconditional_conditioning, x)

    def sample_img2img(
        self,
        p: Any,
        x: Tensor,
        noise: Tensor,
        conditioning: Any,
        unconditional_conditioning: Any,
        steps: int | None = None,
        **_: Any,
    ) -> Tensor:
        """From a latent, the last part of the run."""
        total = steps or p.steps
        kept = int(min(p.denoising_strength, 0.999) * total)
        sigmas = self.model_wrap.get_sigmas(total)[total - kept - 1 :]
        cfg = self.model_wrap_cfg
        cfg.init_latent = x
        if getattr(p, "mask", None) is not None:
            cfg.mask, cfg.nmask = p.mask, p.nmask
        return self._run(p, x + noise * sigmas[0], sigmas, conditioning, unconditional_conditioning, noise)

    def _run(self, p: Any, x: Tensor, sigmas: Tensor, cond: Any, uncond: Any, noise: Tensor) -> Tensor:
        state, cfg = shared.state, self.model_wrap_cfg
        self.p = cfg.p = p
        cfg.step, cfg.total_steps, cfg.steps = 0, len(sigmas) - 1, len(sigmas) - 1
        state.sampling_steps, state.sampling_step = len(sigmas) - 1, 0
        if p.scripts is not None:
            p.scripts.process_before_every_sampling(p, x=x, noise=noise, c=cond, uc=uncond)
        self.last_latent = x
        try:
            for index in range(len(sigmas) - 1):
                sigma = sigmas[index] * x.new_ones(len(x))
                denoised = cfg(x, sigma, cond, uncond, p.cfg_scale)
                self.last_latent = denoised
                x = x + (x - denoised) / sigmas[index] * (sigmas[index + 1] - sigmas[index])
                state.sampling_step = index + 1
        except InterruptedException:
            return self.last_latent
        return cfg._blend(x) if cfg.mask is not None else x
