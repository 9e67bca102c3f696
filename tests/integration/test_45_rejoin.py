# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that ctdb left out comes back with the databases that it had."""

import os
import re

from lab import ADDRESS, Session
from test_20_failures import locking_key
from test_26_moves import as_fast_as_ever, slow

# Cut off its disks only, so that it wakes up.
CONF = {'fs': 'ext4', 'fence': 'disks', 'locks': 'clustered',
        'options': 'mirror:partner timeout = 1000'}
FENCE = '/usr/local/sbin/testbed-fence'


def lead(lab, pnn):
    """This node has ctdb's lock from now on, and both are at home."""
    if lab.on('n' + pnn, 'ctdb', 'leader').strip() != pnn:
        lab.pair('stop', 'n1' if pnn == '0' else 'n0')
        lab.heal()


def put_empty(lab, name):
    path = os.path.join(lab.folder, 'shared/empty')
    with open(path, 'w'):
        pass
    lab.smbclient('put %s %s' % (path, name))


def newest_on_n1(lab, name):
    """The record of a file that is open on n0, as it is now."""
    key = lab.wait('the handle is known',
                   lambda: locking_key(lab, '/srv/alpha/share/' + name))
    lab.on('n1', 'ctdb', 'readkey', 'locking.tdb', key)


def wait_both(lab):
    lab.wait('both take part', lambda: lab.on(
        'n0', 'ctdb', 'status').count(' OK') == 2)


def wait_beta(lab):
    """Nothing can be asked of a node that hangs."""
    lab.wait('BETA on n0', lambda: ADDRESS['BETA'] + '/' in
             lab.on('n0', 'ip', '-br', 'addr'))


def left_out_for_a_moment(lab):
    """n0 has no network until n1 wants ALPHA, and cannot fence n0."""
    for cable in ('ic', 'lan'):
        lab.tb('unplug', 'n0', cable)
    lab.wait('n1 wants ALPHA', lambda: 'could not be fenced' in
             lab.on('n1', 'mirrorctl', 'log'))
    for cable in ('lan', 'ic'):
        lab.tb('plug', 'n0', cable)


def is_held(lab, name):
    """Does smbd on n0 know a handle of this file?"""
    return name in lab.on('n0', 'smbstatus', '-L')


def test_woken_databases_are_not_used(lab):
    """A handle that was closed while a node hung stays closed when it is back.

    R12. Seen to fail with left_us_out() that is never true.
    """
    lead(lab, '0')      # the lock would stay with a node that stands still
    put_empty(lab, 'held')
    session = Session(lab)
    session.send('open held')
    newest_on_n1(lab, 'held')
    lab.tb('hang', 'n1')
    wait_beta(lab)
    assert is_held(lab, 'held')
    session.send('close 1')
    lab.wait('closed', lambda: not is_held(lab, 'held'))
    lab.tb('thaw', 'n1')
    wait_both(lab)
    assert not is_held(lab, 'held'), lab.on('n0', 'smbstatus', '-L')
    assert 'rejoins: node 0' in lab.on('n1', 'mirrorctl', 'log')
    assert session.close() == 0
    lab.smbclient('rm held')
    lab.tb('crash', 'n1')       # its disks come back with a boot
    wait_beta(lab)              # and not before n0 has cut it off once more


