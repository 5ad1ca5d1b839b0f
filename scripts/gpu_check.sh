#!/usr/bin/env bash
# Everything that only a machine with a CUDA GPU can show, in one command and without a network:
#
#     scripts/gpu_check.sh FOLDER
#
# tests marked gpu (accuracy of every transform, memory, batch and stream), then the published experiments at quick and
# paper size. Tables go to stdout; JSON, PNG and the test log into FOLDER. Peers that are not installed show as "not run".
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:?name a folder for the results}
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
status=0

python3 -c 'import torch; print("torch", torch.__version__, "on", torch.cuda.get_device_name(0))' || exit 2
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader

echo "== tests marked gpu"
python3 -m pytest -m gpu -q --no-header -p no:cacheprovider tests 2>&1 | tee "$out/tests.log" || status=1

for suite in maps musicnet; do
    for scale in quick paper; do
        [ "$suite-$scale" = musicnet-paper ] && continue # hours of librosa; run it by hand
        echo "== bench $suite --scale $scale"
        timeout 240 python3 -c 'from specconv.cli import main; main()' bench "$suite" --scale "$scale" --device cuda \
            --against torchaudio --against nnaudio \
            --json "$out/$suite-$scale.json" --plot "$out/$suite-$scale.png" || status=1
    done
done
exit $status
