# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients are promised when something of the network has failed.

A and B are the nodes, homes of services ALPHA and BETA. Client `a' and node A
are on one half of each switch, client `b' and node B on the other. Two client
networks, lan0 and lan1; all faults of networks are on lan0, so that the nodes
always reach each other by lan1.

By DESIGN section 9: a connection survives as long as there is a path from the
client to the node that holds the service: directly, or through the port of the
other node on the client's network and from there over the interconnect, or over
the other client network if that fails. Hence:

    a port, the switch, the interconnect alone, or a pair of these
        every connection goes on, but of clients whose part of lan0 has no
        living port of any node: both ports are dead; or the switch is split
        and the node on the client's half has lost its port (or its power).
        Nothing can help these (`stalls'): their TCP waits, nobody resets it,
        and it goes on when there is a port again.
    a node
        the connections to its service are lost with it (`broken'); the other
        node takes the service over, and the clients connect again. Connections
        to the other service go on. The dead node's port helps nobody any more.
    both nodes
        everything is broken, and stalls until one is back.

Each cell: a list of "WORDS verdict"; what has all WORDS of a stream (service,
network, client) gets that verdict, too.
"""

TABLE = {
    ('A-port',): [],
    ('B-port',): [],
    ('split',): [],
    ('ic',): [],
    ('A-node',): ['ALPHA broken'],
    ('B-node',): ['BETA broken'],

    ('A-port', 'B-port'): ['lan0 stalls'],
    # A has no port, so client a's half of lan0 has none.
    ('A-port', 'split'): ['lan0 a stalls'],
    ('B-port', 'split'): ['lan0 b stalls'],
    # Passed through over lan1.
    ('A-port', 'ic'): [],
    ('B-port', 'ic'): [],
    ('ic', 'split'): [],

    ('A-node', 'A-port'): ['ALPHA broken'],
    ('B-node', 'B-port'): ['BETA broken'],
    # Who is left has no port on lan0.
    ('A-port', 'B-node'): ['BETA broken', 'lan0 stalls'],
    ('A-node', 'B-port'): ['ALPHA broken', 'lan0 stalls'],
    # Who is left is on one half only.
    ('A-node', 'split'): ['ALPHA broken', 'lan0 a stalls'],
    ('B-node', 'split'): ['BETA broken', 'lan0 b stalls'],
    ('A-node', 'ic'): ['ALPHA broken'],
    ('B-node', 'ic'): ['BETA broken'],
    ('A-node', 'B-node'): ['broken', 'stalls'],
}

FAULTS = ('A-port', 'B-port', 'split', 'ic', 'A-node', 'B-node')

# The longest pause of a client in seconds: when a fault happens, and when it is
# mended. A port that loses its carrier is seen at once by its own node. A switch
# that splits is seen by missing beacons (0.3 s), and so is a port by the other
# node if it was the last path between the two but lan1; TCP sends again 0.2 s
# after the cut, in vain, and then 0.4 s later: 0.6 s. Of a dead node, ctdb's
# recovery is the pause of everybody. These bounds are for a busy machine;
# tests/bench/port-loss has the promise (p99 0.5 s).
PAUSE = {
    'A-port': (1.0, 0.7),
    'B-port': (1.0, 0.7),
    'split': (1.2, 0.7),
    'ic': (0.7, 0.7),
    'A-node': (4.0, 4.0),
    'B-node': (4.0, 4.0),
}


def expected(faults, words):
    """{'broken', 'stalls'}, either, or neither: for a stream with these words
    (a set like {'ALPHA', 'lan0', 'a'}) while the faults last."""
    if not faults:
        return set()
    verdicts = set()
    for line in TABLE[tuple(sorted(faults))]:
        *wanted, verdict = line.split()
        if set(wanted) <= set(words):
            verdicts.add(verdict)
    return verdicts


def cells():
    """Every single fault and every ordered pair."""
    for first in FAULTS:
        yield (first,)
    for first in FAULTS:
        for second in FAULTS:
            if first != second:
                yield (first, second)


# A table with a hole would be a test that is left out.
for _cell in cells():
    expected(_cell, set())
