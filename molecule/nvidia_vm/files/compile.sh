#!/bin/bash
# compile.sh version: say which version of the driver Debian packages now.
# compile.sh KERNEL...: compile that driver's modules for these kernels, as DKMS would, and leave them in
# /srv/gpulab-modules.tar.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
if [ "$1" = version ]; then
    sed -i '/non-free/! s/^\(deb .* main\)$/\1 contrib non-free non-free-firmware/' /etc/apt/sources.list.d/*.list
    apt-get update --quiet=2
    apt-cache policy nvidia-kernel-dkms | sed -n 's/^ *Candidate: //p'
    exit
fi
work=/srv/gpulab-modules
mkdir -p $work
cd /srv
apt-get install --yes --quiet=2 --no-install-recommends make "${@/#/linux-headers-}"
apt-get download --quiet=2 nvidia-kernel-dkms
dpkg-deb --extract nvidia-kernel-dkms_*.deb package
for kernel in "$@"; do
    cp --recursive package/usr/src/nvidia-current-* source
    make --silent --directory=source --jobs="$(nproc)" modules KERNEL_UNAME="$kernel" > "$kernel.log" 2>&1 ||
        { tail -n 20 "$kernel.log" >&2; exit 1; }
    mkdir $work/"$kernel"
    strip --strip-debug source/*.ko
    mv source/*.ko $work/"$kernel"/
    rm --recursive source
done
tar --create --file gpulab-modules.tar.part gpulab-modules
mv gpulab-modules.tar.part gpulab-modules.tar
