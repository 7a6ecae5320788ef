"""The policy ``ask``: whoever runs the playbook decides. Real reboots: tests/infra/nvidia_vm.

A container never has a reboot due, so the reason is put in from outside.
"""

from __future__ import annotations

from playbook_run import Play

DUE = {"nvidia_driver_pending": ["a test asks for it"], "nvidia_driver_reboot": "ask"}
GPU = ("playbooks/gpu.yml", "--limit=rocky9", "--skip-tags=cuda,nvidia_container,dcgm")


def test_a_no_leaves_the_machine_and_is_no_success(play_at_terminal: Play) -> None:
    run = play_at_terminal("no", *GPU, **DUE)
    assert run.returncode != 0
    assert "rocky9: a test asks for it. Reboot it now? Type yes" in run.said
    assert "a reboot is due: a test asks for it. Reboot rocky9, or run again with" in run.said
    assert "changed=0 " in run.stdout


def test_without_a_terminal_nobody_says_yes(play: Play) -> None:
    run = play(*GPU, **DUE)
    assert run.returncode != 0
    assert "a reboot is due: a test asks for it. Reboot rocky9, or run again with" in run.said
    assert "changed=0 " in run.stdout
