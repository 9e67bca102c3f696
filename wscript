#!/usr/bin/env python
# Builds samba-mirror with the waf that comes in Samba's source. Call it
# through the Makefile, which prepares that source first.

import os

APPNAME = 'samba-mirror'
VERSION = '0.1.0'
top = '.'
out = 'build'

WARNINGS = '''-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes
-Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter'''.split()
PLAIN = '-std=gnu11 -g -O2 -fPIC -fvisibility=hidden -D_GNU_SOURCE'.split()
PRIVATE_LIBS = '/usr/lib/x86_64-linux-gnu/samba'


def options(opt):
    opt.load('compiler_c')
    opt.add_option('--samba', help="Samba's configured source tree")
    opt.add_option('--samba-compile', default='',
                   help='a further tree, to compile the module against only')
    opt.add_option('--vfs-dir', default='/usr/lib/x86_64-linux-gnu/samba/vfs',
                   help='where smbd looks for modules')


def samba_flags(tree):
    """What it takes to compile against Samba's generated headers."""
    flags = ['-D_SAMBA_BUILD_=4', '-DHAVE_CONFIG_H=1', '-D_REENTRANT',
             '-D_XOPEN_SOURCE_EXTENDED=1', '-D__STDC_WANT_LIB_EXT1__=1',
             '-DMIRROR_SAMBA_VERSION="%s"' % samba_version(tree)]
    for folder in '''. include source3 source3/include source4 lib
                  lib/replace lib/talloc lib/tevent lib/tdb librpc'''.split():
        # System style: warnings are about our code.
        flags += ['-isystem', os.path.join(tree, 'bin/default', folder),
                  '-isystem', os.path.join(tree, folder)]
    return flags


def samba_version(tree):
    for line in open(os.path.join(tree, 'bin/default/version.h')):
        if 'SAMBA_VERSION_OFFICIAL_STRING' in line and '#define' in line:
            return line.split('"')[1]
    raise Exception('no version in %s' % tree)


def configure(cnf):
    cnf.load('compiler_c')
    cnf.env.SAMBA_FLAGS = samba_flags(cnf.options.samba)
    cnf.env.SAMBA_VERSION = samba_version(cnf.options.samba)
    cnf.env.VFS_DIR = cnf.options.vfs_dir
    if cnf.options.samba_compile:
        cnf.env.COMPILE_FLAGS = samba_flags(cnf.options.samba_compile)
    cnf.env.append_value('CFLAGS', PLAIN)
    for lib in 'talloc tevent tdb gnutls jansson cmocka smbclient'.split():
        cnf.check_cfg(package=lib, args='--cflags --libs', uselib_store=lib.upper())
    for package, store in (('libnl-3.0', 'NL'), ('libnl-route-3.0', 'NLROUTE'),
                           ('libseccomp', 'SECCOMP'),
                           ('libdeflate', 'DEFLATE')):
        cnf.check_cfg(package=package, args='--cflags --libs',
                      uselib_store=store)
    cnf.check_cc(lib='z', uselib_store='Z')
    # Optional: link_aead.c loads the library itself, where it is of use.
    if cnf.check_cc(header_name='intel-ipsec-mb.h', mandatory=False):
        cnf.env.append_value('DEFINES', 'HAVE_IPSEC_MB')
    cnf.env.LIB_SMBCONF = ['smbconf']
    cnf.env.LIB_PTHREAD = ['pthread']


def sources(bld, pattern, exclude=()):
    return [n for n in bld.path.ant_glob(pattern)
            if os.path.basename(n.srcpath()) not in exclude]


