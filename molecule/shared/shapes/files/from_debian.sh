#!/bin/sh
# from_debian.sh PACKAGE...: install packages of Debian's archive, which the shaped machine's own apt does not read.
set -eu
export DEBIAN_FRONTEND=noninteractive
lists=/srv/gpulab-stubs/debian-lists
mkdir -p $lists
from_debian() {
    apt-get --quiet=2 -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=/srv/gpulab-stubs/disabled \
        -o Dir::State::Lists=$lists "$@"
}
from_debian update
from_debian install --yes --no-install-recommends "$@" > /dev/null
