# SPDX-License-Identifier: GPL-3.0-or-later
"""arpd, besides the failure matrix (tests/network): what it says on the wire,
what is left when it dies, addresses that others have, NetBIOS, broken cables
that have carrier."""

import json
import os
import re
import signal
import subprocess
import sys
import time

from lab import ADDRESS, TOP, LabError

sys.path.insert(0, os.path.join(TOP, 'tests/network'))
import sniffer  # noqa: E402
import state  # noqa: E402
from streams import Ear, Stream, going_on  # noqa: E402

CONF = {'fs': 'ext4', 'networks': '2', 'arpd': 'yes'}
MAC = {'n0': '02:00:0a:4d:00:00', 'n1': '02:00:0a:4d:00:01'}
SECOND = {'ALPHA': '10.79.0.200', 'BETA': '10.79.0.201'}
SIXTH = {'ALPHA': 'fd77::200', 'BETA': 'fd77::201'}


def status(lab, node):
    return json.loads(lab.on(node, 'mirror-arpd', 'status', '--json'))


def where(lab, node, address):
    """What the node says of an address; it may say two things of one."""
    return {row['where'] for row in status(lab, node)['addresses']
            if row['address'].split('/')[0] == address}


def passes(lab, node, service):
    return 'passing' in where(lab, node, ADDRESS[service])


def nothing_is_passed(lab):
    return not any({'passed', 'passing', 'lingering'} & where(lab, n, a)
                   for n in ('n0', 'n1') for a in
                   (*ADDRESS.values(), *SECOND.values(), *SIXTH.values()))


# Not by its name: what asks it, for ctdb's monitor event, has the same one.
ARPD_PIDS = ('p=$(cat /run/samba-mirror/arpd.pid); echo '
             '$(pgrep -x -F /run/samba-mirror/arpd.pid mirror-arpd) '
             '$(pgrep -x -P "$p" mirror-arpd)')


def arpd_pids(lab, node):
    """Of both processes, the privileged one first."""
    return lab.on(node, 'sh', '-c', ARPD_PIDS).split()


def arpd_pids_here(lab, node):
    """As this machine numbers them."""
    init = lab.tb('pid', node).strip()
    inside = arpd_pids(lab, node)
    here = []
    for pid in lab.run('pgrep', '--ns', init, '--nslist', 'pid', '-x',
                       'mirror-arpd').split():
        try:
            with open('/proc/%s/status' % pid) as fields:
                numbers = [line.split() for line in fields
                           if line.startswith('NSpid:')]
        except OSError:     # one that asked, and has ended
            continue
        if numbers[0][-1] in inside:
            here.append(int(pid))
    return here


def start_arpd(lab, node):
    """ctdb's monitor event may have been faster."""
    lab.on(node, 'sh', '-c', 'mirror-arpd -l /var/log/samba/log.arpd || '
           '[ -n "$(%s)" ]' % ARPD_PIDS)


def restart_arpd(lab, node):
    """By us or by ctdb's monitor event: between the two there may be no
    moment without one."""
    old = arpd_pids(lab, node)
    lab.on(node, 'kill', old[0])
    lab.wait('it ended', lambda: not set(old) & set(arpd_pids(lab, node)))
    start_arpd(lab, node)


def streams(lab, *wanted):
    """Started, and under way: pairs of a client and an address of ALPHA."""
    made = [Stream(lab, address, 'alpha', client) for client, address in
            wanted]
    now = time.monotonic()
    lab.wait('streams', lambda: going_on(made, now))
    return made


def assert_survived(made):
    for stream in made:
        summary = stream.stop()
        assert summary['survived'] == 'yes', (stream.name, stream.text())
        assert summary['lost'] == '0', summary


def mended(lab):
    lab.tb('mend')
    lab.wait('all paths are up', lambda: all(
        path['state'] == 'up' for node in ('n0', 'n1')
        for peer in status(lab, node)['peers'] for path in peer['paths']))
    lab.wait('nothing is passed through', lambda: nothing_is_passed(lab))