def build(bld):
    common = sources(bld, 'source/common/*.c')
    mirrord = sources(bld, 'source/mirrord/*.c',
                      exclude=('main.c', 'mirrorctl.c',
                               'mirror_ctdb_death.c',
                               'mirror_ctdb_lock.c',
                               'mirror_notify.c'))
    libs = 'TALLOC TEVENT TDB GNUTLS JANSSON Z DEFLATE PTHREAD SMBCONF'

    bld.stlib(source=common, target='common', cflags=WARNINGS, use=libs)
    bld.stlib(source=mirrord, target='mirrord_parts', features='c cstlib', cflags=WARNINGS,
              includes='source/common source/mirrord', use=libs,
              defines=['MIRROR_VFS_DIR="%s"' % bld.env.VFS_DIR,
                       'MIRROR_PRIVATE_LIBS="%s"' % PRIVATE_LIBS])
    for name, main, path in (
            ('mirrord', 'main.c', '/usr/sbin'),
            ('mirrorctl', 'mirrorctl.c', '/usr/sbin'),
            ('mirror-notify', 'mirror_notify.c', '/usr/sbin'),
            ('mirror-ctdb-death', 'mirror_ctdb_death.c',
             '/usr/libexec/samba-mirror'),
            ('mirror-ctdb-lock', 'mirror_ctdb_lock.c',
             '/usr/libexec/samba-mirror')):
        node = bld.path.find_node('source/mirrord/' + main)
        if node:
            bld.program(source=[node], target=name, cflags=WARNINGS,
                        includes='source/common source/mirrord',
                        use='mirrord_parts common ' + libs,
                        install_path=path)

    arpd = sources(bld, 'source/arpd/*.c', exclude=('main.c',))
    arpd_libs = 'TALLOC TEVENT GNUTLS JANSSON NL NLROUTE SECCOMP'
    bld.stlib(source=arpd, target='arpd_parts', features='c cstlib',
              cflags=WARNINGS, includes='source/common source/arpd',
              use=arpd_libs)
    node = bld.path.find_node('source/arpd/main.c')
    if node:
        # iproute2 has an arpd of its own.
        bld.program(source=[node], target='mirror-arpd', cflags=WARNINGS,
                    includes='source/common source/arpd',
                    use='arpd_parts common ' + arpd_libs,
                    install_path='/usr/sbin')

    module = sources(bld, 'source/vfs_mirror/*.c')
    if module:
        bld.shlib(source=module, target='mirror',
                  includes='source/vfs_mirror',
                  cflags=WARNINGS + bld.env.SAMBA_FLAGS,
                  # Samba's own symbols come from the smbd that loads it.
                  use='common TALLOC TEVENT GNUTLS PTHREAD',
                  install_path=bld.env.VFS_DIR).env.cshlib_PATTERN = '%s.so'
        if bld.env.COMPILE_FLAGS:
            bld.objects(source=module, target='mirror-compile',
                        idx=1000,
                        includes='source/vfs_mirror',
                        cflags=WARNINGS + bld.env.COMPILE_FLAGS)

    for node in sources(bld, 'tests/unit/test_*.c'):
        name = os.path.basename(node.srcpath())[:-2]
        bld.program(source=[node], target='tests/' + name, cflags=WARNINGS,
                    includes='source/common source/mirrord tests/unit',
                    use='mirrord_parts common CMOCKA ' + libs,
                    install_path=None)
    # Of arpd: headers of the same name would meet those of mirrord.
    for node in sources(bld, 'tests/unit/arpd/test_*.c'):
        name = os.path.basename(node.srcpath())[:-2]
        bld.program(source=[node], target='tests/' + name, cflags=WARNINGS,
                    includes='source/common source/arpd tests/unit',
                    use='arpd_parts common CMOCKA ' + arpd_libs,
                    install_path=None)
    if module and bld.env.SAMBA_VERSION.startswith('4.17.'):
        # Parts of the module, with stubs for what smbd has.
        bld.program(source=['tests/unit/module/test_operation.c',
                            'tests/unit/module/smbd_stubs.c',
                            'source/vfs_mirror/operation.c',
                            'source/vfs_mirror/operation_trace.c'],
                    target='tests/test_operation', install_path=None,
                    includes='source/vfs_mirror',
                    cflags=WARNINGS + bld.env.SAMBA_FLAGS,
                    use='common CMOCKA ' + libs)
        bld.program(source=['tests/unit/module/test_batch.c',
                            'tests/unit/module/smbd_stubs.c',
                            'source/vfs_mirror/batch.c',
                            'source/vfs_mirror/operation.c',
                            'source/vfs_mirror/operation_trace.c',
                            'source/vfs_mirror/sender.c'],
                    target='tests/test_batch', install_path=None,
                    includes='source/vfs_mirror',
                    cflags=WARNINGS + bld.env.SAMBA_FLAGS,
                    use='common CMOCKA ' + libs)
    mains = sources(bld, 'tests/clients/mirror-*.c')
    parts = [n for n in sources(bld, 'tests/clients/*.c') if n not in mains]
    for node in mains:
        name = os.path.basename(node.srcpath())[:-2]
        bld.program(source=[node] + parts, target='tests/' + name,
                    cflags=WARNINGS, use='SMBCLIENT TALLOC Z',
                    install_path=None)
    chaos = bld.path.find_node('tests/chaos/mirror-chaos.c')
    if chaos:
        bld.program(source=[chaos] + parts, target='tests/mirror-chaos',
                    cflags=WARNINGS, use='SMBCLIENT TALLOC Z',
                    install_path=None)

    for name in ('quota', 'flush'):
        node = bld.path.find_node('tests/testbed/%s.c' % name)
        if node:
            bld.shlib(source=[node], target='tests/' + name, use='DL',
                      cflags=WARNINGS,
                      install_path=None).env.cshlib_PATTERN = '%s.so'

    build_micro(bld, libs)
    build_crash(bld, libs)
    build_bench(bld, libs)

    bld.install_files('/usr/sbin', ['source/mirrord/mirror-ads-names'],
                      chmod=0o755)
    bld.install_files('/usr/share/ctdb/events/legacy',
                      sources(bld, 'ctdb-events/[0-9]*.script'),
                      chmod=0o755)
    # ctdb looks for these in one place only.
    bld.install_as('/etc/ctdb/events/notification/mirror.script',
                   'ctdb-events/mirror.notification.script', chmod=0o755)
    bld.install_files('/usr/share/snmp/mibs', ['conf/SAMBA-MIRROR-MIB.txt'])
    bld.install_files('/usr/share/doc/samba-mirror/examples',
                      sources(bld, 'conf/*', exclude=('mirrord.service', 'mirror-arpd.service',
                                                 'mirror-notify.service',
                                                 'SAMBA-MIRROR-MIB.txt',
                                                 'mirrorctl.bash')))
    bld.install_as('/usr/share/bash-completion/completions/mirrorctl',
                   'conf/mirrorctl.bash')
    bld.install_files('/usr/lib/systemd/system',
                      sources(bld, 'conf/*.service'))
    for section in '18':
        bld.install_files('/usr/share/man/man' + section,
                          sources(bld, 'docs/*.' + section))


