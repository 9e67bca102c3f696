# SPDX-License-Identifier: GPL-3.0-or-later
"""The same power cut on xfs, and on plain Samba: the check can fail."""

import os

from lab import Load
from test_20_failures import (finish, flush_always, flush_when_asked, go_on,
                              go_on_with_epochs, loads, stop_epochs, total)

CONF = {'fs': 'xfs'}


def test_owner_power_cut_xfs(lab):
    """R10 on xfs, where data and names survive differently.

    Seen to fail with replay_run() that does nothing, and with data that is not
    replayed.
    """
    running = loads(lab, 'xfs')
    go_on(lab, running, 300)
    stop_epochs(lab)            # so that something is not on the disk
    go_on(lab, running, 20)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)


def written(lab):
    """Sectors that n0 has written to the disk of ALPHA."""
    device = lab.on('n0', 'stat', '-c', '%Hr:%Lr', '/dev/disk0').strip()
    with open('/sys/dev/block/%s/stat' % device) as stat:
        return int(stat.read().split()[6])


def test_flush_mirrored_xfs(lab):
    """R14: with mirror:flush = mirrored a flush is with the partner, and
    nobody waits for the disk.

    Seen to fail with replay_run() that does nothing, and with a flush that
    waits for the disk.
    """
    path = os.path.join(lab.folder, 'shared/small')
    with open(path, 'wb') as data:
        data.write(b'x' * 100)
    flush_always(lab)
    lab.on('n0', 'sync', '-f', '/srv/alpha')
    stop_epochs(lab)
    before = written(lab)
    lab.smbclient('put %s flushed' % path)
    assert written(lab) == before, (before, written(lab))
    go_on_with_epochs(lab)
    flush_when_asked(lab)
    running = loads(lab, 'flush')
    go_on(lab, running, 300)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)


test_flush_mirrored_xfs.conf = {'fs': 'xfs', 'flush': 'mirrored',
                                'encrypt': 'no'}


def test_plain_samba_loses(lab):
    """Without the module the same check finds losses: the mutant is plain
    Samba itself, so there is none in tests/mutants."""
    lab.up(fs='ext4', mirror='no')
    running = [Load(lab, 'plain', 'ALPHA', clients=4)]
    go_on(lab, running, 300)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    for load in running:
        load.stop(check=False)
    lost = sum(load.verify()['lost'] for load in running)
    assert lost > 0, 'plain Samba lost nothing of %d' % total(running)


test_plain_samba_loses.conf = None
