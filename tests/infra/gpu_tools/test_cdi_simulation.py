"""CDI, simulated: a device of this test's own, which is the node's /dev/zero by another name.

What is real: podman, crun, the CDI specification and its injection into a container that runs
while systemd is reloaded. What is not: the GPU, and the device cgroup. A sandbox node may not
write its cgroups, so the container has none, and that a reload does not take a device away is
proved for injection only. On nodes with GPUs the role proves it with the device cgroup.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

SPEC = """\
cdiVersion: "0.5.0"
kind: simulated.test/gpu
devices:
  - name: all
    containerEdits:
      env: [SIMULATED_GPU=yes]
      deviceNodes:
        - path: /dev/simulated-gpu
"""
# Podman for a node that may neither make device nodes nor write cgroups.
CONFIG = """\
[containers]
default_sysctls = []
netns = "none"
cgroups = "disabled"
[engine]
runtime = "crun"
"""
# A node that is a container itself has no overlay for another.
STORAGE = """\
[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"""
PODMAN = (
    "CONTAINERS_CONF=/run/simulated/containers.conf "
    "CONTAINERS_STORAGE_CONF=/run/simulated/storage.conf podman"
)
RUN = f"{PODMAN} run --detach --uidmap 0:0:65536 --device simulated.test/gpu=all --rootfs /srv/cdi"
# A private view of the mounts: with the node's own, the container could mount no /proc.
BEGIN = r"""
set -e
mkdir -p /etc/cdi /srv/cdi/bin
for name in sh sleep head od; do
  cp /usr/bin/$name /srv/cdi/bin/
  for library in $(ldd /usr/bin/$name | grep -o '/lib[^ ]*'); do
    install -D $library /srv/cdi$library
  done
done
touch /dev/simulated-gpu
exec unshare --mount sh -ec '
  for mounted in $(awk "\$2 ~ \"^/proc/\" {print \$2}" /proc/mounts | sort -r); do
    umount $mounted
  done
  mount --bind /dev/zero /dev/simulated-gpu
  {run} sleep 600
'
"""
READ = "nsenter --target %s --all head -c 4 /dev/simulated-gpu"


@pytest.fixture(scope="module")
def container(host: Host) -> Iterator[str]:
    """A running container with the simulated device; gives the process id of its program."""
    files = {
        "/etc/cdi/simulated.yaml": SPEC,
        "/run/simulated/containers.conf": CONFIG,
        "/run/simulated/storage.conf": STORAGE,
    }
    for path, text in files.items():
        host.check_output("install -D /dev/stdin %s <<'END'\n" + text + "END", path)
    name = host.check_output("sh -c %s", BEGIN.replace("{run}", RUN)).splitlines()[-1]
    yield host.check_output(PODMAN + " inspect --format '{{.State.Pid}}' %s", name)
    host.check_output(PODMAN + " rm --force --time 0 %s", name)
    host.check_output(f"rm -r {' '.join(files)} /srv/cdi /dev/simulated-gpu")


def read(host: Host, container: str) -> str:
    """Read the device from inside the container."""
    return str(host.check_output(READ + " | od -An -tx1", container)).strip()


def test_the_device_is_in_the_container_before_and_after_a_reload(
    host: Host, container: str
) -> None:
    assert read(host, container) == "00 00 00 00"
    host.check_output("systemctl daemon-reload")
    assert read(host, container) == "00 00 00 00"
    environment = host.check_output("tr '\\0' '\\n' < /proc/%s/environ", container)
    assert "SIMULATED_GPU=yes" in environment.splitlines()


def test_a_container_that_did_not_ask_has_no_device(host: Host, container: str) -> None:
    done = host.run(READ.replace("simulated-gpu", "other-gpu"), container)
    assert done.rc != 0
