"""Print a PyTorch model's weights, tokens, logits and task loss as JSON, for test_tensorflow.py."""

from __future__ import annotations

import json
import sys

import torch

from gpulab_bench.config import PRESETS, ModelConfig
from gpulab_bench.data import draw_items
from gpulab_bench.losses import answer_loss
from gpulab_bench.model import Decoder

torch.manual_seed(7)
config = ModelConfig(**json.loads(sys.argv[1]))
model = Decoder(config)
with torch.no_grad():
    for parameter in model.parameters():
        parameter.normal_(std=0.2)  # far from the initial values: gains of 1 would prove little
items = draw_items(PRESETS["xs"].task, "train", torch.Generator().manual_seed(7))[:3]
logits = model(items[:, :-1])
document = {
    "weights": {name: value.tolist() for name, value in model.named_parameters()},
    "items": items.tolist(),
    "logits": logits.tolist(),
    "loss": float(answer_loss(logits, items)),
}
sys.stdout.write(json.dumps(document))
