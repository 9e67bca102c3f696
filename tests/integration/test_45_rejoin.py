# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that hung comes back to ctdb with the databases that it slept with."""

import os

from lab import ADDRESS, Session
from test_20_failures import locking_key

# Cut off its disks only, so that it wakes up.
CONF = {'fs': 'ext4', 'fence': 'disks',
        'options': 'mirror:partner timeout = 1000'}


def is_held(lab, name):
    """Does smbd on n0 know a handle of this file?"""
    return name in lab.on('n0', 'smbstatus', '-L')


def test_woken_databases_are_not_used(lab):
    """A handle that was closed while a node hung stays closed when it is back.

    R12. Seen to fail with is_stale() that is never true.
    """
    # It has ctdb's lock, which would stay with a node that stands still.
    if lab.on('n0', 'ctdb', 'leader').strip() != '0':
        lab.pair('stop', 'n1')
        lab.pair('start', 'n1')
        lab.pair('home')
    path = os.path.join(lab.folder, 'shared/empty')
    with open(path, 'w'):
        pass
    lab.smbclient('put %s held' % path)
    session = Session(lab)
    session.send('open held')
    key = lab.wait('the handle is known',
                   lambda: locking_key(lab, '/srv/alpha/share/held'))
    # From now on n1 has the newest state of the record.
    lab.on('n1', 'ctdb', 'readkey', 'locking.tdb', key)
    lab.tb('hang', 'n1')
    lab.wait('BETA on n0', lambda: ADDRESS['BETA'] + '/' in
             lab.on('n0', 'ip', '-br', 'addr'))
    assert is_held(lab, 'held')
    session.send('close 1')
    lab.wait('closed', lambda: not is_held(lab, 'held'))
    lab.tb('thaw', 'n1')
    lab.wait('n1 takes part again', lambda: lab.on(
        'n0', 'ctdb', 'status').count(' OK') == 2)
    assert not is_held(lab, 'held'), lab.on('n0', 'smbstatus', '-L')
    assert 'rejoins: node 1' in lab.on('n0', 'mirrorctl', 'log')
    session.close()
    lab.smbclient('rm held')
    lab.tb('crash', 'n1')       # its disks come back with a boot
