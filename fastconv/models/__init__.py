"""The networks of the literature, made of the layers in `fastconv.nn`.

Each function makes a network with initial values; where torchvision has the network too, the names
and shapes in its ``state_dict`` are torchvision's, so that weights go from one to the other::

    net.load_state_dict(fc.load("resnet50.safetensors"))
"""

from .alexnet import alexnet
from .googlenet import googlenet
from .lenet import lenet5
from .mobilenet import mobilenet_v2
from .nin import nin
from .resnet import resnet18, resnet34, resnet50
from .squeezenet import squeezenet1_1
from .textbook import keras_cnn, simple_convnet, softmax_regression
from .vgg import vgg11, vgg13, vgg16, vgg19

__all__ = [
    "alexnet",
    "googlenet",
    "keras_cnn",
    "lenet5",
    "mobilenet_v2",
    "nin",
    "resnet18",
    "resnet34",
    "resnet50",
    "simple_convnet",
    "softmax_regression",
    "squeezenet1_1",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
]