def test_both_forms_are_on_the_wire(lab):
    """Gratuitous ARP as request and reply, and neighbour advertisements with
    the override flag: read by tshark.

    R6.
    """
    path = os.path.join(lab.folder, 'shared/wire.pcap')
    capture = subprocess.Popen(
        (lab.testbed, 'exec', 'switch', 'tcpdump', '-U', '-i', 'lan0a', '-w',
         path, 'arp', 'or', 'icmp6'), env=lab.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    try:
        lab.wait('tcpdump', lambda: os.path.exists(path) and
                 os.path.getsize(path) > 0)
        lab.tb('unplug', 'n0', 'lan0')
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))

        def seen(wanted):
            out = lab.run('tshark', '-r', path, '-Y', wanted, '-T', 'fields',
                          '-e', 'frame.number', check=False)
            return re.search(r'^\d+$', out, re.M)

        ours = 'arp.src.hw_mac == %s && arp.src.proto_ipv4 == %s && ' \
            'arp.dst.proto_ipv4 == %s && arp.opcode == ' % (
                MAC['n1'], ADDRESS['ALPHA'], ADDRESS['ALPHA'])
        lab.wait('the request form', lambda: seen(ours + '1'), 10)
        lab.wait('the reply form', lambda: seen(ours + '2'), 10)
        lab.wait('the advertisement', lambda: seen(
            'icmpv6.type == 136 && icmpv6.nd.na.target_address == %s && '
            'icmpv6.nd.na.flag.o == 1 && icmpv6.nd.na.flag.s == 0 && '
            'icmpv6.opt.linkaddr == %s && icmpv6.checksum.status == 1 && '
            'ipv6.hlim == 255' % (SIXTH['ALPHA'], MAC['n1'])), 10)
    finally:
        capture.terminate()
        capture.wait(timeout=10)
        mended(lab)


def test_netbios_through_the_partner(lab):
    """A broadcast asks for a name whose node has no port on the network.
    """
    def answer():
        return ADDRESS['ALPHA'] in lab.on(
            'client', 'nmblookup', '-B', '10.77.0.255', 'ALPHA', check=False)

    lab.wait('nmbd answers', answer)
    lab.tb('unplug', 'n0', 'lan0')
    try:
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))
        lab.wait('it is answered through n1', answer, 10)
    finally:
        mended(lab)


def test_a_dead_daemon_takes_nothing_with_it(lab):
    """SIGKILL of arpd on both nodes while n1 passes: clients notice nothing,
    the next ones take away nothing, and go on.
    """
    made = streams(lab, ('client', ADDRESS['ALPHA']),
                   ('client2', SIXTH['ALPHA']))
    lab.tb('unplug', 'n0', 'lan0')
    try:
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))
        lab.wait('n0 knows', lambda: 'passed' in
                 where(lab, 'n0', ADDRESS['ALPHA']))
        before = {n: state.of_node(lab, n) for n in ('n0', 'n1')}
        for node in ('n0', 'n1'):
            lab.on(node, 'sh', '-c', 'ip monitor address route rule '
                   '>/shared/monitor-%s 2>&1 </dev/null &' % node)
        old = {n: set(arpd_pids(lab, n)) for n in ('n0', 'n1')}
        # At once: one that outlives the other takes its node for dead.
        for pid in [pid for n in old for pid in arpd_pids_here(lab, n)]:
            os.kill(pid, signal.SIGKILL)
        now = time.monotonic()
        for node in ('n0', 'n1'):
            difference = state.difference(before[node],
                                          state.of_node(lab, node))
            assert difference == '', difference
        lab.wait('clients go on', lambda: going_on(made, now + 0.5))
        # ctdb's monitor event starts them, if nobody else does.
        lab.wait('there are new ones', lambda: all(
            len(arpd_pids(lab, n)) == 2 and
            not old[n] & set(arpd_pids(lab, n)) for n in old))
        lab.wait('n1 passes again', lambda: passes(lab, 'n1', 'ALPHA'))
        lab.wait('n0 knows again', lambda: 'passed' in
                 where(lab, 'n0', ADDRESS['ALPHA']))
        for node in ('n0', 'n1'):
            lab.on(node, 'pkill', '-x', 'ip')
            with open(os.path.join(lab.folder,
                                   'shared/monitor-' + node)) as said:
                text = said.read()
            assert 'Deleted' not in text, text
    finally:
        mended(lab)
    assert_survived(made)


