# SPDX-License-Identifier: GPL-3.0-or-later
"""Fence agents: levels, failures, and a node that has to be let in again."""

import os

CONF = {'fs': 'ext4', 'fence': 'agents'}


def events(lab, node, code):
    return [line for line in lab.on(node, 'mirrorctl', 'log').split('\n')
            if ' %s ' % code in line]


def asked(lab):
    """What fence_testbed was asked for, oldest first."""
    try:
        with open(os.path.join(lab.folder, 'shared/fence-log')) as log:
            return log.read().split('\n')[:-1]
    except FileNotFoundError:
        return []


def test_second_level_of_fence(lab):
    """The first agent of a node, one of the package, fails; the second works,
    and nothing of its options is in the list of processes.

    Seen to fail with a failed agent that ends it, and with options as
    arguments.
    """
    lab.tb('crash', 'n1')
    lab.wait('n0 has BETA', lambda: lab.owner('BETA') == 'n0')
    assert [e for e in events(lab, 'n0', 'M070') if 'fence_dummy' in e]
    assert events(lab, 'n0', 'M031')
    assert not events(lab, 'n0', 'M032')
    off = [line for line in asked(lab) if line.startswith('n0 off 1: ')]
    assert off and not [line for line in off if 'password' in line], off


def test_fence_fails_and_waits(lab):
    """R11: no agent works: no takeover, loud, and not tried at each of ctdb's
    requests; then one works again.

    Seen to fail with a fence that is tried whenever ctdb asks.
    """
    flag = os.path.join(lab.folder, 'shared/fence-fails')
    before = len(asked(lab))
    with open(flag, 'w'):
        pass
    try:
        lab.tb('crash', 'n1')
        lab.wait('refused', lambda: events(lab, 'n0', 'M036'))
        # ctdb asks once a second or more often; here 1, 2 and 4 s pass.
        lab.wait('tried three times',
                 lambda: len(events(lab, 'n0', 'M032')) >= 3)
        assert lab.owner('BETA') != 'n0'
        tries = [line for line in asked(lab)[before:]
                 if line.startswith('n0 off 1: ')]
        assert len(tries) <= 4, tries
        said = events(lab, 'n0', 'M032')[-1]
        assert 'the fence of the testbed is broken' in said, said
        assert 'not tried again for 4000 ms' in said, said
    finally:
        os.unlink(flag)
    lab.wait('n0 has BETA', lambda: lab.owner('BETA') == 'n0', 40)
    assert lab.on('n0', 'ctdb', 'nodestatus', check=False).find('BANNED') < 0


def test_unfence_at_start(lab):
    """An agent that wants action `on' before a node uses its disks gets it when
    mirrord starts: not while a volume is mounted there.
    """
    for node in '01':
        lab.on('n0', 'net', 'conf', 'setparm', 'global',
               'mirror:fence %s third' % node,
               'fence_testbed plug=%s unfence=1 password=x' % node)

    def restart(node):
        before = len(events(lab, node, 'M050'))
        lab.on(node, 'pkill', '-x', 'mirrord')
        lab.wait('it starts', lambda:
                 len(events(lab, node, 'M050')) > before)

    restart('n0')
    said = lab.wait('it waits', lambda: events(lab, 'n0', 'M072'))
    assert 'has volume alpha mounted' in said[0], said
    assert not [line for line in asked(lab) if line.startswith('n0 on ')]
    lab.on('n0', 'ctdb', 'moveip', '10.77.0.200', '1')
    lab.wait('n0 is let in', lambda: events(lab, 'n0', 'M071'))
    assert [line for line in asked(lab) if line.startswith('n0 on 0: ')]
    lab.pair('home')
    # It may use its disks already: nothing to do.
    before = len(asked(lab))
    waited = len(events(lab, 'n0', 'M072'))
    restart('n0')
    lab.wait('it was asked', lambda: [
        line for line in asked(lab)[before:] if 'n0 monitor 0: ' in line])
    assert len(events(lab, 'n0', 'M072')) == waited
