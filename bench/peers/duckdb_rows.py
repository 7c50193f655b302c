#!/usr/bin/env python3
"""The row job in DuckDB: fast, and exact.

    duckdb_rows.py trades|transactions FILE --out CSV --rejects CSV [--threads 2]

How it is made fast: the file is read by all threads into one table of typed columns, with regular expressions and
casts that DuckDB runs on whole vectors; the text of a row is kept only if the row is bad. `rowid` of that table is
the position in the file, so that nothing has to number rows on one thread. Aggregates are DECIMAL; arg_min and
arg_max get one integer made of the time within the minute and the position.

How it is made exact: rows of the wrong width come from `store_rejects`, numbered by record; a record's physical line
is its number and the line breaks within quotes before it, of which there are few. `vwap` is a quotient to ten
significant digits, half to even, in 128-bit integers, because dividing DECIMAL gives a DOUBLE.
"""

import argparse
import bisect
import json
import os
import sys

import duckdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rules  # noqa: E402

DAY_US = 86_400_000_000
UNIT = '\x1f'  # between the values of a bad row


def number(column, pattern):
    return f"CASE WHEN regexp_full_match({column}, '{pattern}') THEN TRY_CAST({column} AS DECIMAL(18,4)) END"


def moment(column):
    """Microseconds since 1970, NULL when it is no moment.

    Nearly all end in Z and have their parts in place, which four cheap tests tell; the cast does the rest, but takes
    24:00. The others, those with an offset among them, go through the regular expression.
    """
    in_place = f"""suffix({column}, 'Z') AND instr({column}, 'T') = 11
                   AND strlen({column}) = CASE instr({column}, '.') WHEN 0 THEN 20 WHEN 20 THEN 27 END"""
    cast = f'epoch_us(TRY_CAST({column} AS TIMESTAMP))'
    exact = f"""CASE WHEN regexp_full_match({column}, '{rules.PLAIN_MOMENT}')
                     THEN epoch_us(TRY_CAST({column} AS TIMESTAMPTZ)) END"""
    return f"""CASE WHEN {in_place}
                    THEN CASE WHEN {cast} % {DAY_US} = 0 THEN {exact} ELSE {cast} END
                    ELSE {exact} END"""


def read_csv(path, columns):
    names = ', '.join(f"'{name}': 'VARCHAR'" for name in columns)
    return f"""read_csv('{path}', auto_detect=false, header=true, delim=',', quote='"', escape='"', new_line='\\n',
               nullstr='\x01', columns={{{names}}}, store_rejects=true)"""


def read_json(path, columns):
    names = ', '.join(f"'{name}': 'VARCHAR'" for name in columns)
    return f"read_json('{path}', format='newline_delimited', columns={{{names}}})"


def choose(value):
    whens = ' '.join(f'WHEN decimals = {decimals} THEN {value(decimals)}' for decimals in range(1, 14))
    return f"CASE WHEN decimals IS NULL THEN NULL {whens} ELSE error('vwap out of range') END"


# Ten significant digits of a price between 10^-4 and 10^9; any other stops the program.
POWER = choose(lambda decimals: f'{10 ** decimals}::HUGEINT')
UNIT_OF_POWER = choose(lambda decimals: f'0.{1:0{decimals}}::DECIMAL(14,13)')
ROUNDED = f"""
    -- vwap is n / v in units of 10^-4. A DOUBLE tells its size and its ten digits to within one; whether that
    -- one is needed is decided by multiplying back, because dividing HUGEINT is slow.
    whole AS (
        SELECT *, CAST(notional * 100000000 AS HUGEINT) AS n, CAST(volume * 10000 AS HUGEINT) AS v,
               CAST(notional AS DOUBLE) / CAST(nullif(volume, 0) AS DOUBLE) AS about FROM bars),
    sized AS (
        SELECT *, CAST(9 - floor(log10(about)) AS INTEGER) AS decimals FROM whole),
    scaled AS (
        SELECT *, {POWER} AS power FROM sized),
    near AS (
        SELECT *, CAST(round(about * CAST(power AS DOUBLE)) AS HUGEINT) AS quotient FROM scaled),
    rest AS (
        SELECT *, 2 * (n * power - quotient * v * 10000) AS twice, v * 10000 AS bottom FROM near),
    rounded AS (
        SELECT *, CAST(quotient + CASE
            WHEN twice > bottom OR (twice = bottom AND quotient & 1 = 1) THEN 1
            WHEN twice < -bottom OR (twice = -bottom AND quotient & 1 = 1) THEN -1
            ELSE 0 END AS DECIMAL(18,0)) * {UNIT_OF_POWER} AS vwap FROM rest)
"""


