"""Other people's files: key layouts of Stable Diffusion checkpoints, and the official LD-ZNet checkpoint."""
