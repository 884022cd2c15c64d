"""What the checks with real programs share."""

import pathlib
import re
import socket
import time

README = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def recipe(name):
    """The indented block below **NAME** in the README, as it stands there."""
    return re.search(r"\n\n((?:    .*\n)+)", README.split(f"**{name}**", 1)[1]).group(1)
