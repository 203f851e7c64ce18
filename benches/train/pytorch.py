"""Measures PyTorch's training step on a CPU, in float32: forward, cross-entropy, backward, optimizer; no dropout.

Prints one line of JSON: the tokens per second of each step and their median.

Written with torch 2.15.0. Run: python pytorch.py --threads 1 --shape pear
"""

import argparse
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

WARM_UP = 2
SHAPES = {
    "pear": dict(layers=8, width=320, heads=5, context=256, batch=8, tokens=65),
    "small": dict(layers=4, width=128, heads=4, context=64, batch=12, tokens=65),
}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attn_norm, self.ffn_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        parts = self.qkv(self.attn_norm(x)).split(width, dim=2)
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in parts)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(attended.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(F.gelu(self.up(self.ffn_norm(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, layers, width, heads, context, tokens):
        super().__init__()
        self.token, self.position = nn.Embedding(tokens, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for embedding in self.token, self.position:
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, ids, targets):
        x = self.token(ids) + self.position.weight[:ids.shape[1]]
        logits = F.linear(self.norm(self.blocks(x)), self.token.weight)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


class Muon(torch.optim.Optimizer):
    """Like `torch.optim.Muon`, which goes through bfloat16, but in float32."""

    def __init__(self, parameters, lr=0.02, momentum=0.95, weight_decay=0.1):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                momentum = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                momentum.lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonalise(weight.grad.lerp(momentum, group["momentum"]))
                rows, columns = weight.shape
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


def orthogonalise(x):
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = x.shape[0] > x.shape[1]
    x = x.t() if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        product = x @ x.t()
        x = torch.addmm(x, torch.addmm(product, product, product, beta=b, alpha=c), x, beta=a)
    return x.t() if tall else x


def optimizers(model, name):
    if name == "adamw":
        return [torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1)]
    matrices, others = [], []
    for name, weight in model.named_parameters():
        (matrices if name.startswith("blocks.") and weight.dim() == 2 else others).append(weight)
    return [Muon(matrices), torch.optim.AdamW(others, lr=3e-3, betas=(0.9, 0.99), weight_decay=0.0)]


def seconds_of_step(model, steppers, ids, targets):
    start = time.perf_counter()
    model.zero_grad()
    model(ids, targets).backward()
    for stepper in steppers:
        stepper.step()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--optimizer", choices=["adamw", "muon"], default="adamw")
    parser.add_argument("--steps", type=int, default=5)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    shape = dict(SHAPES[arguments.shape])
    batch, context, tokens = shape.pop("batch"), shape["context"], shape["tokens"]
    model = Gpt(**shape)
    steppers = optimizers(model, arguments.optimizer)
    runs = []
    for step in range(WARM_UP + arguments.steps):
        windows = torch.randint(0, tokens, (batch, context + 1))
        seconds = seconds_of_step(model, steppers, windows[:, :-1], windows[:, 1:])
        if step >= WARM_UP:
            runs.append(round(batch * context / seconds, 1))
    print(json.dumps({
        "threads": arguments.threads, "shape": arguments.shape, "optimizer": arguments.optimizer,
        "torch": torch.__version__, "tokens_per_second": statistics.median(runs), "runs": runs,
    }))


if __name__ == "__main__":
    main()