def test_a_killed_half_is_replaced(lab):
    """The unprivileged process dies: the privileged one starts another. ctdb's
    monitor event, which is asking it just then, is no reason to move services.
    """
    made = streams(lab, ('client', ADDRESS['ALPHA']))
    old = arpd_pids(lab, 'n0')
    parent, child = old
    lab.on('n0', 'kill', '-STOP', child)
    monitor = subprocess.Popen(
        (lab.testbed, 'exec', 'n0', 'mirror-arpd', 'monitor'), env=lab.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True)
    # That of ctdb may be asking, too.
    lab.wait('it asks', lambda: all(
        'pid=%s,' % pid in lab.on('n0', 'ss', '-xHnp', 'state', 'established')
        for pid in lab.on('n0', 'pgrep', '-f',
                          '^mirror-arpd monitor').split()))
    lab.on('n0', 'kill', '-KILL', child)
    said, _ = monitor.communicate(timeout=30)
    assert monitor.returncode == 0, said
    lab.wait('another one', lambda: len(arpd_pids(lab, 'n0')) == 2 and
             child not in arpd_pids(lab, 'n0'))
    assert arpd_pids(lab, 'n0')[0] == parent
    lab.wait('paths are up', lambda: all(
        path['state'] == 'up' for peer in status(lab, 'n0')['peers']
        for path in peer['paths']) and status(lab, 'n0')['peers'])
    now = time.monotonic()
    lab.wait('clients go on', lambda: going_on(made, now + 0.5))
    assert_survived(made)
    # Nobody took it for the death of the node.
    assert lab.owner('ALPHA') == 'n0'


def test_a_monitor_event_replaces_a_dead_daemon(lab):
    """It died after the event began, with a port that is passed through: ctdb's
    own script is not asked, which would give the node's services away.
    """
    def last():
        return lab.on('n0', 'ctdb', 'scriptstatus', 'monitor', check=False)

    lab.on('n0', 'ctdb', 'setvar', 'MonitorInterval', '600')
    try:
        before = last()
        lab.wait('the last one of ctdb has ended', lambda: last() != before)
        lab.tb('unplug', 'n0', 'lan0')
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))
        old = set(arpd_pids(lab, 'n0'))
        for pid in arpd_pids_here(lab, 'n0'):
            os.kill(pid, signal.SIGKILL)
        said = lab.on('n0', 'env', 'CTDB_BASE=/etc/ctdb',
                      '/etc/ctdb/events/legacy/10.mirror-address.script',
                      'monitor')
        assert 'No link' not in said, said
        new = set(arpd_pids(lab, 'n0'))
        assert len(new) == 2 and not old & new, (old, new)
        lab.wait('n1 passes again', lambda: passes(lab, 'n1', 'ALPHA'))
    finally:
        lab.on('n0', 'ctdb', 'setvar', 'MonitorInterval', '2')
        mended(lab)


