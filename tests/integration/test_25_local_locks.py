# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens and locks in databases of the node (ctdb:locking.tdb = no and so on):
nothing of them is found again when a volume was elsewhere meanwhile."""

import os

from lab import Session

CONF = {'fs': 'ext4', 'locks': 'local'}
PATH = '/srv/alpha/share/dated'


def move(lab, target):
    lab.on('n0', 'ctdb', 'moveip', '10.77.0.200', target)
    lab.wait('ALPHA on n' + target, lambda: lab.owner('ALPHA') == 'n' + target)
    lab.wait_mirrored()


def test_the_databases_are_local(lab):
    """Else the rest of this file proves nothing.
    """
    names = lab.on('n0', 'ctdb', 'getdbmap')
    assert 'smbXsrv_session_global.tdb' in names, names
    for name in ('locking.tdb', 'brlock.tdb', 'leases.tdb',
                 'smbXsrv_open_global.tdb'):
        assert name not in names, names


def test_no_open_outlives_a_move(lab):
    """What a killed smbd left in the databases of its node, the write time that
    it still had to set among it, is not believed when the volume comes back.
    """
    small = os.path.join(lab.folder, 'shared/small')
    with open(small, 'wb') as data:
        data.write(b'x')
    lab.smbclient('put %s dated' % small)
    session = Session(lab)
    session.send('open dated')
    lab.wait('the open is known', lambda:
             'dated' in lab.on('n0', 'smbstatus', '-L'))
    session.send('utimes dated -1 -1 2001:01:01-10:00:00 -1')
    lab.wait('the time is set', lambda:
             '2001' in lab.on('n0', 'stat', '-c', '%y', PATH))
    lab.on('n0', 'fuser', '-s', '-k', '-KILL', PATH)
    session.close()
    move(lab, '1')
    lab.smbclient('utimes dated -1 -1 2011:11:11-11:11:11 -1')
    assert '2011' in lab.smbclient('ls dated')
    move(lab, '0')
    assert '2011' in lab.on('n0', 'stat', '-c', '%y', PATH)
    listing = lab.smbclient('ls dated')
    assert '2011' in listing, listing
    lab.smbclient('rm dated')
