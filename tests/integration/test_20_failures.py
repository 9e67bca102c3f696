# SPDX-License-Identifier: GPL-3.0-or-later
"""What dies, and what becomes of the clients' operations."""

import errno
import os
import re
import struct
import time

from lab import ADDRESS, LabError, Load, Session

CONF = {'fs': 'ext4', 'locks': 'clustered'}


def loads(lab, name, clients=2):
    return [Load(lab, '%s-%s' % (name, service), service, clients=clients)
            for service in ('ALPHA', 'BETA')]


def total(running):
    return sum(load.acknowledged() for load in running)


def go_on(lab, running, count=100, seconds=60):
    """Wait for that many more acknowledged operations."""
    there = total(running)
    try:
        lab.wait('clients go on', lambda: total(running) > there + count,
                 seconds)
    except LabError:
        # If what they work on is lost, that is the news.
        for load in running:
            load.stop(seconds=20)
        finish(running)
        raise


def finish(running, max_pause=None):
    """Stop the clients; nothing may be lost. Returns the longest pause."""
    pause = 0
    for load in running:
        load.stop()
    for load in running:
        result = load.verify()
        assert result['lost'] == 0, result['text']
        assert result['unexpected'] == 0, result['text']
        assert result['acknowledged'] > 0, result
        pause = max(pause, result['longest_pause'])
    if max_pause is not None:
        assert pause < max_pause, 'a client waited %.1f s' % pause
    return pause


def no_errors(running):
    """Every operation was answered with success, none was in doubt."""
    for load in running:
        result = load.verify()
        assert result['in_doubt'] == 0, result


# What a client sees when its connection is closed: it comes back and asks
# again. Anything else was an answer of a server.
CLOSED = {errno.EPIPE, errno.ENETRESET, errno.ECONNABORTED, errno.ECONNRESET}


# What libsmbclient makes of one: it replaces in three steps and tells the error
# of the first when a later one gets no answer, and has one error for truncate.
NO_ANSWER = {('replace', errno.EEXIST), ('truncate', errno.EINVAL)}


def no_answer_was_an_error(running, closed=frozenset(CLOSED)):
    """Lines `D NUMBER TIME ERRNO' of the journals are operations in doubt,
    `I NUMBER TIME TYPE ..' say what they were.
    """
    for load in running:
        for path in load.journals():
            with open(path) as journal:
                lines = [line.split() for line in journal]
            types = {line[1]: line[3] for line in lines if line[0] == 'I'}
            for line in lines:
                if line[0] == 'D' and (types[line[1]],
                                       int(line[3])) not in NO_ANSWER:
                    assert int(line[3]) in closed, (path, line)


def kill_mirrord(lab, node):
    lab.on(node, 'pkill', '-KILL', '-x', 'mirrord')


def mirrord_is_back(lab, node, old):
    # It may have had a child, for a moment, of the same name.
    return set(lab.on(node, 'pgrep', '-x', 'mirrord',
                      check=False).split()) - set(old)


def restart_mirrord(lab, node):
    old = lab.on(node, 'pgrep', '-x', 'mirrord').split()
    kill_mirrord(lab, node)
    lab.wait('mirrord is back', lambda: mirrord_is_back(lab, node, old))


def test_owner_power_cut(lab):
    """R10: the owner loses power under load; nothing acknowledged is lost.

    Seen to fail with replay_run() that does nothing, with syncfs left out
    before a purge (R8), and with records that are not sent.
    """
    running = loads(lab, 'owner-cut')
    go_on(lab, running, 300)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)
    names = lab.on('client', 'nmblookup', '-B', '10.77.0.255', 'ALPHA',
                   'BETA', check=False)
    lab.wait('names are served by n1', lambda: all(
        '%s %s<00>' % item in lab.on('client', 'nmblookup', '-B',
                                     '10.77.0.255', item[1], check=False)
        for item in (('10.77.0.200', 'ALPHA'), ('10.77.0.201', 'BETA'))))
    assert names is not None


def stopped_partner(lab, signal):
    lab.on('n1', 'pkill', '-' + signal, '-x', 'mirrord')


def stop_epochs(lab):
    """From here on no epoch is closed: what n0's clients do is in the
    partner's store and, for some seconds, not on the disk."""
    lab.on('n0', 'pkill', '-STOP', '-x', 'mirrord')


def go_on_with_epochs(lab):
    lab.on('n0', 'pkill', '-CONT', '-x', 'mirrord')


def there(lab, name):
    return lab.ok('n0', 'test', '-d', '/srv/alpha/share/' + name)


