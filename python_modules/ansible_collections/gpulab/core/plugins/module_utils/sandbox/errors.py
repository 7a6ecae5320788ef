"""The one error that the sandbox raises towards its modules."""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox cannot do what it was asked; the message says what the user can do about it."""
