# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is neither dead nor alive: a part of it hangs or fails."""

from lab import ADDRESS, Session
from test_10_pair import records
from test_20_failures import mirrord_is_back, restart_mirrord
from test_40_lease import ADDRESS_N0, CONF as CONF_LEASE, put

CONF = {'fs': 'ext4'}


def hosted_by(lab, node, service):
    """Of that node alone: the other one may answer nothing."""
    return ADDRESS[service] + '/' in lab.on(node, 'ip', '-br', 'addr')


def flags(lab, node, pnn):
    """What ctdb on one node says of another one."""
    return lab.on(node, 'ctdb', '-t', '2', 'nodestatus', str(pnn),
                  check=False)


def other_key(lab, node):
    lab.on(node, 'sh', '-c', 'cp /etc/samba/mirror.key /tmp/right.key; '
           'od -An -tx1 -N32 /dev/urandom | tr -d " \\n" '
           '> /etc/samba/mirror.key')
    restart_mirrord(lab, node)


def right_key(lab, node):
    lab.on(node, 'cp', '/tmp/right.key', '/etc/samba/mirror.key')
    restart_mirrord(lab, node)


def test_disk_refuses_the_label(lab):
    """R12: an owner without a partner may not answer when its disk takes no
    label; it gives the volume up, and another node can have it.

    Seen to fail with an owner that waits for its disk for ever.
    """
    put(lab, 'kept', 'what the disk has')
    other_key(lab, 'n1')
    lab.wait('degraded', lambda: lab.mode('n0', 'alpha') == 'degraded')
    lab.tb('fence-disks', 'n0')
    lab.wait('given up', lambda: 'disk-refuses: volume alpha' in
             lab.on('n0', 'mirrorctl', 'log'), 20)
    lab.wait('not mounted on n0', lambda: not lab.ok(
        'n0', 'mountpoint', '-q', '/srv/alpha'))
    right_key(lab, 'n1')
    lab.wait('ALPHA on n1', lambda: hosted_by(lab, 'n1', 'ALPHA'))
    assert 'moved-away: service ALPHA' in lab.on('n0', 'mirrorctl', 'log')
    assert not hosted_by(lab, 'n0', 'ALPHA')
    assert 'kept' in lab.smbclient('ls kept')
    lab.tb('crash', 'n0')       # its disks come back with a boot


# Two nodes that do not know each other's key do not fence each other.
test_disk_refuses_the_label.conf = CONF_LEASE