def session_with_link(lab, **kwargs):
    """A client whose smbd has its link to the partner."""
    session = Session(lab, **kwargs)
    session.send('mkdir linked')
    lab.wait('the session works', lambda: there(lab, 'linked'))
    session.send('rmdir linked')
    lab.wait('the session is idle', lambda: not there(lab, 'linked') and
             in_flight(lab) == 0)
    return session


def smbds_with_link(lab):
    """Those of n0 that have a client who changes something. (Other smbds serve
    nobody, or smbd itself.)"""
    return re.findall(r'"smbd",pid=([0-9]+)',
                      lab.on('n0', 'ss', '-Htnp', 'dport = :4380'))


def in_flight(lab):
    return lab.status('n0')['alpha']['in_flight']


def test_partner_first(lab):
    """R1, R2: while the partner does not acknowledge, nothing is applied and
    nobody is told "done".

    Seen to fail with step_sent() that does not look at `acknowledged'.
    """
    session = session_with_link(lab)
    stopped_partner(lab, 'STOP')
    try:
        session.send('mkdir first')
        lab.wait('the operation is in flight', lambda: in_flight(lab) > 0)
        time.sleep(1)       # that nothing happens cannot be awaited
        assert not there(lab, 'first')
        assert in_flight(lab) > 0
    finally:
        stopped_partner(lab, 'CONT')
    lab.wait('done', lambda: there(lab, 'first'))
    session.send('rmdir first')
    session.close()
    assert not there(lab, 'first')


def test_dead_smbd_is_rolled_forward(lab):
    """R3: what a dying smbd had sent is done before its locks are free.

    Seen to fail with reap_one() that frees the slot at once.
    """
    session = session_with_link(lab)
    smbd, = smbds_with_link(lab)
    stopped_partner(lab, 'STOP')
    try:
        session.send('mkdir rolled')
        lab.wait('the operation is in flight', lambda: in_flight(lab) > 0)
        time.sleep(0.2)     # the record is on its way: nothing tells of it
        lab.on('n0', 'kill', '-KILL', smbd)
        assert not there(lab, 'rolled')
    finally:
        stopped_partner(lab, 'CONT')
    session.close()
    lab.wait('rolled forward', lambda: there(lab, 'rolled'), 20)
    out = lab.smbclient('mkdir rolled', check=False)
    assert 'NT_STATUS_OBJECT_NAME_COLLISION' in out, out
    lab.smbclient('rmdir rolled')


def test_failed_operation_is_cancelled(lab):
    """R2: an operation that failed is not replayed.

    Seen to fail with step_cancel() that ends the operation at once.
    """
    lab.smbclient('mkdir immutable')
    lab.on('n0', 'chattr', '+i', '/srv/alpha/share/immutable')
    stop_epochs(lab)
    out = lab.smbclient('mkdir immutable/never; mkdir after', check=False)
    assert 'NT_STATUS_ACCESS_DENIED' in out, out
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    assert lab.ok('n1', 'test', '-d', '/srv/alpha/share/after')
    assert not lab.ok('n1', 'test', '-e', '/srv/alpha/share/immutable/never')
    cancelled = re.findall(r'(\d+) cancelled',
                           lab.on('n1', 'mirrorctl', 'log'))
    assert cancelled and int(cancelled[-1]) > 0, cancelled
    lab.on('n1', 'chattr', '-i', '/srv/alpha/share/immutable')
    lab.smbclient('rmdir immutable; rmdir after')


def locking_key(lab, path):
    """The key of a file's record in locking.tdb: device, inode, space."""
    inode = int(lab.on('n0', 'stat', '-c', '%i', path))
    for text in re.findall(r'^key\(24\) = "(.*)"$',
                           lab.on('n0', 'ctdb', 'catdb', 'locking.tdb'),
                           re.M):
        key = re.sub(rb'\\([0-9A-F]{2})',
                     lambda match: bytes([int(match[1], 16)]), text.encode())
        if struct.unpack('<8xQ8x', key)[0] == inode:
            return '0x' + key.hex()
    return None


