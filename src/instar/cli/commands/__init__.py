"""One module per command; each holds one click command or group, named as in `main.COMMANDS`."""
