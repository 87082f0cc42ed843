"""One module per room: from the raw configuration to the settings value that the room's decisions take.

Each function takes the whole configuration after `instar.config.aliases.apply_aliases`. A value of the wrong type
raises `ConfigError` with the path of the setting, unless the field's own rule says that it is ignored (CFG-6).
"""
