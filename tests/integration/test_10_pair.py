# SPDX-License-Identifier: GPL-3.0-or-later
"""The pair in peace: what is served, what is refused, what is recorded."""

import os
import time

from lab import LabError, TOP

CONF = {'fs': 'ext4'}


def records(lab, node='n0', volume='alpha'):
    """Records that the owner's smbds have sent so far."""
    return lab.status(node)[volume]['records_sent']


def test_both_services_are_mirrored(lab):
    """Both nodes are active, each the partner of the other.

    Seen to fail with a status that does not tell of the store.
    """
    for node, own, other in (('n0', 'alpha', 'beta'), ('n1', 'beta', 'alpha')):
        status = lab.status(node)
        assert status[own]['mode'] == 'mirrored', status
        assert status[own]['role'] == 'owner', status
        assert status[other]['role'] == 'partner', status


def test_files_come_back_as_written(lab):
    """put, rename, get, delete through both services.

    Seen to fail with apply_renameat() that does nothing.
    """
    for service in ('ALPHA', 'BETA'):
        path = os.path.join(lab.folder, 'shared/data')
        with open(path, 'wb') as data:
            data.write(os.urandom(3 << 20))
        lab.smbclient('put %s one; mkdir d; rename one d/two' % path, service)
        lab.smbclient('get d/two %s.back' % path, service)
        lab.run('cmp', path, path + '.back')
        lab.smbclient('rm d/two; rmdir d', service)
        assert 'two' not in lab.smbclient('ls d/*', service, check=False)


def test_every_change_is_recorded_once(lab):
    """Leaves only: a create, a write and a delete are so many records.

    Seen to fail with mirror_fsetxattr() that makes no record.
    """
    path = os.path.join(lab.folder, 'shared/small')
    with open(path, 'wb') as data:
        data.write(b'x' * 100)
    before = records(lab)
    lab.smbclient('put %s counted' % path)
    put = records(lab) - before
    # create; DOSATTRIB, POSIX ACL, NT ACL; write; times at close
    assert put == 6, 'put made %d records' % put
    before = records(lab)
    lab.smbclient('rename counted renamed')
    assert records(lab) - before == 1, 'rename; the archive bit is there'
    before = records(lab)
    lab.smbclient('setmode renamed +h')
    assert records(lab) - before == 1, 'DOSATTRIB'
    before = records(lab)
    lab.smbclient('rm renamed')
    assert records(lab) - before == 1, 'unlink'
    before = records(lab)
    lab.smbclient('ls')
    assert records(lab) == before, 'a listing changes nothing'


def ids_of(lab, path):
    """The attribute that has the identity, wherever it is kept."""
    return lab.on('n0', 'getfattr', '-d', '-m', 'mirror', '-e', 'hex', path)


def test_ids_are_hidden(lab):
    """R4: clients neither see nor forge the identity of a file.

    Seen to fail with an identity that is kept in the attribute user.mirror.id,
    and with one that is not kept.
    """
    path = os.path.join(lab.folder, 'shared/small')
    with open(path, 'wb') as data:
        data.write(b'x')
    lab.smbclient('put %s file' % path)
    ids = ids_of(lab, '/srv/alpha/share/file')
    assert 'mirror.id=0x01' in ids, ids
    shown = lab.smbclient('geteas file', check=False)
    assert 'mirror' not in shown.lower(), shown
    for name in ('mirror.id', 'security.mirror.id'):
        lab.smbclient('setea file %s forged' % name, check=False)
    now = ids_of(lab, '/srv/alpha/share/file')
    for line in ids.splitlines():
        assert line in now, (ids, now)
    lab.smbclient('rm file')


REFUSED = (
    ('vfs objects', 'mirror acl_xattr', 'must be the last one'),
    ('vfs objects', 'xattr_tdb mirror', 'xattr_tdb'),
    ('vfs objects', 'streams_depot mirror', 'streams_depot'),
    ('path', '/srv/elsewhere', 'on no configured volume'),
    ('magic script', 'run.sh', 'magic script'),
)


def test_wrong_shares_are_refused(lab):
    """What cannot be protected is not served, and the log says what to do.

    Seen to fail with check_modules() that ignores what follows mirror.
    """
    lab.on('n0', 'mkdir', '-p', '/srv/elsewhere')
    for option, value, message in REFUSED:
        lab.on('n0', 'net', 'conf', 'delshare', 'wrong', check=False)
        lab.on('n0', 'net', 'conf', 'addshare', 'wrong', '/srv/alpha/share')
        lab.on('n0', 'net', 'conf', 'setparm', 'wrong', 'vfs objects',
               'acl_xattr mirror')
        lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')
        lab.wait('a right share is served', lambda: 'blocks of size' in
                 lab.smbclient('ls', share='wrong', check=False))
        lab.on('n0', 'net', 'conf', 'setparm', 'wrong', option, value)
        lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')
        lab.wait('%s = %s refused' % (option, value),
                 lambda: 'tree connect failed' in
                 lab.smbclient('ls', share='wrong', check=False))
        assert message in lab.log('n0'), (option, value)
    lab.on('n0', 'net', 'conf', 'delshare', 'wrong')


