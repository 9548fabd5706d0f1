"""The convolutions of the contest, as data: layers of named networks, each of one image and of a
batch, then the other dimensions, dtypes and shapes, and random ones.
"""

from __future__ import annotations

import random
from dataclasses import replace
from math import gcd, prod

from layers import ConvLayer

from .problems import ConvProblem, conv

LAYERS = (
    ("first layer", ConvLayer("lenet.c1", 32, 1, 28, 28, 6, 5, padding=2)),
    ("batched", ConvLayer("lenet.c3", 32, 6, 14, 14, 16, 5)),
    ("first layer", ConvLayer("alexnet.conv1", 1, 3, 227, 227, 96, 11, stride=4)),
    ("grouped", ConvLayer("alexnet.conv2", 1, 96, 27, 27, 256, 5, padding=2, groups=2)),
    ("small image", ConvLayer("alexnet.conv3", 1, 256, 13, 13, 384, 3, padding=1)),
    ("first layer", ConvLayer("vgg16.conv1_1", 1, 3, 224, 224, 64, 3, padding=1)),
    ("dense", ConvLayer("vgg16.conv1_2", 1, 64, 224, 224, 64, 3, padding=1)),
    ("dense", ConvLayer("vgg16.conv3_2", 1, 256, 56, 56, 256, 3, padding=1)),
    ("small image", ConvLayer("vgg16.conv5_1", 1, 512, 14, 14, 512, 3, padding=1)),
    ("dense", ConvLayer("googlenet.3a_3x3", 1, 96, 28, 28, 128, 3, padding=1)),
    ("dense", ConvLayer("googlenet.3a_5x5", 1, 16, 28, 28, 32, 5, padding=2)),
    ("1x1", ConvLayer("googlenet.4a_1x1", 1, 480, 14, 14, 192, 1)),
    ("1x1", ConvLayer("nin.cccp1", 1, 96, 54, 54, 96, 1)),
    ("first layer", ConvLayer("resnet50.conv1", 1, 3, 224, 224, 64, 7, stride=2, padding=3)),
    ("1x1", ConvLayer("resnet50.2_1x1a", 1, 64, 56, 56, 64, 1)),
    ("dense", ConvLayer("resnet50.2_3x3", 1, 64, 56, 56, 64, 3, padding=1)),
    ("1x1", ConvLayer("resnet50.2_1x1b", 1, 64, 56, 56, 256, 1)),
    ("strided", ConvLayer("resnet50.3_3x3s2", 1, 128, 56, 56, 128, 3, stride=2, padding=1)),
    ("dense", ConvLayer("resnet50.3_3x3", 1, 128, 28, 28, 128, 3, padding=1)),
    ("strided", ConvLayer("resnet50.4_1x1s2", 1, 512, 28, 28, 1024, 1, stride=2)),
    ("small image", ConvLayer("resnet50.4_3x3", 1, 256, 14, 14, 256, 3, padding=1)),
    ("small image", ConvLayer("resnet50.5_3x3", 1, 512, 7, 7, 512, 3, padding=1)),
    ("1x1", ConvLayer("resnet50.5_1x1", 1, 2048, 7, 7, 512, 1)),
    ("batched", ConvLayer("resnet50.3_3x3.b16", 16, 128, 28, 28, 128, 3, padding=1)),
    ("depthwise", ConvLayer("mobilenetv2.dw1", 1, 96, 112, 112, 96, 3, 2, 1, groups=96)),
    ("depthwise", ConvLayer("mobilenetv2.dw2", 1, 144, 56, 56, 144, 3, 1, 1, groups=144)),
    ("depthwise", ConvLayer("mobilenetv2.dw5", 1, 576, 14, 14, 576, 3, 1, 1, groups=576)),
    ("1x1", ConvLayer("mobilenetv2.pw", 1, 96, 14, 14, 576, 1)),
    ("grouped", ConvLayer("resnext50.g32", 1, 128, 56, 56, 128, 3, padding=1, groups=32)),
    ("dilated", ConvLayer("deeplab.d2", 1, 256, 33, 33, 256, 3, padding=2, dilation=2)),
    ("dense", ConvLayer("unet.enc1", 1, 64, 256, 256, 64, 3, padding=1)),
    ("depthwise", ConvLayer("convnext.dw7", 1, 96, 56, 56, 96, 7, padding=3, groups=96)),
)

FLOAT64 = ("alexnet.conv3", "resnet50.2_3x3", "resnet50.2_1x1b", "mobilenetv2.dw2")
MOST_FLOP, MOST_BYTES = 60e9, 256e6  # of a batch; above, it is of 16 and not of 32

