# SPDX-License-Identifier: GPL-3.0-or-later
"""Services in the registry: added, changed and removed while others run, and
seen only where they live."""

import json
import time

from lab import ADDRESS, CREDENTIALS, FURTHER, Load
from test_20_failures import finish, go_on, no_errors

CONF = {'fs': 'ext4'}

NOT_HERE = 'NT_STATUS_BAD_NETWORK_NAME'


def connect(lab, share, service):
    """What a client hears that looks for a share at a service's address."""
    return lab.smbclient('ls', service, share, check=False)


def test_share_is_seen_only_at_its_service(lab):
    """A share of BETA is not at the address of ALPHA: not while BETA lives on
    the other node, not while both live on one; and nothing is created where it
    would be mounted.
    """
    lab.on('n0', 'mkdir', '-p', '/srv/beta/share')
    try:
        assert NOT_HERE in connect(lab, 'beta', 'ALPHA')
        assert NOT_HERE in connect(lab, 'alpha', 'BETA')
        assert 'blocks of size' in connect(lab, 'beta', 'BETA')
    finally:
        lab.on('n0', 'rmdir', '/srv/beta/share')
    lab.on('n0', 'ctdb', 'moveip', '10.77.0.201', '0')
    lab.wait('BETA on n0', lambda: lab.owner('BETA') == 'n0')
    lab.wait_mirrored(['beta'])
    for share, service in (('beta', 'ALPHA'), ('alpha', 'BETA')):
        assert NOT_HERE in connect(lab, share, service), share
        assert 'blocks of size' in connect(lab, share, share.upper()), share


def both(lab, *command):
    """What a command says on n0, which it also says on n1."""
    said = [lab.on(node, *command) for node in ('n0', 'n1')]
    assert said[0] == said[1], (command, said)
    return said[0]


def test_both_nodes_are_one_identity(lab):
    """Machine account, SIDs, passwords, groups and shares are in ctdb's
    databases: what is set on one node is so on the other.
    """
    assert 'SID for domain PAIR is: S-1-5-21-' in both(
        lab, 'net', 'getlocalsid')
    lab.on('n0', 'net', 'setdomainsid', 'S-1-5-21-11-22-33')
    assert 'S-1-5-21-11-22-33' in both(lab, 'net', 'getdomainsid')
    before = both(lab, 'pdbedit', '-L', '-w', '-u', 'tester')
    lab.on('n1', 'bash', '-c',
           "printf 'changed\\nchanged\\n' | smbpasswd -s tester")
    try:
        assert both(lab, 'pdbedit', '-L', '-w', '-u', 'tester') != before
    finally:
        lab.on('n1', 'bash', '-c',
               "printf 'tester\\ntester\\n' | smbpasswd -s tester")
    lab.on('n0', 'net', 'groupmap', 'add', 'ntgroup=Crew', 'unixgroup=users',
           'type=local')
    assert 'Crew' in both(lab, 'net', 'groupmap', 'list')
    lab.on('n1', 'net', 'groupmap', 'delete', 'ntgroup=Crew')
    assert 'Crew' not in both(lab, 'net', 'groupmap', 'list')
    both(lab, 'net', 'conf', 'list')
    # The id map is winbindd's, in a database of ctdb as the others.
    assert 'S-1-5-21-11-22-33-1000' in id_map(lab)


def id_map(lab):
    """Made on n0, read on n1."""
    lab.on('n0', 'bash', '-c', "printf 'GID 70000 S-1-5-21-11-22-33-1000\\n"
           "USER HWM 70000\\nGROUP HWM 70001\\n' |"
           " net idmap restore --db=/var/lib/samba/winbindd_idmap.tdb")
    return lab.on('n1', 'net', 'idmap', 'dump',
                  '--db=/var/lib/samba/winbindd_idmap.tdb')


def test_names_for_kerberos(lab):
    """mirror-ads-names tells the principal names of all services. (There is no
    domain controller here that would take them.)
    """
    out = lab.on('n0', 'mirror-ads-names', '-n', check=False)
    assert 'realm is not set' in out, out
    lab.on('n0', 'net', 'conf', 'setparm', 'global', 'realm', 'EXAMPLE.ORG')
    try:
        out = lab.on('n1', 'mirror-ads-names', '-n', '-U', 'Administrator')
    finally:
        lab.on('n0', 'net', 'conf', 'delparm', 'global', 'realm')
    assert 'net ads setspn add cifs/ALPHA -U Administrator' in out, out
    assert 'setspn add cifs/beta.example.org ' in out, out