class Lines:
    """Physical lines of records, from the records of the wrong width and the line breaks within quotes."""

    def __init__(self, connection, breaks, header):
        self.header = header
        # `line` counts records, and the header as the first.
        self.wrong = sorted({(record, text) for record, text in connection.execute(
            'SELECT line, csv_line FROM reject_errors').fetchall()}) if header else []
        self.wrong_before = [record for record, _ in self.wrong]
        places = sorted([(self.record(row), count) for row, count in breaks]
                        + [(record, text.strip('\n').count('\n')) for record, text in self.wrong])
        self.places, self.total = [], [0]
        for record, count in places:
            self.places.append(record)
            self.total.append(self.total[-1] + count)

    def record(self, row):
        """The number of the record that became row `row` of the table."""
        record = row + 1 + self.header
        # Every record of the wrong width before it moves it one on; the list is short and this is a binary search.
        low, high = 0, len(self.wrong_before)
        while low < high:
            middle = (low + high) // 2
            if self.wrong_before[middle] <= record + middle:
                low = middle + 1
            else:
                high = middle
        return record + low

    def physical(self, record):
        return record + self.total[bisect.bisect_left(self.places, record)]

    def of_row(self, row):
        return self.physical(self.record(row))

    def wrong_width(self):
        return [(self.physical(record), ['wrong_field_count']) for record, _ in self.wrong]


def trades(connection, options):
    columns = ('symbol', 'price', 'volume', 'timestamp')
    ndjson = options.file.endswith('ndjson')
    text = f", '{UNIT}', ".join(['symbol', 'price_text', 'volume_text', 'time_text'])
    source = read_json(options.file, columns) if ndjson else read_csv(options.file, columns)
    connection.execute(f"""
        CREATE TABLE trades AS
        WITH typed AS (
            SELECT symbol, price AS price_text, volume AS volume_text, timestamp AS time_text,
                   {number('price', rules.PLAIN_PRICE)} AS price, {number('volume', rules.PLAIN_PRICE)} AS volume,
                   {moment('timestamp')} AS us
            FROM {source}),
        judged AS (SELECT *, coalesce(symbol <> '' AND price > 0 AND volume >= 0 AND us >= -2208988800000000
                                      AND us < 4102444800000000, false) AS good FROM typed)
        SELECT CASE WHEN good THEN symbol END AS symbol, price, volume, us,
               CASE WHEN NOT good THEN concat({text}) END AS bad
        FROM judged""")
    rejected = connection.execute('SELECT rowid, bad FROM trades WHERE bad IS NOT NULL').fetchall()
    lines = Lines(connection, [], 0 if ndjson else 1)
    rejects = lines.wrong_width()
    for row, text in rejected:
        line = lines.of_row(row)
        rejects.append(rules.named(line, rules.trade(*text.split(UNIT))))
    rules.write_rejects(options.rejects, rejects)
    # The position in the file decides between trades of one microsecond. A minute has less than 2^26 microseconds.
    key = '((us % 60000000) << 36) + rowid'
    connection.execute(f"""
        COPY (
            WITH bars AS (
                SELECT symbol, us // 60000000 AS minute, arg_min(price, {key}) AS open, max(price) AS high,
                       min(price) AS low, arg_max(price, {key}) AS close, sum(volume) AS volume, count(*) AS trades,
                       sum(CAST(price AS DECIMAL(18,4)) * volume) AS notional
                FROM trades WHERE bad IS NULL GROUP BY ALL),
            {ROUNDED}
            SELECT symbol, strftime(make_timestamp(minute * 60000000), '%Y-%m-%dT%H:%M:%SZ') AS start, open, high, low,
                   close, volume, trades, notional, vwap
            FROM rounded ORDER BY symbol, minute)
        TO '{options.out}' (HEADER, DELIMITER ',')""")
    return connection.execute('SELECT count(*) FROM trades WHERE bad IS NULL').fetchone()[0], len(rejects), 0


