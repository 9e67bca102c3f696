# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's result as Markdown. What stands in the tables is computed in
report.py."""

import report
from report import per_operation


def order(samples, key):
    """Different values in the order in which they were first measured, or
    that of the tables of workloads and variants if the caller sorted them."""
    return list(dict.fromkeys(sample[key] for sample in samples))


def number(value, digits=3):
    """With that many digits that mean something, and no exponent."""
    if value is None:
        return '–'
    if value == 0:
        return '0'
    whole = len(str(int(abs(value))))
    if abs(value) >= 1:
        text = '%.*f' % (max(0, digits - whole), value)
    else:
        text = '%.*f' % (digits - 1, value)
    return '{:,}'.format(int(text)) if '.' not in text else text


def spread(found):
    if found is None:
        return '–'
    if found.count == 1 or found.q1 == found.q3:
        return '%.2f' % found.median
    return '%.2f (%.2f–%.2f)' % found[:3]


def table(head, rows):
    lines = ['| %s |' % ' | '.join(head),
             '|---' * len(head) + '|']
    lines += ['| %s |' % ' | '.join(row) for row in rows]
    return '\n'.join(lines) + '\n'


def failed(samples, workload, variant):
    return any('error' in s for s in samples
               if (s['workload'], s['variant']) == (workload, variant))


def ratios(meta, samples):
    base = meta['base']
    others = [v for v in meta['variants'] if v != base]
    rows = []
    for workload in meta['workloads']:
        absolute = report.typical(samples, workload, base, report.rate)
        row = [workload, '–' if absolute is None else '%s %s' % (
            number(absolute.median), meta['units'][workload])]
        for variant in others:
            cell = spread(report.ratio(samples, workload, variant, base))
            row.append('failed' if failed(samples, workload, variant)
                       else cell)
        rows.append(row)
    return table(['workload', base] + ['%s ÷ %s' % (v, base) for v in others],
                 rows)


def targets(meta, samples):
    rows = []
    for line in report.judge(samples, meta['flush_ms'][0]):
        against = line.base if 'stall' in line.base else 'mirror ÷ ' + \
            line.base
        says = '**missed**' if line.verdict == 'missed' else line.verdict
        rows.append([line.workload, against, line.target,
                     spread(line.measured),
                     says + ('' if line.clear else ', within the spread')])
    if not rows:
        return ''
    met = sum(row[4].startswith('met') for row in rows)
    missed = sum(row[4].startswith('**missed') for row in rows)
    return '%d met, %d missed.\n\n' % (met, missed) + table(
        ['workload', 'what', 'target', 'measured', ''], rows)


def latencies(meta, samples):
    rows = []
    for workload in meta['workloads']:
        for variant in meta['variants']:
            row = [workload, variant]
            for which in ('p50', 'p99'):
                row.append(spread(report.ratio(
                    samples, workload, variant, meta['base'],
                    report.latency(which))))
            longest = report.values(samples, workload, variant,
                                    report.latency('max'))
            if not longest:
                continue
            for which in ('p50', 'p99'):
                typical = report.typical(samples, workload, variant,
                                         report.latency(which))
                row.append(number(typical and typical.median))
            row.append(number(max(longest.values()) / 1000))
            rows.append(row)
    return table(['workload', 'variant', 'p50 ÷ ' + meta['base'],
                  'p99 ÷ ' + meta['base'], 'p50, µs', 'p99, µs',
                  'longest stall, ms'], rows)


COSTS = (('owner, µs', per_operation('cpu_us', 'owner')),
         ('partner, µs', per_operation('cpu_us', 'partner')),
         ('client, µs', per_operation('cpu_us', 'client')),
         ('elsewhere, µs', per_operation('cpu_us', 'elsewhere')),
         ('interconnect, bytes', per_operation('link_bytes')),
         ('disk, bytes', per_operation('disk_bytes')),
         ('flushes', per_operation('disk_flushes')))


def costs(meta, samples):
    rows = []
    for workload in meta['workloads']:
        for variant in meta['variants']:
            found = [report.typical(samples, workload, variant, of)
                     for _, of in COSTS]
            if any(found):
                rows.append([workload, variant, spread(report.ratio(
                    samples, workload, variant, meta['base'], report.cpu))] + [
                        number(cell and cell.median) for cell in found])
    return table(['workload', 'variant', 'CPU ÷ ' + meta['base']] +
                 [name for name, _ in COSTS], rows)


def machine(meta):
    lines = ['- %s; %s; %s, %d cores, %s; load when it began %s, when it '
             'ended %s.' % (
                 meta['date'],
                 ', '.join('%s %s' % v for v in meta['versions'].items()),
                 meta['processor'], meta['cores'], meta['fs'],
                 meta['load'][0], meta['load'][1]),
             '- A flush (fdatasync of 4 KiB): p50 %.2f ms, p99 %.2f ms on the '
             'disk below; %.2f and %.2f ms through the volume of `%s`.%s' % (
                 *meta['flush_ms'], *meta['flush_volume_ms'], meta['base'],
                 ' Of these %g ms are a wait that was put into smbd and '
                 'mirrord.' % meta['flush_more_ms']
                 if meta.get('flush_more_ms') else ''),
             '- %d rounds, %g s each%s.' % (
                 meta['rounds'], meta['seconds'],
                 '; stopped before their end' if 'stopped' in meta else '')]
    for name, text in meta['variants'].items():
        idle = meta['idle'][name]
        lines.append('- `%s`: %s. Idle: %s.' % (name, text, ', '.join(
            '%s %.1f %%' % (node, 100 * share)
            for node, share in idle.items() if node != 'client') +
            ' of a core'))
    return '\n'.join(lines) + '\n'


def markdown(meta, samples):
    """All of it; the plot is expected beside it."""
    parts = ['### What was compared\n', machine(meta),
             '### Ratios of speed\n',
             'Median over rounds of ratios within a round, quartiles in '
             'brackets; more is better.\n', ratios(meta, samples)]
    judged = targets(meta, samples)
    if judged:
        parts += ['### Targets\n', judged]
    parts += ['### Latency\n',
              'Ratios as above, less is better; the longest stall is that of '
              'all rounds.\n', latencies(meta, samples),
              '### What an operation costs\n',
              'Medians over rounds. CPU time of the nodes and of the client '
              '(together as a ratio), and of everything else on the machine '
              'meanwhile (kernel threads, other programs); an operation of '
              '`put` is a MiB, of `nbench` a line of its load file.\n',
              costs(meta, samples)]
    return '\n'.join(parts)
