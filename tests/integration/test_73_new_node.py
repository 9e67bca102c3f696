# SPDX-License-Identifier: GPL-3.0-or-later
"""A third node joins two that run, and leaves again, as the manual says it:
the nodes file, ctdb reloadnodes, ctdbd. No client notices."""

import json

from lab import ADDRESS
from test_20_failures import finish, go_on, loads
from test_62_lock import HELPER, serves_all
from test_70_ring import partner

CONF = {'fs': 'ext4', 'nodes': 3, 'lock': 'mailbox', 'arpd': 'yes'}
NODES = ['10.255.0.1', '10.255.0.2', '10.255.0.3']


def nodes_file(lab, lines, nodes=('n0', 'n1', 'n2')):
    for node in nodes:
        lab.on(node, 'sh', '-c', 'printf "%s\\n" >/etc/ctdb/nodes' %
               '\\n'.join(lines))


def peers(lab, node):
    """Of which nodes mirrord and arpd of a node know, itself left out."""
    status = json.loads(lab.on(node, 'mirrorctl', 'status', '--json'))
    arpd = json.loads(lab.on(node, 'mirror-arpd', 'status', '--json'))
    return ({row['pnn'] for row in status['nodes']} - {int(node[1:])},
            {row['node'] for row in arpd['peers']})


def know(lab, expected):
    return all(peers(lab, 'n%d' % node) ==
               (expected - {node}, expected - {node}) for node in expected)


def reload_nodes(lab):
    lab.wait('ctdb has the nodes', lambda: 'NOT reloaded' not in lab.on(
        'n0', 'ctdb', 'reloadnodes', timeout=60))


def test_a_node_joins(lab):
    """Then the two others die, one after the other: it has all of it, and the
    lock. R10, R13.
    """
    # As if there had never been a third one.
    lab.pair('stop')
    nodes_file(lab, NODES[:2])
    lab.on('n2', 'sh', '-c', 'rm -rf /var/lib/ctdb/persistent/* '
           '/var/lib/ctdb/state/* /var/lib/samba-mirror/*')
    lab.pair('start', 'n0', 'n1')
    lab.pair('wait', 'n0', 'n1')
    lab.on('n0', 'ctdb', 'moveip', ADDRESS['ALPHA'], '0')
    lab.on('n0', 'ctdb', 'moveip', ADDRESS['BETA'], '1')
    lab.wait('at home', lambda: lab.owner('ALPHA') == 'n0' and
             lab.owner('BETA') == 'n1')
    lab.wait_mirrored()
    lab.wait('two nodes', lambda: know(lab, {0, 1}))
    running = loads(lab, 'join')
    go_on(lab, running)

    nodes_file(lab, NODES)
    reload_nodes(lab)
    lab.wait('mirrord and arpd know the third one', lambda: all(
        2 in peers(lab, node)[0] & peers(lab, node)[1]
        for node in ('n0', 'n1')))
    go_on(lab, running)
    lab.pair('start', 'n2')
    lab.pair('wait')
    lab.wait('three nodes', lambda: know(lab, {0, 1, 2}))
    go_on(lab, running)
    assert (lab.owner('ALPHA'), lab.owner('BETA')) == ('n0', 'n1')

    lab.tb('crash', 'n0')
    lab.wait('the third one is the partner of n1',
             lambda: partner(lab, 'beta') == 'n2')
    lab.wait_mirrored()
    go_on(lab, running)
    lab.tb('crash', 'n1')
    lab.wait('n2 has all', lambda: serves_all(lab, 'n2'))
    go_on(lab, running)
    finish(running)
    assert lab.ok('n2', 'pgrep', '-f', HELPER + ' mailbox')


def test_a_node_leaves(lab):
    """It is the partner of n1 until then. And it comes back.
    """
    lab.wait('n2 is the partner of n1', lambda: partner(lab, 'beta') == 'n2')
    running = loads(lab, 'leave')
    go_on(lab, running)
    lab.pair('stop', 'n2')
    lab.wait('n0 is the partner of n1', lambda: partner(lab, 'beta') == 'n0')
    nodes_file(lab, NODES[:2] + ['#' + NODES[2]])
    reload_nodes(lab)
    lab.wait('two nodes', lambda: know(lab, {0, 1}))
    go_on(lab, running)
    nodes_file(lab, NODES)
    reload_nodes(lab)
    lab.pair('start', 'n2')
    lab.pair('wait')
    lab.wait('three nodes', lambda: know(lab, {0, 1, 2}))
    go_on(lab, running)
    finish(running)
    assert (lab.owner('ALPHA'), lab.owner('BETA')) == ('n0', 'n1')