def test_share_is_not_served_where_its_volume_is_not(lab):
    """The wrong node shows no empty directory, not even if it had the volume
    once and the share's path is there.

    Seen to fail with check_mounted() that looks at nothing.
    """
    for target in ('1', '0'):
        lab.on('n0', 'ctdb', 'moveip', '10.77.0.200', target)
        lab.wait('ALPHA on n' + target,
                 lambda: lab.owner('ALPHA') == 'n' + target)
        lab.wait_mirrored(['alpha'])
    lab.on('n1', 'mkdir', '/srv/alpha/share')
    try:
        out = lab.on('client', 'smbclient', '-Utester%tester',
                     '//10.77.0.201/alpha', '-c', 'ls', check=False)
        assert 'NT_STATUS_BAD_NETWORK_NAME' in out, out
        assert 'share [alpha] is not here' in lab.log('n1')
    finally:
        lab.on('n1', 'rmdir', '/srv/alpha/share')


def test_other_samba_version_is_refused(lab):
    """A module of another Samba version does not load, and says so.

    Seen to fail with samba_init_module() that takes every version.
    """
    with open(os.path.join(TOP, 'build/mirror.so'), 'rb') as module:
        binary = module.read()
    assert binary.count(b'4.17.12\0') >= 1
    other = os.path.join(lab.folder, 'shared/other.so')
    with open(other, 'wb') as module:
        module.write(binary.replace(b'4.17.12\0', b'4.17.11\0'))
    lab.on('n0', 'cp', '/shared/other.so',
           '/usr/lib/x86_64-linux-gnu/samba/vfs/other.so')
    lab.on('n0', 'net', 'conf', 'addshare', 'other', '/srv/alpha/share')
    lab.on('n0', 'net', 'conf', 'setparm', 'other', 'vfs objects', 'other')
    lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')
    lab.wait('refused', lambda: 'tree connect failed' in
             lab.smbclient('ls', share='other', check=False))
    assert 'was built for Samba 4.17.11' in lab.log('n0')
    lab.on('n0', 'net', 'conf', 'delshare', 'other')
    lab.on('n0', 'rm', '/usr/lib/x86_64-linux-gnu/samba/vfs/other.so')


def test_rpc_server_process_works(lab):
    """srvsvc runs the share's modules in a process without a client.

    Seen to fail with mirror_connect() that wants a client.
    """
    lab.smbclient('mkdir secured')
    out = lab.on('client', 'rpcclient', '-Utester%tester', ADDRESS_ALPHA,
                 '-c', 'netfilegetsec alpha \\secured', check=False)
    assert 'revision' in out.lower(), out
    lab.smbclient('rmdir secured')


ADDRESS_ALPHA = '10.77.0.200'


def test_wrong_option_is_named(lab):
    """A bad value gets a message that names it, and clients are served under
    the configuration before it.

    Seen to fail with a word that is not known taken for the default.
    """
    lab.on('n0', 'net', 'conf', 'setparm', 'global', 'mirror:flush', 'disc')
    try:
        said = lab.on('n0', 'mirrorctl', 'reload', check=False)
        assert 'mirror:flush = disc' in said, said
        assert 'disk or mirrored' in said, said
        lab.on('n0', 'smbcontrol', 'smbd', 'reload-config')
        assert 'blocks of size' in lab.smbclient('ls', check=False)
    finally:
        lab.on('n0', 'net', 'conf', 'setparm', 'global', 'mirror:flush',
               'disk')
    lab.on('n0', 'mirrorctl', 'reload')


def test_server_side_copy(lab):
    """copychunk passes the module, and the copy is right.

    Seen to fail with a copy that is left to vfs_default.
    """
    path = os.path.join(lab.folder, 'shared/data')
    with open(path, 'wb') as data:
        data.write(os.urandom(2 << 20))
    lab.smbclient('put %s source' % path)
    before = lab.status('n0')['alpha']['bytes_sent']
    out = lab.smbclient('scopy source copy')
    sent = lab.status('n0')['alpha']['bytes_sent'] - before
    assert sent > 2 << 20, (sent, out)
    lab.smbclient('get copy %s.back; rm source; rm copy' % path)
    lab.run('cmp', path, path + '.back')


def test_nothing_to_do_costs_nothing(lab):
    """Setting times that are there already sends no record.

    Seen to fail with mirror_fntimes() that does not compare them.
    """
    path = os.path.join(lab.folder, 'shared/small')
    with open(path, 'wb') as data:
        data.write(b'x')
    lab.smbclient('put %s timed' % path)
    command = 'utimes timed -1 2020:10:20-10:00:00 2020:10:20-10:00:00 -1'
    try:
        lab.smbclient(command)
        before = records(lab)
        lab.smbclient(command)
        assert records(lab) == before, records(lab) - before
    finally:
        lab.smbclient('rm timed', check=False)


def test_startup_does_not_wait_for_the_registry(lab):
    """ctdb's recovery waits for the event startup, and the registry for the
    recovery: nodes that start together would stand still for a minute. The
    registry that does not answer is a FIFO here.

    Seen to fail without the time limit of mirrord_start.
    """
    lab.on('n1', 'sh', '-c', 'cp /etc/samba/smb.conf /run/smb.conf && '
           'mkfifo /run/registry && pkill -x mirrord && '
           'echo "include = /run/registry" >>/etc/samba/smb.conf')
    began = time.monotonic()
    try:
        assert not lab.ok('n1', 'timeout', '60', 'ctdb', 'event', 'run', '60',
                          'legacy', 'startup')
        took = time.monotonic() - began
        assert took < 20, took
    finally:
        lab.on('n1', 'sh', '-c', 'cp /run/smb.conf /etc/samba/smb.conf; '
               'timeout 5 sh -c ": >/run/registry"; rm /run/registry; true')
    lab.wait('mirrord runs', lambda: lab.ok('n1', 'mirrorctl', 'ping'))
    lab.heal()
