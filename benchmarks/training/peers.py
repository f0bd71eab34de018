"""The same architectures as a PyTorch user writes them: channels first, torch.nn layers."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class CNN1D(nn.Module):
    def __init__(self, inputs: int = 3, outputs: int = 4, widths=(16, 32), windows=(24, 8), strides=(4, 2)) -> None:
        super().__init__()
        plan = zip(pairwise((inputs, *widths)), windows, strides, strict=True)
        self.convolutions = nn.ModuleList([nn.Conv1d(a, b, w, s) for (a, b), w, s in plan])
        self.hidden = nn.Linear(4 * widths[-1], 128)
        self.out = nn.Linear(128, outputs)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = functional.gelu(convolution(x), approximate="tanh")
        half = x.shape[-1] // 2
        x = torch.cat([x.mean(-1), x.amax(-1), x[..., :half].mean(-1), x[..., half:].mean(-1)], -1)
        return self.out(functional.gelu(self.hidden(x), approximate="tanh"))


class CNN2D(nn.Module):
    def __init__(self, inputs: int = 1, outputs: int = 4, widths=(32, 64, 128)) -> None:
        super().__init__()
        pairs = pairwise((inputs, *widths))
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 3, padding=1) for a, b in pairs])
        self.hidden = nn.Linear(2 * widths[-1], 128)
        self.out = nn.Linear(128, outputs)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = functional.max_pool2d(functional.gelu(convolution(x), approximate="tanh"), 2)
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], -1)
        return self.out(functional.gelu(self.hidden(x), approximate="tanh"))


class Autoencoder(nn.Module):
    def __init__(self, inputs: int, code: int) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(inputs, code), nn.Linear(code, inputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class LSTM(nn.Module):
    def __init__(self, inputs: int = 5, outputs: int = 1, hidden: int = 64) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class GRU(LSTM):
    def __init__(self, inputs: int = 5, outputs: int = 1, hidden: int = 64) -> None:
        super().__init__(inputs, outputs, hidden)
        self.recurrent = nn.GRU(inputs, hidden, batch_first=True)


class Level(nn.Module):
    def __init__(self, inputs: int, outputs: int, window: int, stride: int) -> None:
        super().__init__()
        self.window, self.stride = window, stride
        self.convolution = nn.Conv1d(inputs, outputs, window, stride)
        self.norm = nn.GroupNorm(4, outputs, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        wanted = -(-x.shape[-1] // self.stride)
        total = max((wanted - 1) * self.stride + self.window - x.shape[-1], 0)
        return functional.relu(self.norm(self.convolution(functional.pad(x, (total // 2, total - total // 2)))))


class Refinement(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.convolution = nn.Conv1d(inputs, outputs * stride, 2)
        self.norm = nn.GroupNorm(4, outputs, eps=1e-6)

    def forward(self, x: Tensor, samples: int) -> Tensor:
        x = self.convolution(functional.pad(x, (0, 1)))
        x = x.unflatten(1, (self.stride, -1)).permute(0, 2, 3, 1).flatten(2)[..., :samples]
        return functional.relu(self.norm(x))


class UNet1D(nn.Module):
    def __init__(self, inputs: int = 3, outputs: int = 3, width: int = 8, depth: int = 4) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        self.enter = Level(inputs, width, 7, 1)
        self.same = nn.ModuleList([Level(w, w, 7, 1) for w in widths])
        self.down = nn.ModuleList([Level(a, b, 7, 4) for a, b in pairwise(widths)])
        self.up = nn.ModuleList([Refinement(b, a, 4) for a, b in pairwise(widths)])
        self.merge = nn.ModuleList([Level(2 * w, w, 7, 1) for w in widths[:-1]])
        self.leave = nn.Conv1d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.same[0](self.enter(x))
        levels = []
        for down, same in zip(self.down, self.same[1:], strict=True):
            levels.append(x)
            x = same(down(x))
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            before = levels.pop()
            x = merge(torch.cat([before, up(x, before.shape[-1])], 1))
        return self.leave(x)


class Generator(nn.Module):
    def __init__(self, widths: list[int], latent: int) -> None:
        super().__init__()
        self.enter = nn.Linear(latent, 16 * widths[0])
        self.norms = nn.ModuleList([nn.GroupNorm(_groups(a), a, eps=1e-6) for a in widths[:-1]])
        pairs = pairwise(widths)
        self.convolutions = nn.ModuleList([nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairs])

    def forward(self, latent: Tensor) -> Tensor:
        x = self.enter(latent).unflatten(1, (-1, 4, 4))
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = convolution(functional.relu(norm(x)))
        return torch.tanh(x)


class Critic(nn.Module):
    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths)])
        self.norms = nn.ModuleList([nn.GroupNorm(_groups(b), b, eps=1e-6) for b in widths[2:]])
        self.leave = nn.Linear(16 * widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        for number, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if number:
                x = self.norms[number - 1](x)
            x = functional.leaky_relu(x, 0.2)
        return self.leave(x.flatten(1))[:, 0]


class Round(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.ends, self.change = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heard = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, sender: Tensor, receiver: Tensor, degree: Tensor) -> Tensor:
        sent, received, own = self.ends(self.norm(x)).chunk(3, -1)
        message = functional.silu(sent[sender] + received[receiver])
        heard = torch.zeros_like(own).index_add_(0, receiver, message) / degree[:, None]
        return x + self.change(functional.silu(own + self.heard(heard)))


class GraphNetwork(nn.Module):
    """Graphs of a batch as one graph without edges between them, as PyTorch Geometric lays them out."""

    def __init__(self, inputs: int = 8, outputs: int = 4, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.rounds = nn.ModuleList([Round(width) for _ in range(layers)])
        self.norm, self.leave = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, outputs)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        graphs, count = nodes.shape[:2]
        offset = torch.arange(graphs)[:, None] * count
        sender, receiver = ((edges[..., i] + offset).flatten() for i in (0, 1))
        degree = torch.bincount(receiver, minlength=graphs * count).clamp(min=1)
        x = self.enter(nodes.flatten(0, 1))
        for each in self.rounds:
            x = each(x, sender, receiver, degree)
        return self.leave(self.norm(x)).unflatten(0, (graphs, count))


def _groups(channels: int) -> int:
    return next(groups for groups in (4, 2, 1) if channels % groups == 0)