def test_no_lock_outlives_its_owner(lab):
    """ctdb restores an old state of a record of locking.tdb when the node that
    had the newest dies. The survivor does not believe it.

    Seen to fail with mirror_file_id_create() without the lock space.
    """
    path = '/srv/alpha/share/stale'
    small = os.path.join(lab.folder, 'shared/small')
    with open(small, 'wb') as data:
        data.write(b'x')
    lab.smbclient('put %s stale; '
                  'utimes stale -1 -1 2001:01:01-10:00:00 -1' % small)
    session = Session(lab)
    session.send('open stale')
    key = lab.wait('the open is known', lambda: locking_key(lab, path))
    # Reading it moves the record there and leaves a copy behind when it is
    # moved back; vacuuming does so, too, now and then.
    lab.on('n1', 'ctdb', 'readkey', 'locking.tdb', key)
    session.send('utimes stale -1 -1 2011:11:11-11:11:11 -1')
    lab.wait('the time is set', lambda:
             '2011' in lab.on('n0', 'stat', '-c', '%y', path))
    session.close()
    assert '2011' in lab.smbclient('ls stale')
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    assert '2011' in lab.on('n1', 'stat', '-c', '%y', path)
    listing = lab.smbclient('ls stale')
    assert '2011' in listing, listing
    lab.smbclient('rm stale')


def test_both_come_home(lab):
    """Giveback by ctdb moveip under load: no operation fails.

    Seen to fail with a release that does not unmount.
    """
    running = loads(lab, 'moveip')
    go_on(lab, running)
    for target in ('1', '0'):
        lab.on('n0', 'ctdb', 'moveip', '10.77.0.200', target)
        lab.wait('ALPHA on n' + target,
                 lambda: lab.owner('ALPHA') == 'n' + target)
        go_on(lab, running)
        lab.wait_mirrored()
    finish(running, max_pause=5)
    no_answer_was_an_error(running)


def test_release_answers_nobody(lab):
    """R11: a node that gives a volume away answers nothing any more, not even
    with an error: the connection ends, and the client asks the next owner.

    Seen to fail with volume_gone() that does not end the process.
    """
    path = os.path.join(lab.folder, 'shared/session.log')
    with open(path, 'w') as output:
        session = session_with_link(lab, output=output)
    stopped_partner(lab, 'STOP')
    try:
        session.send('mkdir held')
        lab.wait('the operation is in flight', lambda: in_flight(lab) > 0)
        lab.on('n0', 'mirrorctl', 'release', 'ALPHA', '--wait', '20')
    finally:
        stopped_partner(lab, 'CONT')
    session.close()
    with open(path) as output:
        text = output.read()
    assert 'NT_STATUS_CONNECTION_' in text, text
    lab.on('n0', 'mirrorctl', 'takeover', 'ALPHA', '--wait', '20')
    lab.wait_mirrored()
    assert not there(lab, 'held')


def test_partner_power_cut(lab):
    """The partner dies: no client error, written through; then it is back.

    Seen to fail with look_waiting() that never degrades, with operations that
    fail when the link breaks, and with such that are answered and forgotten
    then.
    """
    running = [Load(lab, 'partner-cut', 'ALPHA', clients=3)]
    go_on(lab, running)
    lab.tb('crash', 'n1')
    lab.wait('degraded', lambda: lab.mode('n0', 'alpha') == 'degraded')
    go_on(lab, running)
    # Not before n0 has cut it off for the sake of BETA: that would hit it
    # again.
    lab.wait('BETA on n0', lambda: lab.owner('BETA') == 'n0')
    lab.tb('boot', 'n1')
    lab.pair('start', 'n1')
    lab.wait_mirrored(['alpha'])
    go_on(lab, running)
    finish(running)
    no_errors(running)


def test_degraded_is_on_disk(lab):
    """R11, R14: what was acknowledged without a partner survives a power cut
    of the last node, which then does not wait for the dead partner's store.

    Seen to fail with step_degraded() that does not harden, and with a
    generation that is not raised on the disk.
    """
    lab.tb('crash', 'n1')
    lab.wait('degraded', lambda: lab.mode('n0', 'alpha') == 'degraded')
    running = [Load(lab, 'degraded', 'ALPHA', clients=2)]
    go_on(lab, running, 150)
    lab.tb('crash', 'n0')
    lab.tb('boot', 'n0')
    lab.pair('start', 'n0')
    lab.wait('served again', lambda: lab.owner('ALPHA') == 'n0', 90)
    go_on(lab, running, 20, 90)
    finish(running)


def flush_always(lab):
    """Clients of ALPHA flush after every write."""
    lab.on('n0', 'net', 'conf', 'setparm', 'alpha', 'sync always', 'yes')
    lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')


def flush_when_asked(lab):
    lab.on('n0', 'net', 'conf', 'delparm', 'alpha', 'sync always')
    lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')


