#!/bin/bash
# On the GPU machine: `device.sh one`, then `device.sh two` while the machine keeps /tmp. See pack.ts. Needs bash, python3, tar.
# Results go to $OUT, or to /tmp/dlg-gpu-out. DLG_SECONDS limits the timings (230), DLG_ATTACK each attack of the example (6).
set -u
here=$(cd "$(dirname "$0")" && pwd)
place=/tmp/dlg-gpu
out=${OUT:-/tmp/dlg-gpu-out}
mkdir -p "$place" "$out"
step() { echo "== $(date +%T) $*"; }

# xz by Python where there is no xz
unxz_to() { if command -v xz >/dev/null; then xz -dc -T0 "$1"; else python3 -c 'import lzma,shutil,sys; shutil.copyfileobj(lzma.open(sys.argv[1]), sys.stdout.buffer, 1 << 20)' "$1"; fi >"$2"; }

# folders of the CUDA libraries that came as wheels, then those of the system
libraries() {
  python3 - <<'P'
import glob, importlib.util, os
spec = importlib.util.find_spec('nvidia')
places = list(spec.submodule_search_locations) if spec else []
folders = sorted({os.path.dirname(f) for place in places for f in glob.glob(place + '/**/*.so*', recursive=True)})
print(':'.join(folders + [d for d in ('/usr/local/cuda/lib64', '/usr/local/nvidia/lib64') if os.path.isdir(d)]))
P
}

one() {
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  step 'unpacking the CUDA provider'
  (cd "$here" && unxz_to libonnxruntime_providers_cuda.so.xz "$place/libonnxruntime_providers_cuda.so") &
  cp "$here/libonnxruntime_providers_shared.so" "$place/"
  libraries >"$place/libraries"
  # imported for the first time, both take long to read
  (time timeout 90 python3 -c 'import torch; print("torch", torch.__version__, torch.zeros(1).cuda())') 2>&1 | grep -v '^$\|user\|sys' &
  (time XLA_PYTHON_CLIENT_PREALLOCATE=false timeout 90 python3 -c 'import jax; print("jax", jax.__version__, jax.devices())') 2>&1 | grep -v '^$\|user\|sys' &
  wait
  step 'libraries'
  cat "$place/libraries"
  LD_LIBRARY_PATH=$(cat "$place/libraries") ldd "$place/libonnxruntime_providers_cuda.so" | grep -i 'not found' || echo 'none is missing'
  ldconfig -p | grep -i libvulkan || echo 'no Vulkan loader'
  ls -la "$place"
}

two() {
  step 'unpacking the bench'
  for archive in node bench; do
    unxz_to "$here/$archive.tar.xz" "$place/$archive.tar" && tar -C "$place" -xf "$place/$archive.tar" || exit 1
  done
  cd "$place" || exit 1
  export PATH="$place/bin:$PATH"
  node --version || exit 1
  local ort=node_modules/onnxruntime-node/bin/napi-v6/linux/x64
  if [ -f libonnxruntime_providers_cuda.so ]; then
    cp -l libonnxruntime_providers_{cuda,shared}.so "$ort/" 2>/dev/null || cp libonnxruntime_providers_{cuda,shared}.so "$ort/"
    LD_LIBRARY_PATH=$(cat libraries)
    export LD_LIBRARY_PATH
  else
    echo 'part one is not here: no CUDA provider'
    [ -n "${DLG_WITHOUT_CUDA:-}" ] || exit 3
  fi
  if ! ldconfig -p | grep -q libvulkan; then
    for deb in debs/*.deb; do [ -f "$deb" ] && dpkg -x "$deb" debs; done
    export LD_LIBRARY_PATH="$PWD/debs/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}"
  fi
  local icd=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
  [ -f "$icd" ] && export VK_DRIVER_FILES=$icd
  local before=()
  [ -d before ] && before=(--before before)

  step 'the same attacks on every runtime'
  timeout 160 node examples/gpu.js --seconds "${DLG_ATTACK:-6}" 2>&1 | tee "$out/example.txt"
  step 'timings'
  timeout 400 node bench/gpu-run.js --seconds "${DLG_SECONDS:-230}" "${before[@]}" --json "$out/gpu.json" ${DLG_CASES:-} 2>&1 |
    tee "$out/bench.txt"
  step 'done'
}

case "${1:-}" in
one) one ;;
two) two ;;
*) echo "device.sh one|two" && exit 2 ;;
esac
