"""Where the diffusion model comes from: stand-alone weights here, a web UI's own later."""
