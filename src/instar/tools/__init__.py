"""The tools that come with Instar. Each keeps `instar.ports.tool.Tool` and gets what it needs handed in by `app.py`."""
