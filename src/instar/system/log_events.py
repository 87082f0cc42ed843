"""The names of log events, one constant each, so that a log can be searched by what happened.

A name says what happened to what, in the past: ``turn_started``. Facts go into fields (``session_key``, ``turn_id``,
``model``, ``ms``), never into the name, and never message text. A room that needs a new event adds its name here.
"""

from __future__ import annotations

from typing import Final

# --- the gateway as a whole
GATEWAY_STARTING: Final = "gateway_starting"
GATEWAY_READY: Final = "gateway_ready"
GATEWAY_STOPPING: Final = "gateway_stopping"
GATEWAY_STOPPED: Final = "gateway_stopped"
GATEWAY_RECOVERED: Final = "gateway_recovered"
CONFIG_LOADED: Final = "config_loaded"
CONFIG_WARNING: Final = "config_warning"
CONFIG_REFUSED: Final = "config_refused"
CONFIG_WRITTEN: Final = "config_written"
JOB_FAILED: Final = "job_failed"

# --- messages, lanes, turns
MESSAGE_ACCEPTED: Final = "message_accepted"
MESSAGE_REFUSED: Final = "message_refused"
MESSAGE_REPEATED: Final = "message_repeated"
LANE_OPENED: Final = "lane_opened"
LANE_CLOSED: Final = "lane_closed"
LANE_FAILED: Final = "lane_failed"
TURN_STARTED: Final = "turn_started"
TURN_FINISHED: Final = "turn_finished"
TURN_FAILED: Final = "turn_failed"
TURN_ABORTED: Final = "turn_aborted"
TOOL_CALLED: Final = "tool_called"
TOOL_FAILED: Final = "tool_failed"
SESSION_RESET: Final = "session_reset"

# --- models
MODEL_REQUESTED: Final = "model_requested"
MODEL_ANSWERED: Final = "model_answered"
MODEL_FAILED: Final = "model_failed"
MODEL_RETRIED: Final = "model_retried"
MODEL_REPLACED: Final = "model_replaced"
MODEL_LIBRARIES_LOADED: Final = "model_libraries_loaded"

# --- replies and channels
DELIVERY_SENT: Final = "delivery_sent"
DELIVERY_FAILED: Final = "delivery_failed"
DELIVERY_HELD: Final = "delivery_held"
CHANNEL_STARTED: Final = "channel_started"
CHANNEL_STOPPED: Final = "channel_stopped"
CHANNEL_FAILED: Final = "channel_failed"

# --- callers
CLIENT_CONNECTED: Final = "client_connected"
CLIENT_REFUSED: Final = "client_refused"
CLIENT_CLOSED: Final = "client_closed"
REQUEST_FAILED: Final = "request_failed"

# --- the store, the mirror, the log itself
STORE_OPENED: Final = "store_opened"
STORE_FAILED: Final = "store_failed"
MIRROR_WRITTEN: Final = "mirror_written"
MIRROR_FAILED: Final = "mirror_failed"
MIRROR_CONFLICT: Final = "mirror_conflict"
LOG_LINES_LOST: Final = "log_lines_lost"
