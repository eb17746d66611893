"""Sticker World: scenes, captions, phrases and exact masks, drawn from emoji and a seed."""
