"""``python -m ansible_collections.gpulab.core.plugins.plugin_utils.sweep``: see `nodes.main`."""

from gevent import monkey

# Before anything that opens sockets is imported: pyinfra runs its connections side by side in one
# thread.
monkey.patch_all()

from .nodes import main  # noqa: E402  see above

main()
