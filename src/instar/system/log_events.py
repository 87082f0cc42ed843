"""The names of log events that are said in more than one place, or that tests and tools look for.

A name says what happened to what, in the past: ``turn_failed``. Facts go into fields (``session_key``, ``turn_id``,
``model``, ``ms``), never into the name, and never message text. A name that is said in one place stands there.
"""

from __future__ import annotations

from typing import Final

# --- the gateway as a whole
GATEWAY_READY: Final = "gateway_ready"
GATEWAY_STOPPED: Final = "gateway_stopped"
CONFIG_LOADED: Final = "config_loaded"
CONFIG_WARNING: Final = "config_warning"
CONFIG_REFUSED: Final = "config_refused"
CONFIG_WRITTEN: Final = "config_written"
JOB_FAILED: Final = "job_failed"

# --- models
MODEL_FAILED: Final = "model_failed"
MODEL_RETRIED: Final = "model_retried"
MODEL_REPLACED: Final = "model_replaced"

# --- the store, the mirror, the log itself
MIRROR_FAILED: Final = "mirror_failed"
MIRROR_CONFLICT: Final = "mirror_conflict"
MIRROR_STRAYS: Final = "mirror_strays"
STORE_LOG_DAMAGED: Final = "store_log_damaged"
STORE_HALF_SEALED: Final = "store_half_sealed"
LOG_LINES_LOST: Final = "log_lines_lost"
