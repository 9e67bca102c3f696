# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of an address that moves: who ends their connections, and when."""

import re

from lab import Session
from test_26_moves import arrives, as_fast_as_ever, move, slow

CONF = {'fs': 'ext4', 'networks': '2', 'arpd': 'yes'}
SECOND = '10.79.0.200'


def connections(lab):
    """Of the client to ALPHA's second address, by its port."""
    return set(re.findall(r':(\d+) +%s:445' % SECOND,
                          lab.on('client', 'ss', '-Htn', 'state',
                                 'established', 'dport', '445')))


def a_move_ends_a_session(lab, target):
    """Of a client that waits for an answer, so that it sends nothing again. Of
    the first address ctdb tells clients, too, if it knows them.
    """
    owner = lab.owner('ALPHA')
    session = Session(lab, address=SECOND)
    session.send('mkdir told')
    lab.wait('the session works', lambda: 'told' in lab.on(
        owner, 'ls', '/srv/alpha/share'))
    before = connections(lab)
    serves = re.search(r':%s .*pid=(\d+)' % '|'.join(before), lab.on(
        owner, 'ss', '-Htnp', 'state', 'established', 'sport', '445'))
    lab.on(owner, 'kill', '-STOP', serves.group(1))
    session.send('rmdir told')
    lab.wait('it waits', lambda: re.search(
        r'^[1-9]\d* ', lab.on(owner, 'ss', '-Htn', 'state', 'established',
                              'sport', '445'), re.M))
    move(lab, target)
    arrives(lab, target)
    lab.wait('it is ended', lambda: not before & connections(lab), 5)
    session.close()
    lab.smbclient('rmdir told', check=False)


def test_clients_are_told_of_a_move(lab):
    """The old owner ends no connection: its clients would come back to it while
    the address is still there. The new one does, as it was told of them, also
    if they had to wait for it.
    """
    a_move_ends_a_session(lab, '1')
    assert 'N055' in lab.on('n1', 'mirrorctl', 'log')
    try:
        slow(lab, 'n0', 'mount', 7)
        a_move_ends_a_session(lab, '0')
    finally:
        as_fast_as_ever(lab)