# Several dimensions, named by what they are from. wav2vec2 and Whisper hear, R(2+1)D and X3D see.
OTHERS = (
    conv("audio.k9", "1-D", (1, 64, 16000), 64, 9, padding=4),
    conv("wavenet.d64", "1-D", (1, 64, 16000), 128, 2, dilation=64),
    conv("wav2vec2.conv0", "1-D", (1, 1, 16000), 512, 10, stride=5),
    conv("wav2vec2.conv1", "1-D", (1, 512, 3199), 512, 3, stride=2),
    conv("whisper.conv2", "1-D", (1, 384, 3000), 384, 3, stride=2, padding=1),
    conv("conformer.dw31", "1-D", (1, 256, 1000), 256, 31, padding=15, groups=256),
    conv("conformer.pw.b8", "1-D", (8, 256, 500), 512, 1),
    conv("c3d.conv1", "3-D", (1, 3, 16, 112, 112), 64, 3, padding=1),
    conv("video.32", "3-D", (1, 32, 16, 28, 28), 32, 3, padding=1),
    conv("r3d18.3_3x3s2", "3-D", (1, 64, 16, 56, 56), 128, 3, stride=2, padding=1),
    conv("r2plus1d.1x3x3", "3-D", (1, 64, 8, 56, 56), 144, (1, 3, 3), padding=(0, 1, 1)),
    conv("r2plus1d.3x1x1", "3-D", (1, 144, 8, 56, 56), 64, (3, 1, 1), padding=(1, 0, 0)),
    conv("i3d.1x1x1", "3-D", (1, 192, 8, 28, 28), 64, 1),
    conv("x3d.dw", "3-D", (1, 108, 16, 28, 28), 108, 3, padding=1, groups=108),
    conv("unet3d.enc2", "3-D", (1, 16, 32, 32, 32), 32, 3, padding=1),
    conv("dcgan.2.b16", "transposed", (16, 512, 8, 8), 256, 4, stride=2, padding=1,
         transposed=True),
    conv("dcgan.out", "transposed", (1, 64, 32, 32), 3, 4, stride=2, padding=1, transposed=True),
    conv("unet.up1", "transposed", (1, 128, 64, 64), 64, 2, stride=2, transposed=True),
    conv("unet.up4", "transposed", (1, 1024, 16, 16), 512, 2, stride=2, transposed=True),
    conv("cyclegan.up", "transposed", (1, 128, 64, 64), 64, 3, stride=2, padding=1,
         output_padding=1, transposed=True),
    conv("hifigan.up", "transposed", (1, 512, 100), 256, 16, stride=8, padding=4,
         transposed=True),
    conv("unet3d.up", "transposed", (1, 64, 16, 16, 16), 32, 2, stride=2, transposed=True),
    conv("37>53", "awkward", (1, 37, 31, 29), 53, 3, padding=1),
    conv("37>53 5x3", "awkward", (1, 37, 31, 29), 53, (5, 3), padding=(2, 1)),
    conv("37>53 s3", "awkward", (1, 37, 61, 59), 53, 3, stride=3),
    conv("13>17", "awkward", (1, 13, 9, 147), 17, 3),
    conv("17>13 1x1", "awkward", (1, 17, 41, 43), 13, 1),
    conv("7>11 7x7", "awkward", (1, 7, 61, 59), 11, 7, padding=3),
    conv("64>1", "awkward", (1, 64, 55, 57), 1, 3, padding=1),
    conv("33>39 g3 d3", "awkward", (1, 33, 47, 45), 39, 3, padding=3, dilation=3, groups=3),
    conv("65>65 2x2 b3", "awkward", (3, 65, 17, 19), 65, 2),
)  # fmt: skip


def conv_cases() -> list[ConvProblem]:
    layers = [_problem(category, layer) for category, layer in LAYERS]
    doubles = [
        replace(problem, name=f"{problem.name}.f64", category="float64", dtype="float64")
        for problem in layers
        if problem.name in FLOAT64
    ]
    batched = {problem.name.rpartition(".b")[0] for problem in layers if problem.batch > 1}
    batches = [_batch(p) for p in layers if p.batch == 1 and p.name not in batched]
    return [*layers, *batches, *OTHERS, *doubles, *random_cases()]


def _problem(category: str, layer: ConvLayer) -> ConvProblem:
    return conv(
        *(layer.name, category, layer.input_shape, layer.out_channels, layer.kernel),
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def _batch(problem: ConvProblem) -> ConvProblem:
    batch = replace(problem, category="batched", batch=32)
    large = batch.flop > MOST_FLOP or batch.traffic > MOST_BYTES
    size = 16 if large else 32
    return replace(batch, name=f"{problem.name}.b{size}", batch=size)


def random_cases(count: int = 50, seed: int = 1) -> list[ConvProblem]:
    """Of 1 to 500 MFLOP; one in five is depthwise, one in five has some groups."""
    draw = random.Random(seed)
    cases: list[ConvProblem] = []
    while len(cases) < count:
        channels, out_channels = (round(2 ** draw.uniform(0, 9)) for _ in range(2))
        size = tuple(round(2 ** draw.uniform(2.5, 7.5)) for _ in range(2))
        kernel, stride = draw.choice((1, 3, 3, 5, 7)), draw.choice((1, 1, 2))
        dilation = draw.choice((1, 1, 1, 2)) if kernel > 1 else 1
        padding = draw.choice((dilation * (kernel // 2), kernel // 2, 0))
        groups, kind = 1, draw.randrange(5)
        if kind == 0:
            groups = out_channels = channels
        elif kind == 1:
            groups = 2 ** draw.randint(1, 5)
            channels, out_channels = (groups * -(-n // groups) for n in (channels, out_channels))
            groups = gcd(channels, out_channels, groups)
        if min(size) + 2 * padding < dilation * (kernel - 1) + 1:
            continue
        case = conv(
            *("", "random", (1, channels, *size), out_channels, kernel),
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        if 1e6 <= case.flop <= 500e6 and prod(case.output_shape) > 0:
            cases.append(replace(case, name=f"random.{len(cases):02d} {case}"))
    return cases


def gradients(cases: list[ConvProblem]) -> list[ConvProblem]:
    """Two of each: of the input and of the weight."""
    return [
        replace(case, gradient=part, name=f"{case.name} {part}", category=f"{case.category} {part}")
        for case in cases
        for part in ("input", "weight")
    ]