def test_left_out_owner_begins_anew(lab):
    """An owner that ctdb left out for a moment, and that nobody could fence,
    gives its volume up, and no old state of its records goes with it.

    Seen to fail with services_left_out() that does nothing, and with a release
    that keeps the lock space.
    """
    lead(lab, '1')
    put_empty(lab, 'dated')
    lab.smbclient('utimes dated -1 -1 2001:01:01-10:00:00 -1')
    session = Session(lab)
    session.send('open dated')
    newest_on_n1(lab, 'dated')
    lab.wait('it was not changed', lambda: is_held(lab, 'dated'))
    session.send('utimes dated -1 -1 2011:11:11-11:11:11 -1')
    lab.wait('the time is set', lambda: '2011' in lab.on(
        'n0', 'stat', '-c', '%y', '/srv/alpha/share/dated'))
    lab.on('n1', 'mv', FENCE, FENCE + '.works')
    left_out_for_a_moment(lab)
    wait_both(lab)
    lab.wait('ALPHA on n1', lambda: lab.owner('ALPHA') == 'n1')
    # Not at once: who told ctdb of the death keeps it from a second recovery
    # for some seconds.
    lab.wait('n0 began anew', lambda: 'rejoins: node 1' in
             lab.on('n0', 'mirrorctl', 'log'))
    assert not is_held(lab, 'dated'), lab.on('n0', 'smbstatus', '-L')
    listing = lab.smbclient('ls dated')
    assert '2011' in listing, listing
    session.close()
    lab.smbclient('rm dated')
    lab.on('n1', 'mv', FENCE + '.works', FENCE)


def event_script(lab, node, name, text):
    path = '/etc/ctdb/events/legacy/' + name
    lab.on(node, 'sh', '-c', 'printf "#!/bin/sh\\n%s\\n" "$1" >$2 && '
           'chmod 755 $2', 'sh', text, path)
    return path


def run_is_over(lab, node):
    """A takeover run of the leader."""
    said = re.findall('Takeover run (starting|completed|unsuccessful)',
                      lab.on(node, 'cat', '/var/log/ctdb/log.ctdb'))
    return said and said[-1] != 'starting'


def test_nobody_moves_in_a_run_of_ctdb(lab):
    """A takeover ends while ctdb has the old owner release the address: who
    added it then with ctdb's tool would be found "in flight" by ctdb's run,
    twice, and be banned.
    """
    lead(lab, '1')
    lab.on('n1', 'mv', FENCE, FENCE + '.works')
    # After the volume is released, and before the address is added.
    scripts = [(node, event_script(lab, node, name, '[ $1 != %s ] || sleep %d'
                                   % what))
                  for node, name, what in (
                   ('n0', '61.slow.script', ('releaseip', 2)),
                   ('n1', '06.slow.script', ('takeip', 4)))]
    try:
        left_out_for_a_moment(lab)
        lab.wait('ALPHA on n1', lambda: lab.owner('ALPHA') == 'n1')
        lab.wait('the run is over', lambda: run_is_over(lab, 'n1'))
        wait_both(lab)
        # After two such runs it is banned, for five minutes.
        assert 'Assigning banning credits' not in lab.log('n1')
    finally:
        for node, path in scripts:
            lab.on(node, 'rm', path)
        lab.on('n1', 'mv', FENCE + '.works', FENCE)


def test_a_move_at_the_end_of_a_recovery(lab):
    """A takeover ends while this node does what it has to when it is recovered:
    the event of its address waits for that. ctdb's takeover runs stay held back
    until then, or the next one would find the address "in flight", too.
    """
    lead(lab, '1')
    slow(lab, 'n1', 'mount', 6)
    path = event_script(lab, 'n1', '04.slow.script', '[ $1 != recovered ] || '
                        '{ touch /run/slow; sleep 9; }')
    lab.on('n1', 'rm', '-f', '/run/slow')
    mounts = 'volume alpha: checking -> mounting'
    before = lab.log('n1').count(mounts)
    try:
        lab.on('n0', 'ctdb', 'moveip', ADDRESS['ALPHA'], '1')
        lab.wait('n1 mounts', lambda: lab.log('n1').count(mounts) > before)
        lab.on('n1', 'sh', '-c', 'ctdb recover </dev/null >/dev/null 2>&1 &')
        lab.wait('n1 recovers', lambda: lab.ok('n1', 'test', '-e', '/run/slow'))
        lab.wait('ALPHA on n1', lambda: lab.owner('ALPHA') == 'n1')
        lab.wait('the run is over', lambda: run_is_over(lab, 'n1'))
        assert 'Assigning banning credits' not in lab.log('n1')
    finally:
        as_fast_as_ever(lab)
        lab.on('n1', 'rm', path)
