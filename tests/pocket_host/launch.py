"""Start the pocket host: `python tests/pocket_host/launch.py --port 7860`.

The order is a host's: preload.py, scripts imported, page made, API made, app started, checkpoint loaded.
"""

import importlib.util
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")


def main() -> int:
    """Serve until interrupted."""
    began = time.perf_counter()
    prepare()
    from modules import scripts, shared

    shared.opts.load(shared.config_filename)
    if not shared.cmd_opts.without_extension:
        scripts.load_scripts()
    app = nowebui() if shared.cmd_opts.nowebui else webui()
    print(f"Startup time: {time.perf_counter() - began:.1f}s ({time.process_time():.1f}s of a CPU).", flush=True)
    _start_model()
    try:
        app()
    except KeyboardInterrupt:
        print("Stopped.")
    finally:
        from modules import script_callbacks

        script_callbacks.script_unloaded_callback()
    return 0


def prepare() -> None:
    """Arguments with those of preload.py, and torch as a host has it at this point."""
    from modules import cmd_args, paths_internal

    path = Path(paths_internal.extension_path, "preload.py")
    if path.is_file() and "--without-extension" not in sys.argv:
        spec = importlib.util.spec_from_file_location("preload", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "preload"):
            module.preload(cmd_args.parser)
    import torch  # noqa: F401
    from modules import shared

    shared.cmd_opts = cmd_args.parser.parse_args()
    Path(paths_internal.data_path).mkdir(parents=True, exist_ok=True)


def _start_model() -> None:
    from modules import sd_models, shared

    sd_models.list_models()
    if not shared.cmd_opts.skip_load_model_at_start:
        threading.Thread(target=lambda: shared.sd_model, daemon=True).start()


def webui() -> Any:
    """The page with its routes; returns what waits."""
    from modules import call_queue, paths_internal, progress, script_callbacks, shared, ui
    from modules.api.api import Api

    shared.demo = ui.create_ui().queue(64)
    app, url, _ = shared.demo.launch(
        server_name="0.0.0.0" if shared.cmd_opts.listen else None,
        server_port=shared.cmd_opts.port,
        prevent_thread_lock=True,
        allowed_paths=[paths_internal.extension_path, paths_internal.script_path, paths_internal.data_path],
        show_api=False,
        quiet=True,
    )
    progress.setup_progress_api(app)
    Api(app, call_queue.queue_lock)
    script_callbacks.app_started_callback(shared.demo, app)
    print(f"Running on {url}  ({ui.LABEL})", flush=True)
    return lambda: shared.demo.block_thread()


def nowebui() -> Any:
    """The API alone."""
    import uvicorn
    from fastapi import FastAPI
    from modules import call_queue, script_callbacks, scripts, shared
    from modules.api.api import Api

    scripts.scripts_txt2img.initialize_scripts(is_img2img=False)
    scripts.scripts_img2img.initialize_scripts(is_img2img=True)
    app = FastAPI()
    Api(app, call_queue.queue_lock)
    script_callbacks.app_started_callback(None, app)
    port = shared.cmd_opts.port or 7861
    print(f"Running on http://127.0.0.1:{port}/  (API alone)", flush=True)
    return lambda: uvicorn.run(
        app, host="0.0.0.0" if shared.cmd_opts.listen else "127.0.0.1", port=port, log_level="warning"
    )


if __name__ == "__main__":
    sys.exit(main())
