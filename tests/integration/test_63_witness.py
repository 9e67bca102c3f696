# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster lock with a witness: a third machine instead of a shared disk.
The rules are those of the mailbox (test_62_lock.py); here: the link to it.
"""

import os
import time

from lab import ADDRESS
from test_62_lock import HELPER, other, writes

CONF = {'fs': 'ext4', 'lock': 'witness'}
LOG = '/var/log/ctdb/log.ctdb'


def holder(lab):
    """As the witness's file says."""
    binary = lab.env['STAGE'] + HELPER
    best = (0, None)
    for line in lab.run(binary, 'show', os.path.join(
            lab.folder, 'shared/pair/witness')).splitlines():
        words = line.replace(',', '').split()
        if words[:1] == ['node'] and words[2] == 'holds':
            best = max(best, (int(words[4]), 'n' + words[1]))
    return best[1]


def count(lab, node, word):
    return lab.on(node, 'cat', LOG).count(word)


def test_witness(lab):
    """It goes away and comes back: no outage (R13). Who has another key is no
    node of it (R6). The holder dies: the other one goes on.
    """
    holds = holder(lab)
    lab.pair('witness', 'stop')
    lab.wait('L008 told', lambda: count(lab, holds, 'L008'))
    for _ in range(5):
        assert writes(lab) and writes(lab, 'BETA')
        time.sleep(0.3)
    lab.pair('witness', 'start')
    lab.wait('L009 told', lambda: count(lab, holds, 'L009'))
    assert count(lab, holds, 'L003') == 0
    assert holder(lab) == holds

    wrong = 'umask 077; echo %s >/tmp/wrong.key; (sleep 4; true) | ' \
        '%s witness -k /tmp/wrong.key 10.80.0.100' % ('5a' * 32, HELPER)
    node = other(holds)
    assert lab.on(node, 'env', 'MIRROR_CTDB_LOCK_FILE=/tmp/wrong.lock',
                  'bash', '-c', wrong, check=False).endswith('3')

    lab.tb('crash', holds)
    began = time.monotonic()
    lab.wait('taken over', lambda: all(lab.owner(s) == node
                                       for s in ADDRESS), 30, 0.02)
    took = time.monotonic() - began
    assert writes(lab) and writes(lab, 'BETA')
    assert holder(lab) == node
    assert took < 10, took