def test_changed_files_are_followed(lab):
    """While it runs; wrong ones, and such that do not name this node, change
    nothing but are told. Clients notice nothing.
    """
    made = streams(lab, ('client', ADDRESS['ALPHA']))
    log = '/var/log/samba/log.arpd'

    def write(file, text):
        lab.on('n0', 'sh', '-c', 'printf "%s" >>/etc/ctdb/%s' % (text, file))

    def told(word, times):
        return lab.on('n0', 'cat', log).count(word) == times

    kept = lab.on('n0', 'cat', log).count('N009')
    changed = lab.on('n0', 'cat', log).count('N008')
    lab.on('n0', 'sh', '-c', 'cp -a /etc/ctdb/script.options '
           '/etc/ctdb/nodes /tmp/')
    try:
        old = arpd_pids(lab, 'n0')
        write('script.options', 'CTDB_ARPD_DETECTION=soon\n')
        lab.wait('it is told', lambda: told('N009', kept + 1))
        assert arpd_pids(lab, 'n0') == old
        lab.on('n0', 'sh', '-c', 'cp -a /tmp/script.options /etc/ctdb/')
        write('script.options', 'CTDB_ARPD_HOLD=1200\n')
        lab.wait('it is followed', lambda: told('N008', changed + 1))
        lab.wait('another half', lambda: len(arpd_pids(lab, 'n0')) == 2 and
                 arpd_pids(lab, 'n0') != old)
        assert arpd_pids(lab, 'n0')[0] == old[0]

        lab.on('n0', 'sh', '-c', 'sed -i s/^10.255.0.1$/10.255.0.9/ '
               '/etc/ctdb/nodes')
        lab.wait('it is told', lambda: told('N009', kept + 2))
        lab.on('n0', 'sh', '-c', 'cp -a /tmp/nodes /etc/ctdb/')
        lab.wait('it goes on', lambda: all(
            path['state'] == 'up' for peer in status(lab, 'n0')['peers']
            for path in peer['paths']))
        now = time.monotonic()
        lab.wait('clients go on', lambda: going_on(made, now + 0.5))
    finally:
        lab.on('n0', 'sh', '-c', 'cp -a /tmp/script.options /tmp/nodes '
               '/etc/ctdb/')
    lab.wait('as before', lambda: told('N008', changed + 3))
    assert_survived(made)
    assert lab.owner('ALPHA') == 'n0'


def test_who_reads_the_network_has_no_privileges(lab):
    """Neither a user, nor capabilities, nor system calls: only one of the two
    processes has them.
    """
    for node in ('n0', 'n1'):
        _, child = arpd_pids(lab, node)
        text = lab.on(node, 'cat', '/proc/%s/status' % child)
        fields = dict(line.split(':', 1) for line in text.splitlines()
                      if ':' in line)
        assert '0' not in fields['Uid'].split(), fields['Uid']
        assert '0' not in fields['Gid'].split(), fields['Gid']
        for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb'):
            assert int(fields[name], 16) == 0, (name, fields[name])
        assert fields['Seccomp'].strip() == '2', fields['Seccomp']
        assert fields['NoNewPrivs'].strip() == '1'


def test_an_address_that_somebody_has_is_not_added(lab):
    """Never a duplicate: the service's address stays down while a client has
    it, loudly, and comes when that ends.
    """
    # Not while it can be asked for: between its owners.
    for pnn in '01':
        lab.on('n0', 'ctdb', 'disable', '-n', pnn)
    try:
        lab.wait('no owner', lambda: lab.owner('ALPHA') is None)
        lab.on('client2', 'ip', 'addr', 'add', ADDRESS['ALPHA'] + '/32',
               'dev', 'eth0')
        for pnn in '01':
            lab.on('n0', 'ctdb', 'enable', '-n', pnn)
        lab.wait('it is told', lambda: 'N052' in lab.log('n0') + lab.log('n1'))
        # The others come: it is no reason to have nothing.
        lab.wait('BETA is there', lambda: lab.owner('BETA'))
        assert lab.owner('ALPHA') is None
    finally:
        lab.on('client2', 'ip', 'addr', 'del', ADDRESS['ALPHA'] + '/32',
               'dev', 'eth0', check=False)
        for pnn in '01':
            lab.on('n0', 'ctdb', 'enable', '-n', pnn, check=False)
    lab.wait('it is added', lambda: lab.owner('ALPHA'), 10)
    lab.heal()


