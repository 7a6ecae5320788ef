"""Read a whole fleet's hardware at once over SSH, without Python on the nodes, and judge it.

A script is sent to each node once (`script`); what it prints is taken apart (`stream`) and shown to
the probes of ``hardware_info`` as if it were the node itself (`captured`). pyinfra holds the
connections (`nodes`); the inventory is Ansible's (`inventory`).
"""
