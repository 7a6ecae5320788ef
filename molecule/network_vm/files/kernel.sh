#!/bin/bash
# kernel.sh RELEASE: make /srv/kernel.tar.gz of Debian's full kernel, which has the drivers that its cloud kernel
# lacks. Unpacking the package, and making the initramfs, takes ten minutes under emulation.
set -euo pipefail
release=$1
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
apt-get install --quiet=2 --no-install-recommends initramfs-tools kmod zstd > /dev/null
rm -rf /srv/kernel /srv/wanted
cd /srv
apt-get download --quiet=2 "linux-image-$release"
dpkg-deb --extract "linux-image-$release"_*.deb kernel
# What a virtual machine with disks of virtio, and this scenario, can use; the rest takes minutes to copy.
depmod --basedir /srv/kernel "$release"
cd "kernel/lib/modules/$release/kernel"
mkdir /srv/wanted
cp --parents --recursive --target-directory=/srv/wanted arch/x86/crypto crypto lib \
    fs/{autofs,configfs,ext4,fuse,jbd2} fs/mbcache.ko \
    net/{802,8021q,core,ipv4,ipv6,llc,netfilter,packet,sched} \
    drivers/{block/virtio_blk.ko,char/hw_random,firmware,scsi/{scsi_mod,sd_mod,virtio_scsi}.ko,virtio} \
    drivers/infiniband/{core,sw/rxe} drivers/net/{bonding,dummy.ko,net_failover.ko,virtio_net.ko}
# What these need besides.
(cd /srv/wanted && find . -name '*.ko' -printf 'kernel/%P\n') > /srv/names
awk -F ': *' 'NR == FNR { wanted[$1]; next } $1 in wanted { gsub(" ", "\n", $2); if ($2) print $2 }' \
    /srv/names ../modules.dep | sort --unique | sed 's,^kernel/,,' |
    xargs cp --parents --target-directory=/srv/wanted
cd /srv
rm -r /srv/kernel/usr /srv/kernel/lib/modules/"$release"/kernel
mv /srv/wanted /srv/kernel/lib/modules/"$release"/kernel
mkdir --parents /lib/modules
cp --recursive "/srv/kernel/lib/modules/$release" /lib/modules/
cp "/srv/kernel/boot/config-$release" /boot/
depmod "$release"
cp --recursive "/lib/modules/$release" /srv/kernel/lib/modules/
echo MODULES=list > /etc/initramfs-tools/conf.d/scenario
printf '%s\n' crc32c ext4 sd_mod virtio_pci virtio_scsi >> /etc/initramfs-tools/modules
mkinitramfs -o "/srv/kernel/boot/initrd.img-$release" "$release"
# The guest's boot loader follows these links until the guest runs update-grub.
ln --symbolic "boot/vmlinuz-$release" /srv/kernel/vmlinuz
ln --symbolic "boot/initrd.img-$release" /srv/kernel/initrd.img
# The guest's /lib is a link to /usr/lib.
mkdir /srv/kernel/usr
mv /srv/kernel/lib /srv/kernel/usr/lib
tar --create --gzip --directory /srv/kernel --file /srv/kernel.tar.gz --owner=root --group=root \
    vmlinuz initrd.img "boot/vmlinuz-$release" "boot/initrd.img-$release" usr/lib/modules