# ------------------------------------------------------------- live changes

GAMMA = {
    'mirror:GAMMA addresses': FURTHER['GAMMA'] + '/24@lan0',
    'mirror:GAMMA names': 'GAMMA',
    'mirror:GAMMA home': '1',
    'mirror:GAMMA volumes': 'gamma',
    'mirror:gamma device': '/dev/disk2',
    'mirror:gamma mount point': '/srv/gamma',
}
SHARE = {
    'path': '/srv/gamma/share',
    'vfs objects': 'acl_xattr streams_xattr mirror',
    'read only': 'no',
}
# Noticed within two seconds and read by a program of its own; ctdb then looks
# once a second. The machine may be busy.
SECONDS = 60


def setparm(lab, values, section='global', node='n0'):
    for option, value in values.items():
        lab.on(node, 'net', 'conf', 'setparm', section, option, value)


def configuration(lab, node):
    """What status says of it: `problem' and `waits'."""
    return json.loads(lab.on(node, 'mirrorctl', 'status',
                             '--json'))['configuration']


def has(lab, node, address):
    return ' %s/' % address in lab.on(node, 'ip', '-br', 'addr')


def at(lab, address, share, command='ls'):
    return lab.on('client', 'smbclient', CREDENTIALS, '-t', '30',
                  '//%s/%s' % (address, share), '-c', command, check=False)


def add_gamma(lab):
    """All that an administrator does, on one node."""
    setparm(lab, GAMMA)
    lab.on('n0', 'net', 'conf', 'addshare', 'gamma', '/srv/gamma/share')
    setparm(lab, SHARE, 'gamma')
    setparm(lab, {'mirror:services': 'ALPHA BETA GAMMA'})
    lab.wait('GAMMA is mirrored', lambda: lab.mode('n1', 'gamma') ==
             'mirrored', SECONDS)
    lab.wait('GAMMA is at home', lambda: has(lab, 'n1', FURTHER['GAMMA']),
             SECONDS)
    lab.wait('its share is there', lambda: 'blocks of size' in
             at(lab, FURTHER['GAMMA'], 'gamma'), SECONDS)


def change_gamma(lab):
    """A further address and another name, where it lives."""
    setparm(lab, {
        'mirror:GAMMA addresses': GAMMA['mirror:GAMMA addresses'] +
        ' 10.77.0.210', 'mirror:GAMMA names': 'GAMMA FILMS'})
    lab.wait('the new address', lambda: has(lab, 'n1', '10.77.0.210'),
             SECONDS)
    assert 'blocks of size' in at(lab, '10.77.0.210', 'gamma')
    lab.wait('the new name', lambda: '10.77.0.2' in lab.on(
        'client', 'nmblookup', '-B', '10.77.0.255', 'FILMS', check=False),
        SECONDS)
    setparm(lab, GAMMA)
    lab.wait('it is gone', lambda: not has(lab, 'n1', '10.77.0.210'), SECONDS)


def refuse_wrong(lab):
    """The old configuration stays in force, new clients are served, and it is
    told on both nodes."""
    for wrong, said in (
            ({'mirror:GAMMA addresses': 'nowhere'}, 'is no IP address'),
            ({'mirror:GAMMA volumes': 'gamma alpha'}, 'both services'),
            ({'mirror:flush': 'disc'}, 'disk or mirrored'),
            ({'mirror:gamma device': '/dev/disk3'}, 'enabled" no'),
            ({'mirror:services': 'ALPHA BETA'}, 'enabled" no')):
        option = list(wrong)[0]
        right = GAMMA.get(option) or {
            'mirror:services': 'ALPHA BETA GAMMA',
            'mirror:flush': 'disk'}[option]
        setparm(lab, wrong)
        for node in ('n0', 'n1'):
            lab.wait('%s is refused on %s' % (wrong, node), lambda n=node:
                     said in (configuration(lab, n)['problem'] or ''), SECONDS)
        assert said in lab.on('n1', 'mirrorctl', 'reload', check=False)
        assert 'M061' in lab.on('n1', 'mirrorctl', 'log')
        assert lab.ok('n1', 'mirrorctl', 'health')
        lab.on('n1', 'smbcontrol', 'smbd', 'reload-config')
        assert 'blocks of size' in at(lab, FURTHER['GAMMA'], 'gamma')
        setparm(lab, {option: right})
        lab.on('n1', 'mirrorctl', 'reload')
        lab.on('n0', 'mirrorctl', 'reload')
        assert configuration(lab, 'n1')['problem'] is None