def test_flush_is_on_disk(lab):
    """R14: what a client flushed survives the loss of both nodes at once.

    Seen to fail with mirror_fsync_send() that never goes to the disk.
    """
    data = os.path.join(lab.folder, 'shared/data')
    with open(data, 'wb') as out:
        out.write(os.urandom(1 << 20))
    flush_always(lab)
    stop_epochs(lab)
    lab.smbclient('put %s flushed' % data)
    lab.tb('crash', 'n0')
    lab.tb('crash', 'n1')
    for node in ('n0', 'n1'):
        lab.tb('boot', node)
        lab.pair('start', node)
    lab.wait('served again', lambda: lab.owner('ALPHA'), 90)
    lab.smbclient('get flushed %s.back; rm flushed' % data)
    lab.run('cmp', data, data + '.back')
    lab.heal()
    flush_when_asked(lab)


def test_mirrord_killed(lab):
    """R5: mirrord killed on either side: a pause, no error, nothing lost.

    Seen to fail with link_welcome() that sends nothing again, with operations
    that fail when the link breaks, and with a mirrord that does not go on with
    the volumes that it finds served.
    """
    for node in ('n0', 'n1'):
        running = loads(lab, 'kill-' + node)
        go_on(lab, running)
        restart_mirrord(lab, node)
        go_on(lab, running)
        lab.wait_mirrored()
        finish(running)
        no_errors(running)


DIES_WHEN_ASKED = r'''#!/bin/sh
if [ "$1" = health ] && [ ! -e /run/mirrord-died ]; then
	touch /run/mirrord-died
	pkill -KILL -x mirrord
fi
exec /usr/sbin/mirrorctl.real "$@"
'''


def test_mirrord_killed_while_monitored(lab):
    """R5: a mirrord that dies between two steps of ctdb's monitor event is
    started again as at other times; its node keeps its services.

    Seen to fail with a monitor event that asks for the health once.
    """
    def unhealthy():
        return lab.log('n0').count('Node became UNHEALTHY')

    running = loads(lab, 'monitored')
    go_on(lab, running)
    before = unhealthy()
    old = lab.on('n0', 'pgrep', '-x', 'mirrord').split()
    lab.on('n0', 'cp', '-p', '/usr/sbin/mirrorctl', '/usr/sbin/mirrorctl.real')
    lab.on('n0', 'rm', '-f', '/run/mirrord-died')
    lab.on('n0', 'sh', '-c', 'printf %s "$1" > /usr/sbin/mirrorctl.new && '
           'chmod 755 /usr/sbin/mirrorctl.new && '
           'mv /usr/sbin/mirrorctl.new /usr/sbin/mirrorctl', 'sh',
           DIES_WHEN_ASKED)
    lab.wait('mirrord is back', lambda: mirrord_is_back(lab, 'n0', old))
    lab.on('n0', 'mv', '/usr/sbin/mirrorctl.real', '/usr/sbin/mirrorctl')
    assert lab.ok('n0', 'test', '-e', '/run/mirrord-died')
    lab.wait_mirrored()
    go_on(lab, running)
    finish(running)
    no_errors(running)
    assert unhealthy() == before
    assert lab.owner('ALPHA') == 'n0'


def test_ctdbd_killed(lab):
    """ctdbd dies alone: its node gives the services up, addresses included,
    and nobody has to be fenced.

    Seen to fail with a mirrord that does not mind that ctdbd is gone.
    """
    running = loads(lab, 'ctdbd')
    go_on(lab, running)
    lab.on('n0', 'pkill', '-KILL', '-x', 'ctdbd')
    lab.wait('ALPHA on n1', lambda: ADDRESS['ALPHA'] + '/' in
             lab.on('n1', 'ip', '-br', 'addr'))
    assert ADDRESS['ALPHA'] + '/' not in lab.on('n0', 'ip', '-br', 'addr')
    go_on(lab, running)
    finish(running, max_pause=15)
    # smbd ends first, and nobody listens until the address is gone.
    no_answer_was_an_error(running, CLOSED | {errno.ECONNREFUSED})
    assert 'cut off' not in lab.on('n1', 'mirrorctl', 'log').split(
        'ALPHA')[-1]
    # Not started again: ctdbd wants databases that nobody has open.
    lab.tb('crash', 'n0')


def test_mirrord_killed_then_power_cut(lab):
    """R5: the partner's store outlives the process that keeps it.

    Seen to fail with records that are not sent, and with a mirrord that
    empties the store that it finds.
    """
    running = [Load(lab, 'kill-cut', 'ALPHA', clients=3)]
    go_on(lab, running)
    stop_epochs(lab)
    go_on(lab, running, 20)
    restart_mirrord(lab, 'n1')
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)


