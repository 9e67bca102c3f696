# SPDX-License-Identifier: GPL-3.0-or-later
"""Three nodes in a ring: the partner of a node is the next one that is there."""

from test_20_failures import finish, go_on, loads

CONF = {'fs': 'ext4', 'nodes': 3}

# Milliseconds without a partner, between the loss of one and the next: write
# through, begin a new store. Taken from the owner's log: how long this machine
# takes to ask the nodes, when it has other things to do, is another matter.
DEGRADED = 5000


def partner(lab, volume):
    """Node that has the records of the volume, None if there is none."""
    owner = lab.owner({'alpha': 'ALPHA', 'beta': 'BETA'}[volume])
    state = lab.status(owner)[volume]
    return 'n%d' % state['partner'] if state['mode'] == 'mirrored' else None


def degraded_ms(lab, node, volume):
    """How long each change of the partner left the volume without one: the
    times between M020 degraded and M021 mirroring in the node's log."""
    gaps, since = [], None
    for line in lab.on(node, 'mirrorctl', 'log').splitlines():
        if 'volume %s:' % volume not in line:
            continue
        hours, minutes, seconds = line.split()[1].split(':')
        now = (int(hours) * 60 + int(minutes)) * 60000 + float(seconds) * 1000
        if 'M020 degraded' in line:
            since = now
        elif 'M021 mirroring' in line and since is not None:
            gaps.append((now - since) % 86400000)
            since = None
    assert since is None, 'node %s is still without a partner' % node
    return gaps


def test_next_one_is_the_partner(lab):
    """In the order of their numbers, the last one's is the first.
    """
    assert partner(lab, 'alpha') == 'n1'
    assert partner(lab, 'beta') == 'n2'
    lab.on('n0', 'ctdb', 'moveip', '10.77.0.201', '2')
    lab.wait('BETA on n2', lambda: lab.owner('BETA') == 'n2')
    lab.wait('n0 has its records', lambda: partner(lab, 'beta') == 'n0')
    lab.pair('home')


def test_partner_leaves_and_owner_after_it(lab):
    """The partner of one and owner of the other service dies, and when there
    is another partner the owner does: the last one has all of it.

    R11.
    """
    running = loads(lab, 'ring')
    go_on(lab, running)
    lab.tb('crash', 'n1')
    lab.wait('n2 has the records of alpha',
             lambda: partner(lab, 'alpha') == 'n2')
    gaps = degraded_ms(lab, 'n0', 'alpha')
    assert gaps and max(gaps) < DEGRADED, gaps
    lab.wait('BETA has an owner', lambda: lab.owner('BETA'))
    lab.wait_mirrored()
    go_on(lab, running)
    lab.tb('crash', 'n0')
    lab.wait('n2 has both', lambda: lab.owner('ALPHA') == 'n2' and
             lab.owner('BETA') == 'n2')
    go_on(lab, running)
    finish(running)


def test_who_takes_over_has_not_the_records(lab):
    """The owner dies, and ctdb gives the service to a node which is not the
    partner: it fetches the records.

    Seen to fail with a takeover that replays only what this node has.
    """
    running = loads(lab, 'fetch')
    go_on(lab, running)
    # Whom ctdb gives it to depends on what they have: n1, the partner, is to
    # have more than n2.
    lab.wait('n1 has the records', lambda: partner(lab, 'alpha') == 'n1')
    assert lab.owner('BETA') == 'n1'
    lab.tb('crash', 'n0')
    lab.wait('n2 has ALPHA', lambda: lab.owner('ALPHA') == 'n2')
    go_on(lab, running)
    finish(running)
    said = lab.on('n2', 'mirrorctl', 'log')
    assert 'volume alpha: served after' in said, said
