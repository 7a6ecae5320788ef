"""The text of docs/history.md, made from the tables of rules and traits."""

from __future__ import annotations

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.peers import uniformity
from ansible_collections.gpulab.core.plugins.plugin_utils.history import baselines, history_queries

INTRODUCTION = """\
<!-- Generated from plugin_utils' baselines and uniformity by `make docs`. -->
# History and baselines

Every report writes its run into the lab's history, `state/<lab>/history.sqlite3` on the controller.
It is kept by **part**: a GPU by its UUID, a disk, a DIMM or the node itself by its serial number, a
network port by its MAC address. So a part keeps its past when its node is installed again, and
takes it along when it moves.

```console
ansible-playbook playbooks/history.yml                        # parts that failed or warned
ansible-playbook playbooks/history.yml -e part=GPU-6ac3a5f2   # a UUID, or how it begins
ansible-playbook playbooks/history.yml -e part=S4EVNX0R       # a serial number or MAC address
ansible-playbook playbooks/history.yml -e part=node01         # a node: parts, faults, admissions
```

```text
gpu:GPU-6ac3a5f2-0000-4000-8000-000000000001 H100
  on node01 (slot 5, 0000:c1:00.0): 2026-11-01 01:00, 1 run
  on node02 (slot 5, 0000:c1:00.0): 2026-11-01 03:00, 1 run
  What did not pass, and when it passed again
  2026-11-01 01:00  FAIL     node01  gpu.ecc: 3 uncorrected
  2026-11-01 03:00  WARN     node02  part.returned: it failed on node01 at 2026-11-01T01:00:00Z …
```

The answer is also in the task's result, for other playbooks (`ansible-doc gpulab.core.history`).

## What is kept

- Runs, and the nodes in each: verdict, place, cohort.
- Parts, and where each was seen: node, slot, PCI address.
- Findings that did not pass, and the pass that follows one. Passes one by one are in the records.
- Metrics by part, with whether each was an outlier.
- How many of the benchmark's programs were launched on each node, how many of these launches
  failed, and how many were restarts. From these the report has the crash rate and the restarts of
  the last 30 days. Runs from before gpulab kept this are counted after `rebuild` (below).
- Who was taken in or out of service, when, by whom and why ([admission](admission.md)).

A GPU that has fallen off the bus does not tell its name: its failure is noted of the GPU that was
last seen at its PCI address. A name that two places have in one run (virtual disks are all called
alike) is none. A container sees its host's disks, DIMMs and ports; they are not taken for its own.

Making the report of a run again changes nothing, and several runs may end at once. Where the file
is broken or stays locked, the report goes on without it, says so, and marks what it could not know
as `unknown`. A lost history is made again from the reports that are still there:

```console
ansible-playbook playbooks/history.yml -e rebuild=true
```

Each lab has a history of its own ([state.md](state.md)). `GPULAB_STATE_DIR` in the environment
names another folder than `state/`, which stands beside `reports/`.

## The stage `fleet`

The report compares each node with the others and with its own past, and puts what it finds into
the node's record, as stage `fleet`.

### Parts that come back

`part.returned` warns of a part that failed, was away, and is there again: on another node than the
one it failed on, or on that node after a run that looked for it in vain. It says when, where and
how it failed. The warning ends when the part was there in {quiet} runs without a complaint.

### Baselines

A number is compared with its like: the same metric of the same cohort (equal GPUs, preset and
framework). That is the lab's own past, the newest {most} values of runs that passed, as soon as
there are {many}; before that, it is the nodes and GPUs of this run. How many there are decides:

{tiers}

The modified z-score is Iglewicz and Hoaglin's (1993), and so is its limit; the shares are our own
proposal, as are {quiet}, {many} and {most}. `baseline` and `z` stand beside each metric in the
record. On a node without GPUs, an outlier only warns: what a processor can do depends on what else
runs.

An earlier training that [replaces a new one](benchmark.md#when-it-runs) is no second
measurement; a training that was an outlier replaces none.

After a change that makes all of a cohort slower for good, such as a lower power limit, every run
would be an outlier. Forget the numbers, and nothing else, and the next runs make a new baseline:

```console
ansible-playbook playbooks/history.yml -e forget_metrics=true
```

{rules}

### Uniformity

Nodes that are meant to be alike (the same hardware spec and the same groups; where the spec names
no particular kind of node, also the same model, processor and GPUs) vote on each trait. Where more
than half agree, the others are odd, and warn. Where they do not, as with two nodes, all warn that
they differ, and none is blamed. What was not read has no vote.

{traits}
"""


def page() -> str:
    """Render the page."""
    return INTRODUCTION.format(
        quiet=history_queries.QUIET_RUNS,
        most=history_queries.MOST_SAMPLES,
        many=baselines.MANY,
        tiers=_tiers(),
        rules=_rules(),
        traits=_traits(),
    )


def _tiers() -> str:
    worse = "or more worse than the median"
    many = f"a modified z-score beyond {baselines.MODIFIED_Z:g}, **and** "
    rows = [
        (
            f"{baselines.MANY} and more",
            f"{many}{baselines.SHARE_OF_MANY:.0%} {worse}",
            "warns, to be confirmed; fails when the next measurement says the same",
        ),
        (
            f"{baselines.FEW} to {baselines.MANY - 1}",
            f"{baselines.SHARE_OF_FEW:.0%} {worse}",
            "fails",
        ),
        (
            "fewer",
            "nothing: of two, nobody knows which one is wrong",
            "only absolute limits hold",
        ),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["| values | an outlier is | and |", "|---|---|---|", *lines])


def _rules() -> str:
    rows = [
        f"| `{name}` | {rule.better} | {rule.severity or 'no: baseline and z only'} |"
        for name, rule in baselines.RULES.items()
    ]
    return "\n".join(["| metric | better | an outlier |", "|---|---|---|", *rows])


def _traits() -> str:
    rows = [
        f"| `{uniformity.SUMMARY}.{trait.id}` | {trait.title} | "
        f"{trait.action.replace('{node}', 'NODE')} |"
        for trait in uniformity.TRAITS
    ]
    return "\n".join(["| finding | trait | next action |", "|---|---|---|", *rows])
