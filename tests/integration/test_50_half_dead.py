# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is neither dead nor alive: a part of it hangs or fails."""

import os
import time

from lab import ADDRESS, LabError, Load
from test_20_failures import (finish, go_on, in_flight, restart_mirrord,
                              session_with_link, stop_epochs, stopped_partner,
                              there)
from test_40_lease import CONF as CONF_LEASE, put

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
    # ctdb's monitor event would see that the disk failed, and be faster.
    lab.on('n0', 'sh', '-c', 'cd /usr/local/sbin && { echo "#!/bin/sh"; '
           'echo "[ \\"\\$1\\" = health ] || '
           'exec /usr/sbin/mirrorctl \\"\\$@\\""; } >mirrorctl && '
           'chmod 755 mirrorctl')
    try:
        refuses_the_label(lab)
    finally:
        lab.on('n0', 'rm', '/usr/local/sbin/mirrorctl')
    lab.tb('crash', 'n0')       # its disks come back with a boot


def refuses_the_label(lab):
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


# n1 may fence it, and it stays on.
test_disk_refuses_the_label.conf = CONF_LEASE


def test_mirrord_hangs(lab):
    """A mirrord that hangs: ctdb's monitoring does not hang with it, the node
    becomes unhealthy, and the other one takes its service over.

    Seen to fail with a mirrorctl that waits for ever, and with a takeover whose
    patience begins anew when ctdb asks again after six seconds.
    """
    put(lab, 'kept', 'what the partner has')
    lab.on('n0', 'pkill', '-STOP', '-x', 'mirrord')
    lab.wait('n0 is unhealthy', lambda: 'UNHEALTHY' in flags(lab, 'n1', 0),
             40)
    # ctdb still sees the node, so it is asked for 30 s before it is fenced.
    lab.wait('ALPHA on n1', lambda: hosted_by(lab, 'n1', 'ALPHA'), 90)
    assert 'kept' in lab.smbclient('ls kept')
    assert 'node 0 is cut off' in lab.on('n1', 'mirrorctl', 'log')


# So short that n1's mirrord does little more than to take what has arrived;
# longer and longer, as the machine may have other work.
A_MOMENT = ('p=$(pgrep -x mirrord); kill -CONT $p; '
            'for ((i = 0; i < %d; i++)); do :; done; kill -STOP $p')


def created_but_no_more(lab, session, name):
    """Make a folder whose creation the partner has acknowledged, and the
    attributes not. False: both were, or nothing was asked."""
    stopped_partner(lab, 'STOP')
    session.send('mkdir %s' % name)
    lab.wait('the operation is in flight', lambda: in_flight(lab) > 0)
    # smbclient reads it when that is answered.
    session.send('!touch %s/answered-%s' % (
        os.path.join(lab.folder, 'shared'), name))
    assert not there(lab, name)
    for turn in range(60):
        lab.on('n1', 'bash', '-c', A_MOMENT % (100 * turn))
        time.sleep(0.1)     # that no more happens cannot be awaited
        if there(lab, name):
            return in_flight(lab) > 0
    raise LabError('the partner does not acknowledge in moments')


def test_no_answer_before_all_are_acknowledged(lab):
    """R1, R2: the attributes of what is created are sent without waiting for
    the partner, but the reply waits for it.

    Seen to fail with mirror_create_file() that does not collect.
    """
    session = session_with_link(lab)
    answered = os.path.join(lab.folder, 'shared/answered-')
    number = 0
    try:
        while not created_but_no_more(lab, session, 'new%d' % number):
            stopped_partner(lab, 'CONT')
            lab.wait('answered', lambda: in_flight(lab) == 0)
            number += 1
            assert number < 20, 'it was never in between'
        time.sleep(0.3)
        assert in_flight(lab) > 0
        assert not os.path.exists(answered + 'new%d' % number)
    finally:
        stopped_partner(lab, 'CONT')
    lab.wait('answered', lambda: os.path.exists(
        answered + 'new%d' % number))
    assert in_flight(lab) == 0
    session.close()


LONG_LEASE = 12


def test_lease_of_the_dead(lab):
    """R12: who takes over waits until the lease that it granted the old owner
    has lapsed, however soon it knows that it is dead.

    Seen to fail with label_complete() that does not wait.
    """
    running = [Load(lab, 'lease', 'ALPHA', clients=1)]
    go_on(lab, running)
    died = time.monotonic()
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    # It was renewed at every quarter of its length.
    waited = time.monotonic() - died
    assert waited > LONG_LEASE * 0.7, '%.1f s' % waited
    go_on(lab, running)
    finish(running)


test_lease_of_the_dead.conf = dict(
    CONF, options='mirror:lease = %d' % (LONG_LEASE * 1000))


def fill_while_nobody_has_it(lab):
    """Of a node that is on again, but not in the cluster."""
    lab.on('n0', 'sh', '-c', 'mount /dev/disk0 /mnt && '
           'dd if=/dev/zero of=/mnt/filler bs=1M 2>/dev/null; umount /mnt')


def lines_about_alpha(lab):
    return sum('alpha' in line for line in
               lab.on('n1', 'mirrorctl', 'log').splitlines())


def test_replay_on_a_full_disk(lab):
    """R10: a replay that fails is repeated until it works, but neither several
    times a second, nor in the log.

    Seen to fail with attempts that follow at once.
    """
    data = os.path.join(lab.folder, 'shared/data')
    with open(data, 'wb') as out:
        out.write(os.urandom(4 << 20))
    # So that there is time between the death of n0 and the takeover.
    lab.on('n1', 'net', 'conf', 'delparm', 'global', 'mirror:fence command')
    restart_mirrord(lab, 'n1')
    lab.wait_mirrored()
    stop_epochs(lab)
    lab.smbclient('put %s replayed' % data)
    lab.tb('crash', 'n0')
    lab.wait('refused', lambda: 'no fence is configured' in
             lab.on('n1', 'mirrorctl', 'log'))
    lab.tb('boot', 'n0')
    fill_while_nobody_has_it(lab)
    lab.tb('crash', 'n0')
    lab.on('n1', 'mirrorctl', 'fenced', '0')
    lab.wait('replay failed', lambda: 'replay-failed: volume alpha' in
             lab.on('n1', 'mirrorctl', 'log'))
    lab.wait('the third failure', lambda: lab.status('n1')['alpha'][
        'failures'] > 2)
    before = lab.status('n1')['alpha']['failures']
    lines = lines_about_alpha(lab)
    time.sleep(11)      # that little happens cannot be awaited
    assert lab.status('n1')['alpha']['failures'] - before in (1, 2, 3)
    assert lines_about_alpha(lab) == lines
    lab.on('n1', 'rm', '/srv/alpha/filler')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1', 20)
    lab.smbclient('get replayed %s.back; rm replayed' % data)
    lab.run('cmp', data, data + '.back')
    lab.on('n1', 'net', 'conf', 'setparm', 'global', 'mirror:fence command',
           '/usr/local/sbin/testbed-fence %N power')
    restart_mirrord(lab, 'n1')
