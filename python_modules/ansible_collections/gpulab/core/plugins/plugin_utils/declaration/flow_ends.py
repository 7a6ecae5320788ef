"""Names that mean something by themselves where a flow starts or ends."""

from __future__ import annotations

#: An end of a flow that no zone, group or node may be named: every address in no zone.
OUTSIDE = "outside"
#: An end of a flow: the routers of all zones (``gateway`` and ``gateway6``).
GATEWAYS = "gateways"
#: The group of all nodes of the inventory.
ALL = "all"
RESERVED_ENDS = (OUTSIDE, GATEWAYS)
#: What a zone with ``outside: false`` does not reach, whatever a flow says: a router that answers
#: names, say, passes on what is asked, and so anything can leave by it. A single router can be
#: reached by its zone's or its node's name.
WAYS_OUT = (OUTSIDE, GATEWAYS)
