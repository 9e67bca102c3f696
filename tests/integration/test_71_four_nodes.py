# SPDX-License-Identifier: GPL-3.0-or-later
"""Four nodes in a ring, each with a service: who has whose records, and what
becomes of them when nodes leave, one after the other."""

from lab import ADDRESS, FURTHER
from test_20_failures import finish, go_on, loads
from test_70_ring import DEGRADED, degraded_ms

CONF = {'fs': 'ext4', 'nodes': 4, 'services': 4}
ANCHORS = dict(ADDRESS, **FURTHER)
VOLUMES = ('alpha', 'beta', 'gamma', 'delta')

# Between the loss of a partner and the next one: ctdb's verdict, a moment of
# write-through, a new store. The machine may be busy with other things.
SOON = 30


def partner(lab, volume):
    """Node that has the records of the volume, None if there is none."""
    owner = lab.owner(volume.upper())
    state = lab.status(owner)[volume] if owner else {'mode': None}
    return 'n%d' % state['partner'] if state['mode'] == 'mirrored' else None


def wait_partner(lab, volume, node, seconds=SOON):
    lab.wait('%s has the records of %s' % (node, volume),
             lambda: partner(lab, volume) == node, seconds)


def test_services_are_spread_over_the_ring(lab):
    """Every node owns its service and keeps the records of the one before it.

    Seen to fail with owner_find_candidate() that begins with node 0.
    """
    lab.wait_mirrored(VOLUMES)
    for number, volume in enumerate(VOLUMES):
        assert lab.owner(volume.upper()) == 'n%d' % number
        wait_partner(lab, volume, 'n%d' % ((number + 1) % 4))


def test_two_nodes_die_one_after_the_other(lab):
    """The partner dies, then the one that came after it, then the owner: the
    last node has all services and all that was acknowledged.

    R11.
    """
    lab.wait_mirrored(VOLUMES)
    running = loads(lab, 'two')
    go_on(lab, running)
    lab.tb('crash', 'n1')
    wait_partner(lab, 'alpha', 'n2')
    # The others have lost an owner or a partner, too, or have a new one.
    lab.wait_mirrored(VOLUMES, 90)
    go_on(lab, running)
    lab.tb('crash', 'n2')
    wait_partner(lab, 'alpha', 'n3')
    lab.wait_mirrored(VOLUMES, 90)
    go_on(lab, running)
    gaps = degraded_ms(lab, 'n0', 'alpha')
    assert len(gaps) >= 2 and max(gaps) < DEGRADED, gaps
    lab.tb('crash', 'n0')
    lab.wait('n3 has all', lambda: all(lab.owner(s) == 'n3' for s in ANCHORS),
             90)
    go_on(lab, running)
    finish(running)


def test_partner_is_taken_out_and_put_back(lab):
    """ctdb disable: the partner goes on keeping records. ctdb stop, and a
    shutdown: the next one does. No client sees it.
    """
    lab.wait_mirrored(VOLUMES)
    running = loads(lab, 'out')
    go_on(lab, running)
    wait_partner(lab, 'alpha', 'n1')
    lab.on('n0', 'ctdb', 'disable', '-n', '1')
    lab.wait('BETA is elsewhere', lambda: lab.owner('BETA') not in
             (None, 'n1'), 60)
    go_on(lab, running)
    assert partner(lab, 'alpha') == 'n1'
    lab.on('n0', 'ctdb', 'enable', '-n', '1')
    lab.on('n0', 'ctdb', 'stop', '-n', '1')
    wait_partner(lab, 'alpha', 'n2')
    go_on(lab, running)
    lab.on('n0', 'ctdb', 'continue', '-n', '1')
    lab.pair('stop', 'n2')
    lab.wait('alpha has a partner', lambda: partner(lab, 'alpha') in
             ('n1', 'n3'), SOON)
    gaps = degraded_ms(lab, 'n0', 'alpha')
    assert len(gaps) >= 2 and max(gaps) < DEGRADED, gaps
    go_on(lab, running)
    finish(running)


def test_owner_dies_under_all(lab):
    """Whoever ctdb gives a dead node's service to, partner or not, has all of
    it.
    """
    lab.wait_mirrored(VOLUMES)
    running = loads(lab, 'owner')
    go_on(lab, running)
    lab.tb('crash', 'n0')
    owner = lab.wait('ALPHA has an owner', lambda: lab.owner('ALPHA'), 60)
    go_on(lab, running)
    log = lab.on(owner, 'mirrorctl', 'log')
    assert 'volume alpha: served after' in log, log
    assert ('read-back' in log) == (owner != 'n1'), log
    finish(running)


for _test in (test_services_are_spread_over_the_ring,
              test_partner_is_taken_out_and_put_back,
              test_owner_dies_under_all):
    _test.long = True
