#!/usr/bin/env python3
"""The row job in Polars: fast, and exact.

    polars_rows.py trades|transactions FILE --out CSV --rejects CSV [--threads 2] [--plain]

With `--plain` it is written as one would from the user guide: the library reads the timestamps, compares texts, finds
repeated ids and sorts. The rules, the exact arithmetic and the answers are the same.

How it is made fast without that: everything is a text column first and is judged and converted by whole-column
expressions; numbers become integers of 10^-4, so that sums and products are integer arithmetic; moments are taken
apart by position, because the general timestamp parser is several times slower.

How it is made exact: products and sums are 128-bit integers. A row of too many fields shows in a sixth or seventh
column; one of too few reads as if its last values were empty, so for a bad row whose last value is empty the line
itself is looked at. The position in the file decides between trades of one microsecond. `vwap` is rounded half to
even in integers.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


def scan(pl, path, columns):
    """All columns as text, one more to catch rows that are too long, and the number of the row from 0."""
    names = [*columns, 'beyond']
    if path.endswith('ndjson'):
        frame = pl.scan_ndjson(path, schema={name: pl.String for name in columns}, row_index_name='row')
        return frame.with_columns([pl.col(name).fill_null('') for name in columns], beyond=pl.lit(''))
    return pl.scan_csv(path, has_header=False, skip_rows=1, schema={name: pl.String for name in names},
                       missing_columns='insert', truncate_ragged_lines=True, empty_string_is_null=False,
                       row_index_name='row')


def number(pl, column, pattern):
    """Exact, four decimals; null when it is not of the plain form."""
    text = pl.col(column)
    return pl.when(text.str.contains(f'^{pattern}$')).then(text).str.to_decimal(scale=4)


def moment(pl, column):
    """Microseconds since 1970, null when it is no moment."""
    text = pl.col(column)
    utc = text.str.ends_with('Z')
    seconds = text.str.slice(0, 19).str.to_datetime('%Y-%m-%dT%H:%M:%S', time_unit='us', strict=False).to_physical()
    zone_bytes = pl.when(utc).then(21).otherwise(26)
    digits = pl.max_horizontal(text.str.len_bytes().cast(pl.Int64) - zone_bytes, 0)
    fraction = text.str.slice(20, digits).str.pad_end(6, '0').cast(pl.Int64, strict=False)
    # Minutes ahead of UTC; what is read here from a text that ends in Z is not used.
    hours, minutes = (text.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (-5, -2))
    ahead = (hours * 60 + minutes) * pl.when(text.str.slice(-6, 1) == '-').then(-1).otherwise(1)
    plain = text.str.contains(f'^{rules.PLAIN_MOMENT}$')
    us = seconds + fraction - pl.when(utc).then(0).otherwise(ahead) * MINUTE_US
    return pl.when(plain & us.is_between(-2208988800000000, 4102444800000000, closed='left')).then(us)


def plain_moment(pl, column):
    """The same, read by the library alone."""
    text = pl.col(column)
    us = text.str.to_datetime('%Y-%m-%dT%H:%M:%S%.f%#z', time_unit='us', strict=False).to_physical()
    plain = text.str.contains(f'^{rules.PLAIN_MOMENT}$')
    return pl.when(plain & us.is_between(-2208988800000000, 4102444800000000, closed='left')).then(us)


def judge(pl, frame, columns, good):
    """Keeps typed values; the text of a row only if it is bad."""
    texts = pl.concat_str([pl.col(name + '_text') for name in columns] + ['beyond'], separator='\x1f')
    good = good & (pl.col('beyond') == '')
    return frame.with_columns(bad=pl.when(~good.fill_null(False)).then(texts))


def bad_rows(pl, frame, options, columns, line_of, reasons_of):
    """(row, line, reasons) of each bad row; rows of the wrong width have that as their only reason."""
    bad = frame.filter(pl.col('bad').is_not_null()).select('row', 'bad').sort('row').rows()
    bad = [(row, line_of(row), text.split('\x1f')) for row, text in bad]
    csv = not options.file.endswith('ndjson')
    # Missing at the end, or only empty?
    unclear = [line for _, line, values in bad if csv and values[-1] == '' and values[-2] == '']
    records = rules.records_at(options.file, unclear)
    found = []
    for row, line, values in bad:
        if values[-1] != '' or (line in records and len(records[line]) != len(columns)):
            found.append((row, line, ['wrong_field_count']))
        else:
            found.append((row, *rules.named(line, reasons_of(*values[:-1]))))
    return found


def scaled_text(pl, column, decimals):
    """A non-negative integer of 10^-decimals as plain text."""
    value, power = pl.col(column), 10 ** decimals
    fraction = (value % power).cast(pl.String).str.zfill(decimals)
    return (value // power).cast(pl.String) + '.' + fraction


def vwap(pl):
    """`notional / volume` to ten significant digits, half to even; for a price of 10^-4 to 10^9."""
    about = pl.col('notional').cast(pl.Float64) / pl.col('units').cast(pl.Float64) / 10_000
    decimals = pl.when(pl.col('units') > 0).then((9 - about.log10().floor()).cast(pl.Int64, strict=False))
    power = decimals.replace_strict({count: 10 ** count for count in range(1, 14)}, return_dtype=pl.Int64)
    return [
        dict(decimals=decimals, power=power.cast(pl.Int128), bottom=pl.col('units') * 10_000),
        dict(top=pl.col('notional') * pl.col('power')),
        dict(quotient=pl.col('top') // pl.col('bottom')),
        dict(twice=2 * (pl.col('top') - pl.col('quotient') * pl.col('bottom'))),
        dict(quotient=pl.col('quotient') + ((pl.col('twice') > pl.col('bottom')) | (
            (pl.col('twice') == pl.col('bottom')) & (pl.col('quotient') % 2 == 1))).cast(pl.Int128)),
        dict(vwap=(pl.col('quotient') // pl.col('power')).cast(pl.String) + '.'
             + (pl.col('quotient') % pl.col('power')).cast(pl.String).str.zfill(pl.col('decimals'))),
    ]


def trades(pl, options):
    columns = ('symbol', 'price', 'volume', 'timestamp')
    frame = scan(pl, options.file, columns).rename({name: name + '_text' for name in columns})
    frame = frame.with_columns(
        price=number(pl, 'price_text', rules.PLAIN_PRICE), volume=number(pl, 'volume_text', rules.PLAIN_PRICE),
        us=(plain_moment if options.plain else moment)(pl, 'timestamp_text'))
    good = (pl.col('symbol_text') != '') & (pl.col('price') > 0) & (pl.col('volume') >= 0) & pl.col('us').is_not_null()
    frame = judge(pl, frame, columns, good).select('row', 'price', 'volume', 'us', 'bad', symbol='symbol_text')
    frame = frame.collect(engine='streaming')
    first = 1 if options.file.endswith('ndjson') else 2
    bad = bad_rows(pl, frame, options, columns, lambda row: row + first, rules.trade)
    rules.write_rejects(options.rejects, [(line, reasons) for _, line, reasons in bad])
    units = [pl.col(name).to_physical().cast(pl.Int128) for name in ('price', 'volume')]
    bars = frame.lazy().filter(pl.col('bad').is_null()).with_columns(product=units[0] * units[1])
    if options.plain:
        bars, ends = bars.sort('us', maintain_order=True), (pl.col('price').first(), pl.col('price').last())
    else:
        bars = bars.with_columns(key=(pl.col('us') % MINUTE_US) * 2 ** 36 + pl.col('row').cast(pl.Int64))
        ends = pl.col('price').min_by('key'), pl.col('price').max_by('key')
    bars = bars.group_by('symbol', minute=pl.col('us') // MINUTE_US).agg(
        open=ends[0], high=pl.col('price').max(), low=pl.col('price').min(), close=ends[1],
        volume=pl.col('volume').sum(), trades=pl.len(), notional=pl.col('product').sum())
    bars = bars.sort('symbol', 'minute').with_columns(units=pl.col('volume').to_physical())
    for step in vwap(pl):
        bars = bars.with_columns(**step)
    start = (pl.col('minute') * MINUTE_US).cast(pl.Datetime('us')).dt.strftime('%Y-%m-%dT%H:%M:%SZ')
    bars = bars.select('symbol', start.alias('start'), 'open', 'high', 'low', 'close', 'volume', 'trades',
                       scaled_text(pl, 'notional', 8).alias('notional'), 'vwap')
    bars.collect(engine='streaming').write_csv(options.out)
    return frame.height - len(bad), len(bad), 0


def repeated(pl, frame, wrong_width, options):
    """Rows whose id came before. Hashes find all candidates, or the library does; those are compared as text."""
    if options.plain:
        candidates = frame.filter(pl.col('transaction_id').is_duplicated()).select('row', 'transaction_id').sort('row')
    else:
        candidates = frame.lazy().select('row', hash=pl.col('transaction_id').hash()).filter(
            pl.len().over('hash') > 1).select('row').collect().to_series()
        candidates = frame.filter(pl.col('row').is_in(candidates.implode())).select('row', 'transaction_id').sort('row')
    seen, again = set(), set()
    for row, identifier in candidates.rows():
        if identifier == '' or row in wrong_width:
            continue
        if identifier in seen:
            again.add(row)
        seen.add(identifier)
    return again


def transactions(pl, options):
    columns = ('transaction_id', 'amount', 'currency', 'timestamp', 'merchant', 'status')
    frame = scan(pl, options.file, columns).rename({name: name + '_text' for name in columns})

    def known(column, values):
        text = pl.col(column)
        return pl.when(text.is_in(values)).then(text) if options.plain else text.cast(pl.Enum(values), strict=False)

    frame = frame.with_columns(
        amount=number(pl, 'amount_text', rules.PLAIN_AMOUNT),
        us=(plain_moment if options.plain else moment)(pl, 'timestamp_text'),
        currency=known('currency_text', sorted(rules.MONEY)), status=known('status_text', rules.STATUSES))
    good = (pl.col('transaction_id_text') != '') & (pl.col('merchant_text').str.strip_chars() != '')
    for name in ('amount', 'us', 'currency', 'status'):
        good = good & pl.col(name).is_not_null()
    frame = judge(pl, frame, columns, good).select(
        'row', 'amount', 'currency', 'status', 'bad', day=pl.col('us') // DAY_US,
        transaction_id='transaction_id_text', merchant='merchant_text').collect(engine='streaming')
    lines = rules.BreakLines(frame.filter(pl.col('merchant').str.contains('\n', literal=True)).select(
        'row', pl.col('merchant').str.count_matches('\n', literal=True)).sort('row').rows())
    bad = bad_rows(pl, frame, options, columns, lines.of_row, rules.transaction)
    again = repeated(pl, frame, {row for row, _, reasons in bad if reasons == ['wrong_field_count']}, options)
    rejects = [(line, reasons + ['duplicate_transaction_id'] * (row in again)) for row, line, reasons in bad]
    only_again = again - {row for row, _, _ in bad}
    rejects += [(lines.of_row(row), ['duplicate_transaction_id']) for row in only_again]
    rules.write_rejects(options.rejects, rejects)
    again_rows = pl.Series(sorted(again), dtype=pl.UInt32).implode()
    good = frame.lazy().filter(pl.col('bad').is_null() & ~pl.col('row').is_in(again_rows))
    totals = good.group_by('currency', 'status', 'merchant', 'day').agg(
        count=pl.len(), sum=pl.col('amount').sum(), min=pl.col('amount').min(), max=pl.col('amount').max())
    totals = totals.with_columns(pl.col('currency').cast(pl.String), pl.col('status').cast(pl.String),
                                 day=(pl.col('day') * DAY_US).cast(pl.Datetime('us')).dt.strftime('%Y-%m-%d'))
    totals.sort('currency', 'status', 'merchant', 'day').collect(engine='streaming').write_csv(options.out)
    return frame.height - len(rejects), len(bad), len(only_again)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('schema', choices=('trades', 'transactions'))
    parser.add_argument('file')
    parser.add_argument('--out', required=True)
    parser.add_argument('--rejects', required=True)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--plain', action='store_true')
    options = parser.parse_args()
    os.environ['POLARS_MAX_THREADS'] = str(options.threads)
    import polars as pl  # the number of threads is read when it is loaded
    good, rejected, duplicate = (trades if options.schema == 'trades' else transactions)(pl, options)
    print(json.dumps({'rows': good + rejected + duplicate, 'good': good, 'rejected': rejected, 'duplicate': duplicate}))


if __name__ == '__main__':
    main()