# Samba's private libraries, whose names have a version.
PRIVATE_LINK = ['-L' + PRIVATE_LIBS, '-Wl,-rpath,' + PRIVATE_LIBS,
                '-Wl,-rpath-link,' + PRIVATE_LIBS,
                '-Wl,--allow-shlib-undefined', '-Wl,--no-as-needed']
CLIENT_PRIVATE = '''libsmb cli-smb-common samba-debug replace samba3-util
                    samba-security cliauth CHARSET3'''.split()
CLIENT_PUBLIC = '''samba-util.so.0 samba-errors.so.1 smbconf.so.0
                   samba-credentials.so.1 ndr-standard.so.0'''.split()
CLIENT_LINK = (PRIVATE_LINK +
               ['-l:lib%s-samba4.so.0' % n for n in CLIENT_PRIVATE] +
               ['-l:lib' + n for n in CLIENT_PUBLIC])


def build_bench(bld, libs):
    """The benchmark's client, on Samba's asynchronous client library."""
    bench = sources(bld, 'tests/bench/client/*.c')
    bld.program(source=['tests/unit/bench/test_histogram.c',
                        'tests/bench/client/histogram.c'],
                target='tests/test_histogram', install_path=None,
                includes='tests/bench/client', cflags=WARNINGS,
                use='CMOCKA')
    bld.program(source=['tests/bench/scale/replay_speed.c'],
                target='tests/mirror-replay-speed', cflags=WARNINGS,
                includes='source/common source/mirrord', install_path=None,
                use='mirrord_parts common ' + libs)
    if not bld.env.SAMBA_VERSION.startswith('4.17.'):
        # It calls functions that change with every version.
        return
    bld.program(source=bench, target='tests/mirror-bench',
                includes='tests/bench/client', install_path=None,
                cflags=WARNINGS + bld.env.SAMBA_FLAGS, use=libs,
                linkflags=CLIENT_LINK)


