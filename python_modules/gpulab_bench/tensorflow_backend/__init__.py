"""The benchmark's model and task in TensorFlow: same shapes, same rules, same document sections.

Runs by itself, under the Python that has TensorFlow: ``gpulab_bench.pyz tensorflow``. It has no
fused attention (TensorFlow has none): its speed is TensorFlow's, and not what the card can do.
"""
