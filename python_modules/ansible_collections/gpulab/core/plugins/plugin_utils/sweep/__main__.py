"""``python -m ansible_collections.gpulab.core.plugins.plugin_utils.sweep``: see `run`."""

from gevent import monkey

# Before anything that opens sockets is imported: pyinfra runs its connections side by side in one
# thread.
monkey.patch_all()

import sys  # noqa: E402  see above

from .run import main  # noqa: E402  see above

sys.exit(main())
