"""The stages. Each is a module with ``run(context) -> dict``: plain data for the document.

A stage raises `gpulab_bench.context.Skip` where it does not apply, and any other exception where it
fails. It ends early, with what it has, when ``context.stop`` gives a reason.
"""
