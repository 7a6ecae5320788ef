"""Who is still there: every rank of a group beats, so that the survivors can name the one that not.

A collective that fails says at most that a connection closed or that time ran out. So each rank
counts up a key of its own in the rendezvous' store, from a thread that goes on while the main one
waits for the network. When an exchange fails, the ranks whose count stands still are the cause.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
import time
from types import TracebackType

from torch import distributed

BEAT_S = 0.5
# Long enough for several beats of a rank that shares its processor with others.
LISTEN_S = 5.0
# How long a rank may take to import PyTorch and come, after the first one is there.
ARRIVE = datetime.timedelta(seconds=60)
# How long the store may take to answer before its node is taken for gone.
STORE_TIMEOUT = datetime.timedelta(seconds=5)
# Rank 0's node holds the store: whoever fails first stays until the others have read it.
LINGER_S = 3.0

_PREFIX = "gpulab_bench"


class PeerError(RuntimeError):
    """Another process of the group stopped; the text names its rank and node."""


class Heartbeat:
    """This rank's beat, and its ear for the others'."""

    def __init__(self, rank: int, world_size: int, node: str) -> None:
        """Connect to the store that torchrun names, on a connection of its own.

        Args:
            rank: of this process.
            world_size: processes in the group.
            node: name of this machine, as a person knows it.

        Raises:
            RuntimeError: the store does not answer.
        """
        self._rank, self._size, self._node = rank, world_size, node
        self._names = ["?"] * world_size
        self._ended = threading.Event()
        self._store = self._connect()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        """Begin to beat, and learn the names of all nodes.

        Raises:
            PeerError: a rank does not come.
        """
        self._store.set(self._key("node", self._rank), self._node)
        self._thread.start()
        for rank in range(self._size):
            key = self._key("node", rank)
            try:
                self._store.wait([key], ARRIVE)
            except RuntimeError as error:
                msg = f"rank {rank} did not come to the training within {ARRIVE.seconds} s"
                raise PeerError(msg) from error
            self._names[rank] = self._store.get(key).decode()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and turn the failure of an exchange into one that names who stopped.

        Raises:
            PeerError: another rank's count stands still.
        """
        try:
            if isinstance(error, RuntimeError):
                missing = self.missing()
                time.sleep(LINGER_S)
                if missing:
                    msg = f"{missing} stopped in the middle of the training"
                    raise PeerError(msg) from error
        finally:
            self._ended.set()

    def nodes(self) -> list[str]:
        """Name of each rank's node, by rank."""
        return list(self._names)

    def missing(self) -> str:
        """Say which ranks do not beat, with their nodes, or '' where all do."""
        try:
            # A connection of its own again: the old one may wait for an answer that never comes.
            store = self._connect()
            before = self._counts(store)
            time.sleep(LISTEN_S)
            after = self._counts(store)
        except RuntimeError:
            return f"rank 0 on {self._names[0]}, which holds the rendezvous, does not answer: it"
        silent = [
            f"rank {rank} on {self._names[rank]}"
            for rank in range(self._size)
            if rank != self._rank and before[rank] == after[rank]
        ]
        return " and ".join(silent)

    def _connect(self) -> distributed.TCPStore:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        return distributed.TCPStore(
            address, port, is_master=False, timeout=STORE_TIMEOUT, wait_for_workers=False
        )

    def _counts(self, store: distributed.TCPStore) -> list[int]:
        return [store.add(self._key("beat", rank), 0) for rank in range(self._size)]

    def _beat(self) -> None:
        # The store ends with its node: then there is nobody left to tell.
        with contextlib.suppress(RuntimeError):
            while not self._ended.wait(BEAT_S):
                self._store.add(self._key("beat", self._rank), 1)

    def _key(self, what: str, rank: int) -> str:
        return f"{_PREFIX}/{what}/{rank}"
