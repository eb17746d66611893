"""The stand-alone app, `ldznet serve`: a Gradio page round one picture, with the engine behind it on the same machine."""
