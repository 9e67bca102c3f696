# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster lock in a mailbox: who may go on, when links or the mailbox are
lost, or a process stands still. The rules themselves:
tests/unit/test_lock_lease.c; every cut of links with every loss of the lock:
tests/splitbrain/matrix.
"""

import time

from lab import LabError

CONF = {'fs': 'ext4', 'lock': 'mailbox'}
HELPER = '/usr/libexec/samba-mirror/mirror-ctdb-lock'
MAILBOX = 'disk2'
ADDRESSES = ('10.77.0.200', '10.77.0.201')


def other(node):
    return 'n1' if node == 'n0' else 'n0'


def holder(lab):
    """The node that the mailbox says holds the lock; of the highest term."""
    best = (0, None)
    for line in lab.on('n0' if 'n0' in lab.nodes_with_power() else 'n1',
                       HELPER, 'show', '/dev/' + MAILBOX).splitlines():
        words = line.replace(',', '').split()
        if words[:1] == ['node'] and words[2] == 'holds':
            best = max(best, (int(words[4]), 'n' + words[1]))
    return best[1]


def is_held(lab):
    """By a helper that ctdb believes: it has not ended."""
    node = holder(lab)
    return node is not None and lab.ok(node, 'pgrep', '-f',
                                       HELPER + ' mailbox')


def writes(lab, service='ALPHA'):
    try:
        lab.smbclient('put /etc/hostname lock-%d' % time.monotonic_ns(),
                      service, timeout=10)
        return True
    except Exception:
        return False


def serves_all(lab, node):
    have = lab.on(node, 'ip', '-br', 'addr')
    return all(a + '/' in have for a in ADDRESSES)


def heard(lab, node, word):
    return times(lab, node, word) > 0


def times(lab, node, word):
    return lab.on(node, 'cat', '/var/log/ctdb/log.ctdb').count(word)


def is_unbanned(lab, node):
    """When a leader comes ctdb shows a banned node as not banned for a moment,
    and `ctdb unban' does nothing then.
    """
    lab.on(node, 'ctdb', 'unban')
    return heard(lab, node, 'Unbanning this node')


def test_lock_mailbox_lost(lab):
    """Both nodes lose the mailbox: no outage, told; and it comes back (R13).
    """
    holds = holder(lab)
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'away')
    lab.wait('L008 told', lambda: heard(lab, holds, 'L008'))
    for _ in range(10):
        assert writes(lab) and writes(lab, 'BETA')
        assert not lab.ok(holds, 'grep', '-q', 'L003',
                          '/var/log/ctdb/log.ctdb')
        time.sleep(0.3)
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'back')
    lab.wait('L009 told', lambda: heard(lab, holds, 'L009'))
    assert holder(lab) == holds


def test_lock_holder_hangs(lab):
    """The holder stands still: the lock is taken, and it does not go on.
    """
    holds = holder(lab)
    lab.tb('hang', holds)
    lab.wait('the other one has all', lambda: serves_all(
        lab, other(holds)), 20)
    assert holder(lab) == other(holds)
    try:
        lab.tb('thaw', holds)
    except LabError:
        pass                    # fenced: it is off
    assert writes(lab) and writes(lab, 'BETA')


def test_lock_holder_is_banned(lab):
    """Links and mailbox lost, and ctdb bans the node that held the lock: once
    all is mended the other one serves, as the block is written without a next
    helper (R13).
    """
    holds = holder(lab)
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'away')
    for command in ('lose n0 ic both', 'split lan0', 'split lan1'):
        lab.tb(*command.split())
    lab.wait('L013 told', lambda: heard(lab, holds, 'L013'), 20)
    # Once it is banned, ctdb's tool waits for a leader.
    lab.on(holds, 'timeout', '3', 'ctdb', 'ban', '600', check=False)
    assert heard(lab, holds, 'Banning this node for 600')
    lab.tb('mend')
    lab.wait('connected', lambda: 'DISCONNECTED' not in lab.on(
        other(holds), 'ctdb', 'status', check=False))
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'back')
    lab.wait('the other one has all', lambda: serves_all(
        lab, other(holds)), 30)
    assert heard(lab, holds, 'L014')
    assert writes(lab) and writes(lab, 'BETA')
    lab.wait('unbanned', lambda: is_unbanned(lab, holds))


# Says "I lead" still to the recovery daemon of node PNN when that has
# begun to take the lock anew: as its own message that was on the way till then.
LATE = """
import socket, struct, sys, time
pnn = int(sys.argv[1])
log = open('/var/log/ctdb/log.ctdb')
log.seek(0, 2)
ctdbd = socket.socket(socket.AF_UNIX)
ctdbd.connect('/run/ctdb/ctdbd.socket')
end = time.monotonic() + 30
while 'Attempting to take cluster lock' not in log.readline():
    assert time.monotonic() < end
    time.sleep(0.0005)
for _ in range(5):
    ctdbd.send(struct.pack('<8IQII', 48, 0x43544442, 1, 0, 5, pnn, pnn, 0,
                           0xF101000000000000, 4, pnn))
    time.sleep(0.012)
open('/tmp/late', 'w').close()
"""


def test_lock_holder_is_told_late(lab):
    """Who lost the lock and then hears that it leads is not banned (R13).
    """
    holds = holder(lab)
    bans = times(lab, holds, 'Banning this node')
    losses = times(lab, holds, 'L003')
    lab.on(holds, 'rm', '-f', '/tmp/late')
    lab.on(holds, 'sh', '-c', 'python3 -c "$0" $1 </dev/null >/dev/null 2>&1 &',
           LATE, holds[1:])
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'away')
    for command in ('lose n0 ic both', 'split lan0', 'split lan1'):
        lab.tb(*command.split())
    lab.wait('told late', lambda: lab.ok(holds, 'test', '-e', '/tmp/late'), 30)
    lab.wait('L003 told', lambda: times(lab, holds, 'L003') > losses)
    lab.tb('mend')
    for node in ('n0', 'n1'):
        lab.tb('disk', node, MAILBOX, 'back')
    lab.wait('a holder', lambda: is_held(lab))
    lab.wait('served', lambda: writes(lab) and writes(lab, 'BETA'))
    assert times(lab, holds, 'Banning this node') == bans


def test_lock_helper_hangs(lab):
    """The helper alone is stopped and goes on: too late, and it ends.
    """
    holds = holder(lab)
    losses = times(lab, holds, 'L003')
    lab.on(holds, 'pkill', '-STOP', '-o', '-f', HELPER + ' mailbox')
    time.sleep(3)
    lab.on(holds, 'pkill', '-CONT', '-o', '-f', HELPER + ' mailbox')
    lab.wait('L003 told', lambda: times(lab, holds, 'L003') > losses)
    lab.wait('held again', lambda: is_held(lab))
    lab.wait('served', lambda: writes(lab) and writes(lab, 'BETA'))


def test_lock_command(lab):
    """Format refuses what is not empty; ctdbd is told of contention.
    """
    owner = lab.owner('ALPHA')
    assert 'it is in use' in lab.on(
        owner, HELPER, 'format', '/dev/disk0', check=False)
    assert 'there is something on it' in lab.on(
        other(owner), HELPER, 'format', '/dev/disk0', check=False)
    assert 'a mailbox already' in lab.on(
        'n0', HELPER, 'format', '/dev/' + MAILBOX, check=False)
    assert 'it writes' in lab.on(
        'n0', HELPER, 'clear', holder(lab)[1:], '/dev/' + MAILBOX,
        check=False)
    # As ctdbd runs it, on the holder's own node and elsewhere.
    for node in ('n0', 'n1'):
        out = lab.on(node, 'bash', '-c', 'cp /bin/bash /tmp/ctdbd; '
                     '/tmp/ctdbd -c "%s mailbox /dev/%s; true"' % (
                         HELPER, MAILBOX))
        assert out == '1', out
