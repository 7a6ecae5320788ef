"""Ask and tell the scenario's Slurm as an administrator does."""

from __future__ import annotations

import time

from testinfra.host import Host

#: Slurm counts a node as DOWN ten seconds after it was last heard, and looks now and then.
PATIENCE_S = 60


class Slurm:
    """Slurm, by its own commands on the head."""

    def __init__(self, head: Host) -> None:
        """Keep the head."""
        self.head = head

    def node(self, name: str) -> str:
        """Return Slurm's line of a node."""
        return self.head.check_output(f"scontrol --oneliner show node {name}")

    def state(self, name: str) -> set[str]:
        """Return its state and flags."""
        return set(self.node(name).partition(" State=")[2].split()[0].replace("*", "").split("+"))

    def reason(self, name: str) -> str:
        """Return the reason without its author and time."""
        return self.node(name).partition(" Reason=")[2].rpartition(" [")[0]

    def update(self, name: str, *words: str) -> None:
        """Change a node by hand."""
        quoted = " ".join(f"'{word}'" for word in words)
        self.head.check_output(f"scontrol update nodename={name} {quoted}")

    def wait(self, name: str, state: str) -> None:
        """Wait until a node has a state or flag."""
        until = time.monotonic() + PATIENCE_S
        while state not in self.state(name):
            assert time.monotonic() < until, self.node(name)
            time.sleep(0.5)

    def settle(self, name: str) -> None:
        """Wait until a node is idle, answers, and nothing is against it."""
        until = time.monotonic() + PATIENCE_S
        while self.state(name) != {"IDLE"}:
            assert time.monotonic() < until, self.node(name)
            time.sleep(0.5)

    def submit(self, name: str, seconds: int = 600) -> str:
        """Start a job on a node, and wait until it runs; return its number."""
        said = self.head.check_output(f"sbatch -w {name} -o /dev/null --wrap 'sleep {seconds}'")
        number = said.split()[-1]
        until = time.monotonic() + PATIENCE_S
        while self.job(number) != "RUNNING":
            assert time.monotonic() < until, self.job(number)
            time.sleep(0.5)
        return number

    def job(self, number: str) -> str:
        """Return the state of a job."""
        return self.head.run(f"squeue --noheader --jobs={number} --format=%T").stdout.strip()
