"""The systems that the gateway runs on. It imports nothing that another system may lack."""

from typing import Final

SUPPORTED: Final = ("linux", "darwin")
"""As sys.platform names them."""


def refusal(platform: str) -> str:
    """Why nothing can run on this system; "" where it can."""
    if platform in SUPPORTED:
        return ""
    return f"fetion-gateway runs on Linux and macOS, not on {platform}: use one of these, or a container"
