"""From published weights to an ONNX model with its card."""
