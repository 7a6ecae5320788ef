"""Finish a task in Ansible's own process where no node takes part in it.

Ansible forks a worker for every task and host, also to find out that the task is skipped, and to
set a variable. A fork costs 15-30 ms of CPU, and the plugins and templates that a worker loads are
lost with it. Of a second ``site.yml`` over half of the tasks are of that kind.

What runs is Ansible's own ``TaskExecutor`` on a copy of the task and its variables, so the results
are those of a worker; only where it runs differs. It is left to a worker after all as soon as it
reaches for a connection.

This is the one place that changes Ansible's inside: it puts a class derived from ``WorkerProcess``
in the place of that class. `fits` says whether the inside looks as it does in the releases that
this was written for (ansible-core 2.19 to 2.21); elsewhere nothing is changed.
"""

from __future__ import annotations

import copy
import gc
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ansible._internal import _task
from ansible.executor import task_executor
from ansible.executor.process import worker
from ansible.plugins import strategy
from ansible.plugins.loader import action_loader

if TYPE_CHECKING:
    from ansible.executor.task_queue_manager import FinalQueue
    from ansible.playbook.task import Task
    from ansible.plugins.connection import ConnectionBase

    # Sends the result of a task that has ended.
    Send = Callable[[FinalQueue], None]

# Actions of Ansible's own that concern the controller only.
CONTROLLER_ACTIONS = frozenset(
    f"ansible.builtin.{name}"
    for name in ("assert", "debug", "fail", "include_vars", "set_fact", "set_stats")
) | {"ansible.builtin.validate_argument_spec"}
# These end before there is a connection.
INCLUDES = frozenset({"ansible.builtin.include_role", "ansible.builtin.include_tasks"})
OURS = "gpulab.core."

_WORKER = {
    "final_q",
    "task_vars",
    "host",
    "task",
    "play_context",
    "loader",
    "variable_manager",
    "shared_loader_obj",
    "worker_id",
    "cliargs",
}
_EXECUTOR = {
    "host",
    "play_context",
    "loader",
    "shared_loader_obj",
    "final_q",
    "variable_manager",
}
# Until 2.20 the executor is given the task and its variables; from 2.21 they are its context.
_EXECUTOR_WITH_TASK = _EXECUTOR | {"task", "job_vars"}


class _NeedsWorkerError(BaseException):
    """Raised past every handler of the executor: this task concerns a machine."""


class _Silent:
    """The queue of results while it is open whether there will be any."""

    def send_callback(self, *_args: object) -> None:
        """Leave a loop with results of its own to a worker."""
        raise _NeedsWorkerError


class _Executor(task_executor.TaskExecutor):
    """Ansible's executor, which asks for a worker where it would connect."""

    def _get_connection(self, *args: Any) -> ConnectionBase:
        if not is_controller_only(self._task):
            raise _NeedsWorkerError
        return super()._get_connection(*args)


class Worker(worker.WorkerProcess):
    """Ansible's worker, which is forked only where a node takes part."""

    def start(self) -> None:
        """Finish the task here if that can be done, else fork."""
        if not self._finished_here():
            super().start()

    def run(self) -> None:
        """Run in the fork, and leave the parent's objects out of its garbage collections.

        A collection writes to each object that it visits, and so copies the parent's memory.
        """
        gc.freeze()
        super().run()

    def _finished_here(self) -> bool:
        task = self._task
        if task.async_val or task.timeout or not _may_end_early(task):
            return False
        mine = task.copy(exclude_parent=True, exclude_tasks=True)
        mine._parent = task._parent
        queue = self._final_q
        if not is_controller_only(task):
            queue = _Silent()
            if task.resolved_action not in INCLUDES:
                # It follows the conditions, and is work that a worker would do again.
                mine.post_validate = _needs_worker
        try:
            send = _RUN(self, mine, queue)
        except _NeedsWorkerError:
            return False
        send(self._final_q)
        return True


def is_controller_only(task: Task) -> bool:
    """Say whether a task's action uses no connection.

    Args:
        task: Ansible's task.
    """
    action = str(task._resolved_action)
    if action in CONTROLLER_ACTIONS:
        return True
    if not action.startswith(OURS):
        return False
    plugin = action_loader.get(action, class_only=True)
    return plugin is not None and not plugin._requires_connection


def _may_end_early(task: Task) -> bool:
    action = task._resolved_action
    return bool(task.when or task.loop or action in INCLUDES or is_controller_only(task))


def _needs_worker(**_arguments: object) -> None:
    raise _NeedsWorkerError


def _run_with_task(self: Worker, task: Task, queue: FinalQueue) -> Send:
    """Run the executor as the worker of 2.19 and 2.20 does; return what sends its result."""
    with _task.TaskContext(task):
        result = _Executor(
            copy.copy(self._host),
            task,
            dict(self._task_vars),
            self._play_context.copy(),
            self._loader,
            self._shared_loader_obj,
            queue,
            self._variable_manager,
        ).run()
        raw = worker._RawTaskResult(
            host=self._host, task=task, return_data=result, task_fields=task.dump_attrs()
        )
    return lambda final_queue: final_queue.send_task_result(raw)


def _run_in_context(self: Worker, task: Task, queue: FinalQueue) -> Send:
    """Run the executor as the worker of 2.21 does; return what sends its result."""
    with _task.TaskContext.create(
        task=task, task_vars=dict(self._task_vars), host_name=self._host.name
    ):
        task.squash()
        result = _Executor(
            copy.copy(self._host),
            self._play_context.copy(),
            self._loader,
            self._shared_loader_obj,
            queue,
            self._variable_manager,
        ).run()
        result.finalize_registered_values()
        task.ignore_errors = result.ignore_errors
        task.ignore_unreachable = result.ignore_unreachable
    return lambda final_queue: final_queue.send_task_result(self._host, task, result)


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


def _way_to_run() -> Callable[[Worker, Task, FinalQueue], Send] | None:
    executor = _parameters(task_executor.TaskExecutor.__init__)
    context = _task.TaskContext
    if executor == _EXECUTOR_WITH_TASK and not hasattr(context, "create"):
        return _run_with_task if hasattr(worker, "_RawTaskResult") else None
    if executor == _EXECUTOR and _parameters(context.create) == {"task", "task_vars", "host_name"}:
        return _run_in_context
    return None


_RUN: Any = _way_to_run()


def fits() -> bool:
    """Say whether Ansible's inside is one that this was written for."""
    return (
        _RUN is not None
        and _parameters(worker.WorkerProcess.__init__) == _WORKER
        and strategy.WorkerProcess in (worker.WorkerProcess, Worker)
        and hasattr(task_executor.TaskExecutor, "_get_connection")
    )


def install() -> bool:
    """Let strategies use `Worker`; return whether they do."""
    if fits():
        strategy.WorkerProcess = Worker
    return strategy.WorkerProcess is Worker
