#!/bin/sh
# Keep a machine of each shape as an image, one run at a time. The machines that it takes are gone afterwards in
# any case. Does nothing where the images are there.
set -u
cd "$(dirname "$0")" || exit
project=../../..
export ANSIBLE_CONFIG="$PWD/$project/ansible.cfg"
mkdir -p $project/.cache
exec 9>$project/.cache/shapes.lock
flock 9
ansible-playbook --inventory inventory images.yml </dev/null
status=$?
ansible-playbook --inventory inventory $project/playbooks/sandbox_down.yml </dev/null || status=1
exit $status
