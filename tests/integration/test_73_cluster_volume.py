# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes on a file system that is mounted on every node. Here it is one of
this machine's: all nodes share its page cache, so what was written to it is
there after the power cut of a node. What such a cut takes is what was in the
memory of smbd and mirrord: acknowledged, and not yet applied."""

import time

from test_20_failures import (finish, go_on, loads,
                              no_answer_was_an_error)

CONF = {'fs': 'ext4', 'kind': 'cluster'}


def test_cluster_volume_moves(lab):
    """A planned move: given away and taken, mounted all the time.

    Seen to fail with a release that unmounts it.
    """
    running = loads(lab, 'move')
    go_on(lab, running)
    for target in ('1', '0'):
        lab.on('n0', 'ctdb', '-t', '1', 'moveip', '10.77.0.200', target)
        lab.wait('ALPHA on n' + target,
                 lambda: lab.owner('ALPHA') == 'n' + target)
        go_on(lab, running)
        lab.wait_mirrored()
        for node in ('n0', 'n1'):
            assert lab.ok(node, 'mountpoint', '-q', '/srv/alpha')
    finish(running)
    no_answer_was_an_error(running)


def test_cluster_owner_dies(lab):
    """Replay only: nothing is mounted and nobody is fenced, and nothing that
    was acknowledged is missing.

    Seen to fail with replay_run() that does nothing.
    """
    running = loads(lab, 'dies')
    go_on(lab, running, 300)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)
    log = lab.on('n1', 'mirrorctl', 'log')
    assert 'volume alpha: served after' in log, log
    assert 'M030' not in log, log
    taken = lab.status('n1')['alpha']['takeover']
    assert taken['fenced_ms'] == 0, taken


def test_cluster_owner_wakes_up(lab):
    """R11, R12: an owner that stood still is replaced without a fence. When it
    goes on it answers nothing, writes no label, and gives the volume up.
    """
    lab.wait_mirrored()
    # The one that leads would keep ctdb's cluster lock while it hangs.
    leader = int(lab.on('n0', 'ctdb', 'leader'))
    volume, hung, other = (('alpha', 'n0', 'n1'), ('beta', 'n1', 'n0'))[
        leader == 0]
    running = loads(lab, 'wakes')
    go_on(lab, running, 200)
    lab.tb('hang', hung)
    try:
        lab.wait('taken over', lambda: lab.status(other)[volume]['role'] ==
                 'owner', 60)
        time.sleep(1)
    finally:
        lab.tb('thaw', hung)
    lab.wait('it knows', lambda: lab.status(hung)[volume]['role'] != 'owner',
             60)
    go_on(lab, running)
    lab.wait_mirrored()
    finish(running)
    log = lab.on(other, 'mirrorctl', 'log')
    assert 'M030' not in log, log


test_cluster_volume_moves.long = True
test_cluster_owner_wakes_up.long = True