def build_micro(bld, libs):
    """Micro-benchmarks, with the module's way to the partner where it is."""
    only_path = ['micro_path.c', 'micro_smbd.c']
    cases = sources(bld, 'tests/bench/micro/*.c', exclude=only_path)
    path = bld.env.SAMBA_VERSION.startswith('4.17.')
    if path:
        cases.append('tests/bench/micro/micro_path.c')
        bld.objects(source=['tests/bench/micro/micro_smbd.c',
                            'tests/unit/module/smbd_stubs.c',
                            'source/vfs_mirror/batch.c',
                            'source/vfs_mirror/operation.c',
                            'source/vfs_mirror/operation_trace.c',
                            'source/vfs_mirror/sender.c'],
                    target='micro-smbd', idx=2000,
                    includes='source/vfs_mirror tests/bench/micro',
                    cflags=WARNINGS + bld.env.SAMBA_FLAGS)
    bld.program(source=cases, target='tests/mirror-micro', cflags=WARNINGS,
                includes='source/common source/mirrord tests/bench/micro',
                defines=['MICRO_PATH=1'] if path else [],
                use=('micro-smbd ' if path else '') +
                'mirrord_parts common ' + libs, install_path=None)


def build_crash(bld, libs):
    """The crash harness: a driver, and a host that is Samba's VFS."""
    host = '''crash_host.c host_case.c host_link.c
              host_operations.c'''.split()
    both = 'leafs.c tree.c operations.c'.split()
    client = 'crash_client.c client_operations.c'.split()
    driver = sources(bld, 'tests/crash/*.c',
                     exclude=host + client + ['crash_tree.c'])
    bld.program(source=driver, target='tests/crash_driver',
                cflags=WARNINGS, linkflags=['-rdynamic'],
                includes='source/common source/mirrord tests/crash',
                use='mirrord_parts common ' + libs, install_path=None)
    bld.program(source=['tests/crash/' + n for n in
                        ('crash_tree.c', 'start_tree.c', 'tree.c')],
                target='tests/crash_tree', cflags=WARNINGS,
                includes='source/common tests/crash',
                use='common ' + libs, install_path=None)

    if not bld.env.SAMBA_VERSION.startswith('4.17.'):
        # It calls smbd's own functions, which change with every version.
        return
    private = '''smbd-base smbd-shim samba-debug replace samba3-util
                 secrets3 samba-security CHARSET3 sys-rw samba-modules
                 cli-smb-common auth time-basic util-setid'''.split()
    public = '''samba-util.so.0 samba-errors.so.1 tevent-util.so.0
                ndr-standard.so.0 ndr.so.3 smbconf.so.0'''.split()
    bld.program(source=['tests/crash/' + n for n in host + both],
                target='tests/crash_host', install_path=None,
                includes='tests/crash',
                cflags=WARNINGS + bld.env.SAMBA_FLAGS,
                use='common ' + libs,
                linkflags=['-rdynamic'] + PRIVATE_LINK +
                ['-l:lib%s-samba4.so.0' % n for n in private] +
                ['-l:lib' + n for n in public])
    bld.program(source=['tests/crash/' + n
                        for n in client + ['operations.c']],
                target='tests/crash_client', install_path=None,
                includes='tests/crash',
                cflags=WARNINGS + bld.env.SAMBA_FLAGS, use=libs,
                linkflags=CLIENT_LINK)