def test_smbd_killed(lab):
    """A smbd that dies with operations in flight holds nothing up, and what
    it had sent is rolled forward before others get its locks.

    Seen to fail with dead smbds that nobody looks for, and with replay_run()
    that does nothing.
    """
    running = [Load(lab, 'smbd', 'ALPHA', clients=3)]
    for _ in range(5):
        go_on(lab, running, 50)
        smbd = smbds_with_link(lab)[0]
        stopped_partner(lab, 'STOP')
        try:
            lab.wait('all are in flight', lambda: in_flight(lab) >= 3)
            lab.on('n0', 'kill', '-KILL', smbd)
        finally:
            stopped_partner(lab, 'CONT')
    go_on(lab, running)
    epoch = lab.status('n0')['alpha']['wiped']
    lab.wait('epochs go on', lambda:
             lab.status('n0')['alpha']['wiped'] > epoch)
    lab.tb('crash', 'n0')
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    go_on(lab, running)
    finish(running)


def test_read_back(lab):
    """The owner crashes and is back before anybody took over: it fetches its
    records from its partner.

    ctdb gives the partner no address, as an administrator disabled it.

    Seen to fail with replay_run() that does nothing, and with fetched records
    that are not replayed.
    """
    lab.on('n1', 'ctdb', 'disable')
    lab.wait('BETA on n0', lambda: lab.owner('BETA') == 'n0')
    lab.wait_mirrored()
    running = loads(lab, 'read-back')
    go_on(lab, running, 200)
    lab.tb('crash', 'n0')
    lab.wait('n1 knows', lambda: 'DISCONNECTED' in
             lab.on('n1', 'ctdb', 'nodestatus', '0', check=False))
    lab.tb('boot', 'n0')
    lab.pair('start', 'n0')
    for service in ('ALPHA', 'BETA'):
        lab.wait(service + ' on n0', lambda s=service: lab.owner(s) == 'n0')
    go_on(lab, running, 50, 90)
    finish(running)
    assert 'read-back' in lab.on('n0', 'mirrorctl', 'log').lower()
    lab.on('n1', 'ctdb', 'enable')


def test_no_fence_no_takeover(lab):
    """R11: a shared volume is never mounted while its owner may still write:
    without a fence command, and with one that fails.

    Seen to fail with an address that comes up without its volume, with a
    failed fence command taken for a fence, and with a takeip event that fails.
    """
    lab.on('n1', 'net', 'conf', 'delparm', 'global', 'mirror:fence command')
    restart_mirrord(lab, 'n1')
    lab.wait_mirrored()
    lab.smbclient('mkdir before-the-cut')
    lab.tb('crash', 'n0')

    def is_refused(reason, seconds):
        lab.wait('refused, with the reason', lambda: reason in
                 lab.on('n1', 'mirrorctl', 'log'))
        time.sleep(seconds)
        assert lab.owner('ALPHA') is None
        assert not lab.ok('n1', 'mountpoint', '-q', '/srv/alpha')
        # Neither banned nor in a recovery that never ends.
        flags = lab.on('n1', 'ctdb', 'nodestatus', check=False)
        assert ' OK ' in flags, flags
        lab.on('n1', 'net', 'conf', 'list')

    # ctdb asks again every second, but each time it is made to wait for 8.
    is_refused('no fence is configured', 12)
    for command, reason in (('/bin/false', 'could not be fenced'),
                            ('/usr/local/sbin/testbed-fence %N', None)):
        lab.on('n1', 'net', 'conf', 'setparm', 'global',
               'mirror:fence command', command)
        restart_mirrord(lab, 'n1')
        if reason:
            is_refused(reason, 3)
    lab.wait('taken over', lambda: lab.owner('ALPHA') == 'n1')
    assert 'before-the-cut' in lab.smbclient('ls')


def test_wrong_key(lab):
    """R6: a node with another key is refused, harmless, and does not fill the
    log, though it tries ten times a second.

    Seen to fail with a key that is the same in all clusters.
    """
    before = lab.log('n0').count('M003')
    lab.on('n1', 'sh', '-c', 'cp /etc/samba/mirror.key /tmp/right.key; '
           'od -An -tx1 -N32 /dev/urandom | tr -d " \\n" '
           '> /etc/samba/mirror.key')
    running = [Load(lab, 'key', 'ALPHA', clients=1)]
    go_on(lab, running, 50)
    restart_mirrord(lab, 'n1')
    lab.wait('told', lambda: 'key' in
             lab.on('n0', 'mirrorctl', 'log').lower(), 30)
    go_on(lab, running, 200)
    lab.on('n1', 'cp', '/tmp/right.key', '/etc/samba/mirror.key')
    restart_mirrord(lab, 'n1')
    go_on(lab, running, 50)
    finish(running)
    assert 0 < lab.log('n0').count('M003') - before < 6, lab.log('n0')


