# SPDX-License-Identifier: GPL-3.0-or-later
"""What ctdb's monitor event finds, and what is done about it."""

import json
import os
import time

from lab import Load
from test_20_failures import DISK_FAILS, finish, go_on
from test_40_lease import put
from test_45_rejoin import event_script
from test_50_half_dead import flags, hosted_by

CONF = {'fs': 'ext4', 'hang': '5'}


def events(lab, node, *options):
    """What `mirrorctl log' of a node says, as dictionaries."""
    return json.loads(lab.on(node, 'mirrorctl', 'log', '--json',
                             *options))['events']


def ids(lab, node, *options):
    return [event['id'] for event in events(lab, node, *options)]


def pid_of_mirrord(lab, node):
    # Children that grow a store have the same name.
    return lab.on(node, 'cat', '/run/samba-mirror/mirrord.pid').strip()


def test_hung_mirrord_is_replaced(lab):
    """R5: a mirrord that hangs is ended by the monitor event and started
    again: clients see a pause of seconds, no service moves, nothing is lost.

    Seen to fail with a watchdog that ends nobody.
    """
    running = [Load(lab, 'hung', 'ALPHA', clients=2)]
    go_on(lab, running, 50)
    before = pid_of_mirrord(lab, 'n0')
    lab.on('n0', 'kill', '-STOP', before)
    lab.wait('another mirrord', lambda: pid_of_mirrord(lab, 'n0') != before,
             60)
    go_on(lab, running, 50)
    finish(running, max_pause=30)
    assert hosted_by(lab, 'n0', 'ALPHA')
    assert 'UNHEALTHY' not in flags(lab, 'n1', 0)
    hung, = [e for e in events(lab, 'n0') if e['id'] == 'M080']
    assert 'pid %s' % before in hung['text'], hung
    assert hung['severity'] == 'err' and hung['advice'], hung
    # The partner's, too: the records that it keeps are there afterwards.
    before = pid_of_mirrord(lab, 'n1')
    lab.on('n1', 'kill', '-STOP', before)
    lab.wait('another mirrord on n1',
             lambda: pid_of_mirrord(lab, 'n1') != before, 60)
    lab.wait_mirrored()


def test_read_only_volume(lab):
    """A volume that the kernel makes read-only: nobody writes to it just now,
    but the node becomes unhealthy, says why, and the service moves.

    Seen to fail with a probe that does not ask the file system.
    """
    put(lab, 'kept', 'what both have')
    # Else it is syncfs that fails first.
    lab.wait('it is on the disk', lambda:
             lab.status('n0')['alpha']['reserved'] == 0)
    lab.on('n0', 'sh', '-c', 'mount -o remount,errors=remount-ro /srv/alpha; '
           'd=$(readlink /sys/dev/block/$(mountpoint -d /srv/alpha)); '
           'echo test >/sys/fs/ext4/${d##*/}/trigger_fs_error')
    lab.wait('n0 is unhealthy', lambda: 'M082' in ids(lab, 'n0'), 40)
    lab.wait('ALPHA on n1', lambda: hosted_by(lab, 'n1', 'ALPHA'), 90)
    assert 'kept' in lab.smbclient('ls kept')
    unhealthy = [e for e in events(lab, 'n0') if e['id'] == 'M091']
    assert unhealthy and '05.mirror (error): ' in unhealthy[0]['text'], \
        unhealthy
    told = lab.on('n0', 'mirrorctl', 'log', '--severity', 'crit')
    assert 'volume alpha: the kernel made it read-only' in told, told


def test_idle_disk_that_fails(lab):
    """A disk that fails while nobody writes is noticed all the same.

    Seen to fail with a health that is never looked at.
    """
    lab.on('n0', 'python3', '-c', DISK_FAILS)
    lab.wait('told', lambda: 'M083' in ids(lab, 'n0', '--since', '10m'), 40)
    lab.wait('ALPHA on n1', lambda: hosted_by(lab, 'n1', 'ALPHA'), 90)
    assert os.path.exists(lab.folder)


def test_samba_is_started_again(lab):
    """A smbd that is gone is started again before ctdb calls the node
    unhealthy for it: its clients go on there, no service moves, and it is
    told. One that refuses to start makes the node unhealthy and is tried
    again.

    Seen to fail without 49.mirror-samba.
    """
    old = len(events(lab, 'n0'))

    def told():
        return [event['id'] for event in events(lab, 'n0')[old:]]

    def smbds():
        return lab.on('n0', 'pgrep', '-x', 'smbd', check=False).split()

    running = [Load(lab, 'samba', 'ALPHA', clients=2)]
    go_on(lab, running, 50)
    before = smbds()
    lab.on('n0', 'pkill', '-KILL', '-x', 'smbd')
    lab.wait('told', lambda: 'M089' in told(), 40)
    assert smbds() and not set(before) & set(smbds()), before
    go_on(lab, running, 50)
    finish(running, max_pause=15)
    assert hosted_by(lab, 'n0', 'ALPHA')
    assert 'M091' not in told(), told()
    # It ends as one does that finds another version in the cluster.
    lab.on('n0', 'sh', '-c', 'mv /usr/sbin/smbd /usr/sbin/smbd.real; '
           'ln -s /bin/false /usr/sbin/smbd; pkill -KILL -x smbd')
    try:
        lab.wait('n0 is unhealthy', lambda: 'M091' in told(), 40)
    finally:
        lab.on('n0', 'mv', '-f', '/usr/sbin/smbd.real', '/usr/sbin/smbd')
    lab.wait('n0 is healthy', lambda:
             'UNHEALTHY' not in flags(lab, 'n1', 0), 60)
    assert told().count('M089') == 2, told()


def startup_in_a_recovery(lab, script):
    """n1 starts, and n0 becomes healthy while n1 runs this event script.
    Returns the seconds until n1 is healthy.
    """
    sick = event_script(lab, 'n0', '90.sick.script',
                        '[ "$1" != monitor ] || [ ! -e /run/sick ]')
    slow = event_script(lab, 'n1', script, """
[ "$1" = startup ] && [ ! -e /run/was-there ] || exit 0
: >/run/was-there
until ctdb status | grep -q RECOVERY; do sleep 0.1; done""")
    try:
        lab.on('n0', 'touch', '/run/sick')
        lab.wait('n0 is unhealthy', lambda: 'UNHEALTHY' in flags(lab, 'n0', 0))
        # Booted, it knows of mirrord what the registry says.
        lab.pair('stop', 'n1')
        lab.on('n1', 'rm', '-rf', '/run/was-there', '/run/samba-mirror')
        lab.pair('start', 'n1')
        lab.wait('n1 starts', lambda: lab.ok('n1', 'test', '-e',
                                             '/run/was-there'))
        began = time.monotonic()
        lab.on('n0', 'rm', '/run/sick')
        lab.wait('n1 is healthy', lambda: ' OK' in lab.on(
            'n0', 'ctdb', 'status').split('pnn:1')[1].split('\n')[0], 120)
        return time.monotonic() - began
    finally:
        lab.on('n0', 'rm', '-f', '/run/sick', sick)
        lab.on('n1', 'rm', slow)


def test_startup_of_two(lab):
    """A node becomes healthy while another one starts: ctdb forces a recovery
    on that one. It waits for the end of the event startup, that for mirrord
    and smbd, and their start for the registry, which answers after the
    recovery: a minute, until ctdb ends the event.
    """
    for script in ('04.until-recovery.script', '49.until-recovery.script'):
        took = startup_in_a_recovery(lab, script)
        assert took < 40, '%s: it took %d s' % (script, took)
        lab.heal()