def transactions(connection, options):
    columns = ('transaction_id', 'amount', 'currency', 'timestamp', 'merchant', 'status')
    codes = ', '.join(f"'{code}'" for code in sorted(rules.MONEY))
    connection.execute(f'CREATE TYPE money AS ENUM ({codes})')
    connection.execute(f'CREATE TYPE state AS ENUM {rules.STATUSES}')
    texts = ['transaction_id', 'amount_text', 'currency_text', 'time_text', 'merchant', 'status_text']
    text = f", '{UNIT}', ".join(texts)
    connection.execute(f"""
        CREATE TABLE transactions AS
        WITH typed AS (
            SELECT transaction_id, amount AS amount_text, currency AS currency_text, timestamp AS time_text,
                   merchant, status AS status_text,
                   {number('amount', rules.PLAIN_AMOUNT)} AS amount,
                   TRY_CAST(currency AS money) AS currency, {moment('timestamp')} AS us,
                   TRY_CAST(status AS state) AS status
            FROM {read_csv(options.file, columns)}),
        judged AS (SELECT *, coalesce(transaction_id <> '' AND amount IS NOT NULL AND currency IS NOT NULL
                                      AND us >= -2208988800000000 AND us < 4102444800000000
                                      AND trim(merchant, ' \t\r\n') <> '' AND status IS NOT NULL, false) AS good
                   FROM typed)
        SELECT transaction_id, amount, currency, us // {DAY_US} AS day, merchant, status,
               CASE WHEN NOT good THEN concat({text}) END AS bad
        FROM judged""")
    lines = Lines(connection, connection.execute(
        "SELECT rowid, length(merchant) - length(replace(merchant, chr(10), '')) FROM transactions"
        ' WHERE contains(merchant, chr(10))').fetchall(), 1)
    # Sixty-four bits of every id find all that may come twice; only those are compared as text.
    connection.execute("""
        CREATE TABLE again AS
        WITH candidates AS (SELECT rowid AS row, transaction_id AS id FROM transactions WHERE hash(transaction_id) IN (
            SELECT hash(transaction_id) FROM transactions GROUP BY 1 HAVING count(*) > 1) AND transaction_id <> '')
        SELECT row FROM (SELECT row, row_number() OVER (PARTITION BY id ORDER BY row) AS occurrence FROM candidates)
        WHERE occurrence > 1""")
    again = {row for row, in connection.execute('SELECT row FROM again').fetchall()}
    rejects = lines.wrong_width()
    for row, text in connection.execute('SELECT rowid, bad FROM transactions WHERE bad IS NOT NULL').fetchall():
        line = lines.of_row(row)
        reasons = rules.named(line, rules.transaction(*text.split(UNIT)))[1]
        if row in again:
            reasons = [*reasons, 'duplicate_transaction_id']
            again.remove(row)
        rejects.append((line, reasons))
    rejected = len(rejects)
    rejects += [(lines.of_row(row), ['duplicate_transaction_id']) for row in again]
    rules.write_rejects(options.rejects, rejects)
    connection.execute(f"""
        CREATE TABLE totals AS
        SELECT currency, status, merchant, day, count(*) AS count, sum(amount) AS sum, min(amount) AS min,
               max(amount) AS max
        FROM transactions t WHERE bad IS NULL AND NOT EXISTS (SELECT 1 FROM again a WHERE a.row = t.rowid)
        GROUP BY ALL""")
    connection.execute(f"""
        COPY (SELECT currency::VARCHAR AS currency, status::VARCHAR AS status, merchant,
                     strftime(make_timestamp(day * {DAY_US}), '%Y-%m-%d') AS day, count, sum, min, max
              FROM totals ORDER BY 1, 2, 3, 4)
        TO '{options.out}' (HEADER, DELIMITER ',')""")
    good = connection.execute('SELECT sum(count) FROM totals').fetchone()[0]
    return good, rejected, len(again)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('schema', choices=('trades', 'transactions'))
    parser.add_argument('file')
    parser.add_argument('--out', required=True)
    parser.add_argument('--rejects', required=True)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    connection = duckdb.connect()
    connection.execute(f"SET threads={options.threads}; SET TimeZone='UTC'")
    good, rejected, duplicate = (trades if options.schema == 'trades' else transactions)(connection, options)
    print(json.dumps({'rows': int(good) + rejected + duplicate, 'good': int(good), 'rejected': rejected,
                      'duplicate': duplicate}))


if __name__ == '__main__':
    main()
