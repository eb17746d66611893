"""Pictures in, masks out: loading, fitting, refining, boxes and overlays, with numpy and OpenCV alone (no torch)."""