def test_addresses_follow_the_anchor(lab):
    """ctdb moveip, disable and enable move all addresses of a service, each to
    the interface of its network.
    """
    def has(node):
        text = lab.on(node, 'ip', '-br', 'addr')
        rows = {line.split()[0].split('@')[0]: line
                for line in text.splitlines()}
        return (ADDRESS['ALPHA'] + '/24' in rows['lan0'] and
                SIXTH['ALPHA'] + '/64' in rows['lan0'] and
                SECOND['ALPHA'] + '/24' in rows['lan1'])

    def has_none(node):
        text = lab.on(node, 'ip', '-br', 'addr')
        return not any(a in text for a in (
            ADDRESS['ALPHA'] + '/', SIXTH['ALPHA'] + '/',
            SECOND['ALPHA'] + '/'))

    assert has('n0') and has_none('n1')
    lab.on('n0', 'ctdb', 'moveip', ADDRESS['ALPHA'], '1')
    lab.wait('moved', lambda: has('n1') and has_none('n0'))
    lab.on('n0', 'ctdb', 'disable', '-n', '1')
    lab.wait('moved back', lambda: has('n0') and has_none('n1'))
    lab.on('n0', 'ctdb', 'enable', '-n', '1')
    lab.heal()


def test_no_address_stays_with_a_hung_mirrord(lab):
    """All addresses of a service go, though mirrord cannot say which they are.

    Seen to fail with a script that leaves it to ctdb's own, which knows of the
    anchor alone.
    """
    lab.on('n0', 'pkill', '-STOP', '-x', 'mirrord')
    try:
        lab.on('n0', 'ctdb', 'event', 'run', '30', 'legacy', 'releaseip',
               'lan0', ADDRESS['ALPHA'], '24')
        text = lab.on('n0', 'ip', '-br', 'addr')
        for one in (ADDRESS, SECOND, SIXTH):
            assert one['ALPHA'] + '/' not in text, text
    finally:
        lab.on('n0', 'pkill', '-CONT', '-x', 'mirrord', check=False)
    lab.heal()


def broken_cable(lab, way):
    """Frames of n0's port get lost one way; carrier stays."""
    made = streams(lab, ('client', ADDRESS['ALPHA']),
                   ('client2', ADDRESS['ALPHA']))
    began = time.monotonic()
    ear = Ear(lab)
    lab.tb('lose', 'n0', 'lan0', way)
    try:
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'), 10)
        # All that clients have is forgotten: who answers them now?
        for client in ('client', 'client2'):
            lab.on(client, 'ip', 'neigh', 'flush', 'dev', 'eth0')
        now = time.monotonic()
        lab.wait('clients go on', lambda: going_on(made, now + 1.5), 10)
        assert not passes(lab, 'n0', 'BETA')
    finally:
        cured = time.monotonic()
        mended(lab)
    now = time.monotonic()
    lab.wait('clients go on', lambda: going_on(made, now + 0.5), 10)
    ear.stop()
    # Two things happen, and each may bring another owner.
    for begin, end in ((began, cured), (cured, time.monotonic())):
        disputes = sniffer.disputes(ear.claims(), set(ADDRESS.values()), begin,
                                    end)
        assert not disputes, disputes
    assert_survived(made)


def test_a_port_that_cannot_send(lab):
    """One-way loss is a loss: n1 passes, n0 does not answer any more.
    """
    broken_cable(lab, 'out')


def test_a_port_that_cannot_receive(lab):
    """The same for the other way.
    """
    broken_cable(lab, 'in')