def test_garbage_on_the_port(lab):
    """R6: whoever connects and talks nonsense disturbs nobody.

    Seen to fail with a mirrord that ends when it reads nonsense, and with
    connections that count after they are closed.
    """
    running = [Load(lab, 'garbage', 'ALPHA', clients=1)]
    go_on(lab, running, 20)
    mirrord = lab.on('n1', 'pgrep', '-o', '-x', 'mirrord')
    # In all more than it takes from strangers at a time.
    for size, times in ((100000, 20), (1000, 300)):
        lab.on('n0', 'bash', '-c', 'for ((i = 0; i < %d; i++)); do '
               'exec 3<>/dev/tcp/10.255.0.2/4380 && '
               'head -c %d /dev/urandom >&3; exec 3>&-; done' % (times, size),
               check=False)
    go_on(lab, running, 50)
    # A new smbd needs a new link.
    lab.smbclient('mkdir after-garbage; rmdir after-garbage')
    finish(running, max_pause=10)
    assert lab.mode('n0', 'alpha') == 'mirrored'
    assert lab.on('n1', 'pgrep', '-o', '-x', 'mirrord') == mirrord


def test_store_full_waits(lab):
    """R9: more than the store holds: clients wait, nothing is dropped.

    Seen to fail with step_send() that fails when there is no room.
    """
    path = os.path.join(lab.folder, 'shared/big')
    with open(path, 'wb') as data:
        data.write(os.urandom(150 << 20))
    lab.smbclient('put %s big; get big %s.back; rm big' % (path, path),
                  timeout=300)
    lab.run('cmp', path, path + '.back')
    os.unlink(path)
    os.unlink(path + '.back')


# FS_IOC_SHUTDOWN without the log: from here on the disk refuses everything.
DISK_FAILS = '''
import fcntl, os, struct
volume = os.open('/srv/alpha', os.O_RDONLY)
fcntl.ioctl(volume, 0x8004587d, struct.pack('I', 2))
'''


def test_disk_that_fails(lab):
    """R9: what the owner's disk refuses is not purged: the node becomes
    unhealthy, and the partner redoes it by its own way to the disk.

    Seen to fail with a syncfs whose error is ignored, and with a node that
    calls itself healthy all the same.
    """
    data = os.path.join(lab.folder, 'shared/data')
    with open(data, 'wb') as out:
        out.write(os.urandom(1 << 20))
    stop_epochs(lab)
    lab.smbclient('put %s kept' % data)
    lab.on('n0', 'python3', '-c', DISK_FAILS)
    go_on_with_epochs(lab)
    lab.wait('ALPHA on n1', lambda: lab.owner('ALPHA') == 'n1')
    lab.smbclient('get kept %s.back; rm kept' % data)
    lab.run('cmp', data, data + '.back')
    assert 'syncfs of /srv/alpha' in lab.on('n0', 'mirrorctl', 'log')


def test_names_alone_are_on_disk(lab):
    """R14: without a partner a name that was removed stays so after a power
    cut, although no file's sync has taken it along to the disk.

    Seen to fail with harden_directory() that does nothing.
    """
    lab.smbclient('mkdir doomed')
    lab.tb('crash', 'n1')
    lab.wait('degraded', lambda: lab.mode('n0', 'alpha') == 'degraded')
    session = Session(lab)
    session.send('mkdir ready')
    lab.wait('the session works', lambda: there(lab, 'ready'))
    lab.on('n0', 'sync', '-f', '/srv/alpha')
    stop_epochs(lab)
    session.send('rmdir doomed')
    session.close()
    lab.tb('crash', 'n0')
    lab.tb('boot', 'n0')
    lab.pair('start', 'n0')
    lab.wait('served again', lambda: lab.owner('ALPHA') == 'n0', 90)
    assert there(lab, 'ready')
    assert not there(lab, 'doomed')


# Each renewal would sync the volume's root directory.
test_names_alone_are_on_disk.conf = dict(
    CONF, options='mirror:lease = 20000')
