"""Ask NVML of one GPU, and remember what it did not tell. The binding is an argument."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from .gpu_facts import program_name

# Whatever the binding returns: numbers, lists, and structures of ctypes.
Told = Any
# nvmlValueType_t -> the member of the union that holds the value.
_VALUE_MEMBERS = {0: "dVal", 2: "ulVal", 3: "ullVal", 4: "sllVal", 5: "siVal", 6: "usVal"}


class Reader:
    """Reads one GPU, and remembers what it could not read."""

    def __init__(self, nvml: ModuleType, handle: object) -> None:
        """Remember binding and handle."""
        self._nvml = nvml
        self._handle = handle
        self.unsupported: list[str] = []
        self.unread: dict[str, str] = {}

    def ask(self, field: str, name: str, *arguments: object) -> Told:
        """Return what a function of NVML says of this GPU, or None."""
        function = getattr(self._nvml, name, None)
        if function is None or any(argument is None for argument in arguments):
            self.note(field, "")
            return None
        try:
            return function(self._handle, *arguments)
        except Exception as error:  # bindings raise more than NVMLError where versions differ
            self.note(field, self._reason(getattr(error, "value", None), str(error)))
            return None

    def has(self, field: str) -> str:
        """Take back the note of a field, as another function told it, and return its reason."""
        if field in self.unsupported:
            self.unsupported.remove(field)
        return self.unread.pop(field, "")

    def same(self, field: str, other: str) -> None:
        """Note of a field what is noted of another that the same function tells."""
        if other in self.unread or other in self.unsupported:
            self.note(field, self.unread.get(other, ""))

    def program(self, pid: int) -> str | None:
        """Return the name of a process's program, or None."""
        try:
            said = self._nvml.nvmlSystemGetProcessName(pid)
        except Exception:  # it has ended, or the binding has no such function
            return None
        return program_name(said.decode("utf-8", "replace") if isinstance(said, bytes) else said)

    def constant(self, name: str) -> Told:
        """Return a constant of the binding, or None where it is older than that."""
        return getattr(self._nvml, name, None)

    def text(self, field: str, name: str) -> str | None:
        """Return a text; bindings before nvidia-ml-py 11.5 give bytes."""
        said = self.ask(field, name)
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else said

    def watts(self, field: str, name: str) -> float | None:
        """Return a power in watts; NVML counts milliwatts."""
        said = self.ask(field, name)
        return None if said is None else said / 1000

    def value(self, field: str, name: str, scope: int | None = None) -> int | None:
        """Return the value of a field (NVML_FI_…), by link where a scope is given."""
        number = self.constant(name)
        if number is None:
            self.note(field, "")
            return None
        wanted = number if scope is None else (number, scope)
        found = self.ask(field, "nvmlDeviceGetFieldValues", [wanted])
        if found is None:
            return None
        status = found[0].nvmlReturn
        if status != 0:
            self.note(field, self._reason(status, f"NVML error {status}"))
            return None
        member = _VALUE_MEMBERS.get(found[0].valueType, "uiVal")
        return int(getattr(found[0].value, member))

    def _reason(self, status: int | None, words: str) -> str:
        """Return why a value is missing; empty where this GPU or driver just does not have it."""
        absent = {
            getattr(self._nvml, name, None)
            for name in (
                "NVML_ERROR_NOT_SUPPORTED",
                "NVML_ERROR_FUNCTION_NOT_FOUND",
                "NVML_ERROR_INVALID_ARGUMENT",
                "NVML_ERROR_ARGUMENT_VERSION_MISMATCH",
                "NVML_ERROR_DEPRECATED",
            )
        }
        return "" if status in absent else words

    def note(self, field: str, reason: str) -> None:
        """Note why a field has no value: the reason, or empty where there is no such thing."""
        if reason:
            self.unread[field] = reason
        elif field not in self.unsupported:
            self.unsupported.append(field)