def test_pass_through_takes_another_way(lab):
    """The interconnect dies during pass-through: over the other network.
    """
    made = streams(lab, ('client', ADDRESS['ALPHA']),
                   ('client2', ADDRESS['ALPHA']),
                   ('client', SIXTH['ALPHA']))
    lab.tb('unplug', 'n0', 'lan0')
    try:
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))
        now = time.monotonic()
        lab.wait('through the interconnect',
                 lambda: going_on(made, now + 0.5), 10)
        lab.tb('unplug', 'n1', 'ic')
        lab.wait('by lan1', lambda: any(
            row.get('inside') == 'lan1'
            for row in status(lab, 'n1')['addresses']
            if row['where'] == 'passing'), 10)
        now = time.monotonic()
        lab.wait('through lan1', lambda: going_on(made, now + 0.5), 10)
    finally:
        mended(lab)
    assert_survived(made)
    # ctdb noticed nothing either.
    assert 'is dead' not in lab.on('n0', 'cat', '/var/log/ctdb/log.ctdb')


def test_a_new_daemon_without_the_others_announces(lab):
    """Only n0 has power, and its arpd is killed: the next one waits for nobody
    for ever, and says what n0 holds, as switches may have forgotten it.
    """
    lab.tb('crash', 'n1')
    ear = None
    try:
        lab.wait('n0 has both', lambda: lab.owner('ALPHA') == 'n0' and
                 lab.owner('BETA') == 'n0')
        lab.on('n0', 'kill', '-KILL', *arpd_pids(lab, 'n0'))
        ear = Ear(lab)
        start_arpd(lab, 'n0')
        for address in (ADDRESS['ALPHA'], ADDRESS['BETA'], SIXTH['ALPHA']):
            lab.wait('%s is announced' % address, lambda a=address: any(
                claim.address == a and claim.mac == MAC['n0']
                for claim in ear.claims()), 15)
    finally:
        if ear:
            ear.stop()
        lab.heal()
    mended(lab)


def test_flush_leaves_nothing(lab):
    """What arpd added goes with --flush, while it passes, too.

    With it go the routes of ctdb, and dead nodes are fenced: here the kernel
    has routes of its own, as a machine has whose administrator flushes arpd's.
    """
    def flushed(node):
        lab.on(node, 'sh', '-c', 'kill -KILL $(%s); mirror-arpd --flush' %
               ARPD_PIDS)
        text = state.of_node(lab, node)
        # ctdb's monitor event may have started the next one before the look.
        return not arpd_pids(lab, node) and text

    lab.tb('routes', 'static')
    lab.tb('unplug', 'n0', 'lan0')
    try:
        lab.wait('n1 passes', lambda: passes(lab, 'n1', 'ALPHA'))
        for node in ('n1', 'n0'):
            text = lab.wait('flush', lambda n=node: flushed(n))
            for mark in ('proto 67', 'lookup 438', 'samba_mirror',
                         '10.77.0.20', '10.79.0.20', 'fd77::20'):
                assert mark not in text, (node, mark, text)
            assert 'lan0/forwarding:1' not in text, text
    finally:
        lab.tb('mend')
        for node in ('n0', 'n1'):
            start_arpd(lab, node)
        lab.tb('routes', 'none')
    lab.heal()


def test_another_key_is_told(lab):
    """A node with another key is heard, refused, and named in the log.

    R6.
    """
    if 'N017' in lab.log('n0'):
        raise LabError('the key was wrong before')
    lab.on('n1', 'sh', '-c', 'cp -p /etc/samba/mirror.key /run/old.key; echo '
           '00112233445566778899aabbccddeeff >/etc/samba/mirror.key')
    try:
        restart_arpd(lab, 'n1')
        lab.wait('it is told', lambda: 'N017' in lab.log('n0'))
        assert status(lab, 'n0')['peers'][0]['state'] != 'alive'
    finally:
        lab.on('n1', 'cp', '-p', '/run/old.key', '/etc/samba/mirror.key')
        restart_arpd(lab, 'n1')
    lab.wait('alive', lambda: status(lab, 'n0')['peers'][0]['state'] ==
             'alive')
    lab.heal()
