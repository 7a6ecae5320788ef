"""Headless Chromium, driven by the DevTools protocol over a pipe: no port, no driver, no library.

Messages are JSON objects that end with a zero byte; Chromium reads them from its file descriptor 3
and writes to 4 (``--remote-debugging-pipe``).
"""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Fifty nodes take seconds to print, and minutes on cores that are busy with other tests.
_TIMEOUT_S = 300
_QUIET = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)


# Gives the program its ends of the pipes under the numbers that it expects, and becomes it.
_AS_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class ChromiumError(RuntimeError):
    """Chromium is missing, went away, or refused a command; the text says which."""


def find() -> str:
    """Return the browser's path: ``$CHROMIUM``, else the first of `NAMES` on PATH.

    Raises:
        ChromiumError: there is none.
    """
    for name in filter(None, (os.environ.get("CHROMIUM"), *NAMES)):
        path = shutil.which(name)
        if path:
            return path
    msg = "no Chromium here: run scripts/bootstrap.sh test, or name one in the variable CHROMIUM"
    raise ChromiumError(msg)


def _above_four(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 5)
    os.close(descriptor)
    return moved


@dataclasses.dataclass(frozen=True)
class View:
    """How a page is looked at: the window's size in CSS pixels, and the reader's theme."""

    width: int
    height: int
    dark: bool = False
    mobile: bool = False


class Chromium:
    """A browser with one tab at a time; use it as a context manager."""

    def __init__(self, profile: Path) -> None:
        """Start it with an empty profile in ``profile``."""
        # Above 4, so that neither is overwritten before it has been moved to its place.
        to_child, self._write = map(_above_four, os.pipe())
        self._read, from_child = map(_above_four, os.pipe())
        # Only root needs it, and Chromium refuses to start as root without it.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self._log = (profile.parent / "chromium.log").open("w")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _AS_3_AND_4,
                str(to_child),
                str(from_child),
                find(),
                *_QUIET,
                *sandbox,
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(to_child, from_child),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        os.close(to_child)
        os.close(from_child)
        self._buffer = b""
        self._last_id = 0
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Chromium:
        """Return the browser."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser, by force where it does not go."""
        try:
            self.call("Browser.close")
            self._process.wait(10)
        except (ChromiumError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._log.close()

    def open(self, url: str, view: View) -> Tab:
        """Open ``url`` in a new tab and wait until it is drawn."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.load(url, view)
        return tab

    def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """Send a command and return its result.

        Raises:
            ChromiumError: the browser refused it, does not answer in time, or has gone.
        """
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            os.write(self._write, json.dumps(message).encode() + b"\0")
        except BrokenPipeError as error:
            msg = f"Chromium has gone, see {self._log.name}"
            raise ChromiumError(msg) from error
        until = time.monotonic() + _TIMEOUT_S
        while True:
            answer = self._receive(until, method)
            if answer.get("id") == self._last_id:
                break
            self._events.append(answer)
        if "error" in answer:
            msg = f"{method}: {answer['error']['message']}"
            raise ChromiumError(msg)
        return dict(answer["result"])

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return what a tab has told so far, oldest first."""
        return [event for event in self._events if event.get("sessionId") == session]

    def wait_for(self, method: str, session: str) -> None:
        """Wait for an event of a tab.

        Raises:
            ChromiumError: it does not come in time.
        """
        until = time.monotonic() + _TIMEOUT_S
        while not any(event["method"] == method for event in self.events(session)):
            self._events.append(self._receive(until, method))

    def _receive(self, until: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                msg = f"{waiting_for}: Chromium says nothing for {_TIMEOUT_S} s"
                raise ChromiumError(msg)
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                msg = f"{waiting_for}: Chromium has gone, see {self._log.name}"
                raise ChromiumError(msg)
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))


class Tab:
    """One page in one view."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        """Belong to ``browser``."""
        self._browser, self._target, self._session = browser, target, session

    def load(self, url: str, view: View) -> None:
        """Load ``url``; from here on, requests and console messages are kept."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")
        self._call("Network.setCacheDisabled", cacheDisabled=True)
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=view.width,
            height=view.height,
            deviceScaleFactor=1,
            mobile=view.mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if view.dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired", self._session)

    def evaluate(self, expression: str) -> object:
        """Return the value of a JavaScript expression in the page.

        Raises:
            ChromiumError: it threw.
        """
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            msg = f"{expression}: {answer['exceptionDetails']['text']}"
            raise ChromiumError(msg)
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Save the page as PNG, all of it or what the window shows."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        # A texture ends at 16,384 pixels.
        clip = {
            "x": 0,
            "y": 0,
            "width": size["width"],
            "height": min(size["height"], 16000),
            "scale": 1,
        }
        options: dict[str, object] = {"clip": clip, "captureBeyondViewport": True} if whole else {}
        answer = self._call("Page.captureScreenshot", format="png", **options)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self, path: Path) -> None:
        """Print the page to A4, as a reader would who changes no option."""
        answer = self._call(
            "Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def print_media(self, width: int, height: int) -> None:
        """Lay the page out as on paper of this size, in CSS pixels."""
        self._call("Emulation.setEmulatedMedia", media="print")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def requests(self) -> list[str]:
        """Return every address that the page asked for, itself included."""
        return [
            event["params"]["request"]["url"]
            for event in self._browser.events(self._session)
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return what the browser's console says: errors, warnings, violated policies."""
        told = []
        for event in self._browser.events(self._session):
            if event["method"] == "Log.entryAdded":
                told.append(event["params"]["entry"]["text"])
            elif event["method"] == "Runtime.consoleAPICalled":
                told.append(str([arg.get("value") for arg in event["params"]["args"]]))
            elif event["method"] == "Runtime.exceptionThrown":
                told.append(event["params"]["exceptionDetails"]["text"])
        return told

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def _call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)
