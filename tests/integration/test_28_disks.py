# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's name that means another disk: after a boot, say.

R11: no disk is served as another volume, none is mounted that the other node
has.
"""

import re

from lab import Load
from test_20_failures import finish, go_on

CONF = {'fs': 'ext4'}
ANCHOR = {'ALPHA': '10.77.0.200', 'BETA': '10.77.0.201'}
KEPT = '/var/lib/samba-mirror/disks/alpha'
MOUNTED = 'volume alpha: /dev/disk0 on /srv/alpha'


def move(lab, service, target):
    lab.on('n0', 'ctdb', 'moveip', ANCHOR[service], target)
    arrives(lab, service, 'n' + target)


def arrives(lab, service, node, seconds=60):
    lab.wait('%s on %s' % (service, node),
             lambda: lab.owner(service) == node, seconds)


def mounts(lab, node):
    return lab.on(node, 'cat', '/proc/self/mountinfo')


def names_swapped(lab):
    lab.on('n1', 'sh', '-c', 'mv /dev/disk0 /dev/hidden && '
           'ln -s disk1 /dev/disk0')


def names_right(lab):
    lab.on('n1', 'sh', '-c', '[ ! -e /dev/hidden ] || '
           'mv -T /dev/hidden /dev/disk0')


def is_kept(lab):
    """Soon: nobody waits for it when a service is taken over."""
    lab.wait('the disk is kept', lambda: lab.ok('n1', 'test', '-s', KEPT))
    kept = lab.on('n1', 'cat', KEPT)
    assert re.fullmatch(r'ext4:[-0-9a-f]{36} /dev/disk0\n', kept), kept


def is_refused(lab, said):
    """n1 shall take ALPHA: it does not, says why, has nothing mounted, and n0
    goes on."""
    running = [Load(lab, 'swapped', clients=2)]
    try:
        go_on(lab, running)
        lab.on('n0', 'ctdb', 'moveip', ANCHOR['ALPHA'], '1', check=False)
        lab.wait('it is told', lambda: said in lab.log('n1'))
        lab.wait('n0 goes on', lambda: lab.owner('ALPHA') == 'n0')
        lab.wait('it is unmounted', lambda: '/srv/alpha ' not in mounts(
            lab, 'n1'))
        go_on(lab, running)
    finally:
        names_right(lab)
    finish(running)
    lab.wait('ctdb has the address at n0', lambda: ANCHOR['ALPHA'] + ' 0' in
             lab.on('n0', 'ctdb', 'ip'))
    move(lab, 'ALPHA', '1')


def test_another_disk_is_not_mounted(lab):
    """The name of ALPHA's disk means BETA's, which n0 has mounted: n1, which
    has served ALPHA before, does not even mount it.
    """
    move(lab, 'ALPHA', '1')
    is_kept(lab)
    lab.heal()
    move(lab, 'BETA', '0')
    names_swapped(lab)
    mounted = lab.log('n1').count(MOUNTED)
    is_refused(lab, 'is another disk')
    # The last one is that of the right disk.
    assert lab.log('n1').count(MOUNTED) == mounted + 1
    lab.heal()


def test_a_disk_of_another_volume_is_refused(lab):
    """n1 does not know ALPHA's disk; what it finds says that it is BETA's.
    """
    lab.on('n0', 'net', 'conf', 'setparm', 'global', 'mirror:BETA enabled',
           'no')
    try:
        for node in ('n0', 'n1'):
            lab.wait('%s has it not' % node, lambda n=node:
                     '/srv/beta ' not in mounts(lab, n))
        lab.on('n1', 'rm', '-f', KEPT)
        names_swapped(lab)
        is_refused(lab, 'is the volume beta')
        is_kept(lab)
    finally:
        lab.on('n0', 'net', 'conf', 'delparm', 'global', 'mirror:BETA enabled')
    lab.wait('BETA is back', lambda: lab.owner('BETA'))
    lab.heal()
