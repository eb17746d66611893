"""Pictures in, masks out: loading, fitting, refining, boxes and overlays, with numpy, OpenCV and scipy (no torch)."""
