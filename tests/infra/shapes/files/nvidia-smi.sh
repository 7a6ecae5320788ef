#!/bin/sh
# Simulation of nvidia-smi for gpulab's tests: one A100 whose settings are files. Its words are those that
# nvidia-smi is known to say, on the standard output.
cd /srv/gpulab-card || exit 9
echo "$*" >> calls
[ ! -e lost ] || { echo 'No devices were found'; exit 6; }
case "$*" in
  --query-gpu=pci.bus_id*)
    echo "00000000:01:00.0, $(cat power), 150.00, 300.00, $(cat ecc), $(cat ecc_pending), $(cat mig), $(cat mig), Enabled" ;;
  --query-gpu=mig*) echo "$(cat mig), $(cat mig)" ;;
  --query-compute-apps=*) [ ! -e processes ] || cat processes ;;
  --list-gpus) echo 'GPU 0: NVIDIA A100 80GB PCIe (UUID: GPU-1)'; [ ! -e instances ] || cat instances ;;
  --power-limit=*) echo "${1#*=}.00" > power ;;
  --lock-gpu-clocks=*) ;;
  --lock-memory-clocks=*) echo "Specified clock is not a supported memory clock"; exit 2 ;;
  --ecc-config=0) echo Disabled > ecc_pending ;;
  --multi-instance-gpu=1) echo Enabled > mig ;;
  'mig --destroy'*) rm -f instances ;;
  'mig --create-gpu-instance='*)
    profiles=${2#*=}
    echo "$profiles" | tr , '\n' | sed 's/.*/  MIG &     Device  0: (UUID: MIG-1)/' > instances ;;
  *) echo "Invalid combination of input arguments"; exit 2 ;;
esac