def remove_gamma(lab):
    """Stopped first, then taken out of the list; nothing of it is left."""
    setparm(lab, {'mirror:GAMMA enabled': 'no'})
    for node in ('n0', 'n1'):
        lab.wait('ctdb of %s forgets it' % node, lambda n=node:
                 FURTHER['GAMMA'] not in lab.on(n, 'ctdb', 'ip') and
                 not has(lab, n, FURTHER['GAMMA']), SECONDS)
        lab.wait('it is unmounted on ' + node, lambda n=node: not lab.ok(
            n, 'mountpoint', '-q', '/srv/gamma'), SECONDS)
    lab.on('n1', 'net', 'conf', 'delshare', 'gamma')
    setparm(lab, {'mirror:services': 'ALPHA BETA'})
    for option in list(GAMMA) + ['mirror:GAMMA enabled']:
        lab.on('n1', 'net', 'conf', 'delparm', 'global', option)
    for node in ('n0', 'n1'):
        lab.wait('%s does not know it' % node, lambda n=node:
                 'gamma' not in lab.status(n), SECONDS)
        assert configuration(lab, node)['problem'] is None
        assert 'samba-mirror' not in lab.on(
            node, 'cat', '/etc/ctdb/public_addresses')


def test_no_event_waits_for_the_registry(lab):
    """A recovery waits for the script that runs, and the registry for the
    recovery: what would ask it gives up, and changes nothing.
    """
    pid = '/run/samba-mirror/nmbd/ALPHA/nmbd.pid'
    lab.on('n0', 'sh', '-c', 'printf "#!/bin/sh\nexec sleep 600\n" '
           '>/usr/local/sbin/testparm; chmod 755 /usr/local/sbin/testparm')
    try:
        before = lab.wait('nmbd runs', lambda: lab.on('n0', 'cat', pid))
        began = time.monotonic()
        lab.on('n0', 'ctdb', 'event', 'run', '30', 'legacy', 'reconfigure')
        assert time.monotonic() - began < 10
        assert lab.on('n0', 'cat', pid) == before, 'nmbd was started again'
    finally:
        lab.on('n0', 'rm', '/usr/local/sbin/testparm')


def test_service_comes_and_goes(lab):
    """By `net conf' alone a service with its volume, address and share is
    added, changed, taken over when its node dies, and removed; a wrong
    configuration is refused. The client of another service notices nothing.
    """
    lab.tb('mkfs', 'disk2', 'ext4', 'share', '2001:2001')
    while_alpha_is_used(lab, added_and_changed)
    taken_over(lab)
    while_alpha_is_used(lab, remove_gamma)


def while_alpha_is_used(lab, what):
    """No operation of its clients fails, none waits for a second."""
    lab.wait('the machine is calm', lambda: is_calm(lab), 120)
    running = [Load(lab, what.__name__, 'ALPHA', clients=2)]
    go_on(lab, running)
    what(lab)
    go_on(lab, running)
    finish(running, max_pause=1)
    no_errors(running)


def is_calm(lab):
    """Is the disk done with what was made on it? Then pauses are ours."""
    name = 'calm-%d' % time.monotonic_ns()
    running = [Load(lab, name, 'ALPHA', clients=2)]
    go_on(lab, running, count=500)
    return finish(running) < 0.5


def added_and_changed(lab):
    add_gamma(lab)
    assert NOT_HERE in at(lab, ADDRESS['ALPHA'], 'gamma')
    assert 'NT_STATUS' not in at(lab, FURTHER['GAMMA'], 'gamma', 'mkdir kept')
    change_gamma(lab)
    refuse_wrong(lab)


def taken_over(lab):
    lab.tb('crash', 'n1')
    lab.wait('GAMMA on n0', lambda: has(lab, 'n0', FURTHER['GAMMA']), SECONDS)
    assert 'kept' in at(lab, FURTHER['GAMMA'], 'gamma')
    lab.tb('boot', 'n1')
    lab.pair('start', 'n1')
    lab.wait('n1 is back', lambda: 'UNHEALTHY' not in lab.on(
        'n1', 'ctdb', 'nodestatus', check=False) and lab.mode(
            'n0', 'gamma') == 'mirrored', 120)


test_service_comes_and_goes.conf = {'fs': 'ext4', 'disks': 3}
