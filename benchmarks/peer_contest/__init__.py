"""The library beside PyTorch, ONNX Runtime and OpenVINO, a process each; see ``peers.py``."""
