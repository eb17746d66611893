#!/bin/bash
# On the other machine: bash there.sh CHECKOUT FIRST. Unpacks what `pack.py` wrote and trains in the background; see README.md.
set -e
W=/root/w
if [ "$1" != flow ]; then
  mkdir -p $W/{log,models,site,runs} $W/code
  cp -r "$1"/ldznet_ext "$1"/tools $W/code/
  tar xJf "$2"/packages.tar.xz -C $W/site
  cp -r "$2"/sticker-sd $W/models/
  cp "$2"/art.npz $W/
  mount -o remount,size=60G /dev/shm || true  # painted batches pass through it
  cd $W
  PYTHONPATH=$W/site:$W/code:$W/code/tools/away python3 -c "
from pathlib import Path
from pack import grow_text_encoder
grow_text_encoder(Path('$2/text.safetensors'), Path('models/sticker-sd'), None)"
  setsid nohup bash $W/code/tools/away/there.sh flow > log/flow.out 2>&1 < /dev/null &
  exit
fi

cd $W
export PYTHONPATH=$W/site:$W/code:$W/code/tools/away LDZNET_ART=$W/art.npz LDZNET_MODELS=$W/models PYTHONUNBUFFERED=1
say() { echo "$(date +%T) $*" >> log/flow.txt; }
train() { python3 code/tools/away/train.py "$@"; }
minutes() { cat "minutes.$1" 2>/dev/null || echo "$2"; }
pack() { python3 -c "import sys; from pathlib import Path; from pack import cut; cut(Path(sys.argv[1]), Path(sys.argv[2]))" "$@"; }
set +e
(python3 code/tools/away/smoke.py > log/smoke.txt 2>&1; say "smoke $?") &
train autoencoder --recipe autoencoder_gpu > log/autoencoder.txt 2>&1; say "autoencoder $?"
until [ -f unet.ready ]; do sleep 1; done
(train classifier --workers 3 > log/classifier.txt 2>&1; say "classifier $?") &
train diffusion --recipe diffusion_gpu --minutes "$(minutes diffusion 9.3)" > log/diffusion.txt 2>&1; say "diffusion $?"
SD=runs/diffusion_gpu/sticker-sd
mkdir -p out_sd out_head
pack $SD/unet/diffusion_pytorch_model.safetensors out_sd
python3 -c "
from pathlib import Path
from pack import shrink_text_encoder
shrink_text_encoder(Path('$SD'), Path('out_sd/text.safetensors'))"
tar cJf out_sd/rest.tar.xz -C $SD vae scheduler tokens_seen.json model_index.json unet/config.json text_encoder/config.json
until [ -f head.ready ]; do sleep 1; done
train head --recipe head_gpu --minutes "$(minutes head 8.8)" > log/head.txt 2>&1; say "head $?"
pack runs/head_gpu/ldznet-sticker.safetensors out_head
pack runs/classifier/classifier.safetensors out_head
tar cJf out_head/rest.tar.xz log runs/*/samples runs/*/log.jsonl
say end
