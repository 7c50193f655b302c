"""Why a row is bad, and on which line it is: what DuckDB and Polars cannot say by themselves.

The two peer programs find the bad rows in their own language, which is the heavy part (every row of the file). The few
rows that they find are named here, so that all three programs list the same reasons. The rules are the row engine's,
written a second time.
"""

import bisect
import csv
import gzip
import io
import itertools
import re
from decimal import Decimal

MONEY = frozenset("""
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF
CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD
HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD
TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
""".split())
NOT_MONEY = frozenset('XXX XTS XAU XAG XPT XPD XBA XBB XBC XBD XDR XSU XUA'.split())
STATUSES = ('completed', 'pending', 'failed')

# What the peers take as a number at once. Anything else goes to `number` below; a number that is good but not of
# this form would make them wrong, so they stop when it turns out that one is.
PLAIN_PRICE = r'[0-9]{1,12}(?:\.[0-9]{1,4})?'
PLAIN_AMOUNT = r'-?[0-9]{1,12}(?:\.[0-9]{1,4})?'
TIME = r'(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?'
PLAIN_MOMENT = rf'(?:19|20)[0-9][0-9]-[0-9]{{2}}-[0-9]{{2}}T{TIME}(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'

NUMBER = re.compile(r'-?[0-9]+(\.[0-9]+)?([eE]([+-]?[0-9]{1,6}))?', re.ASCII)
MOMENT = re.compile(
    r'(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?', re.ASCII)
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def number(text, column, exponent):
    """(value, reason): one of them is None."""
    if text == '':
        return None, 'missing_' + column
    found = NUMBER.fullmatch(text)
    if not found or (found[2] and not exponent):
        return None, 'invalid_' + column
    if found[3] and abs(int(found[3])) > 60:
        return None, 'out_of_range_' + column
    value = Decimal(text)
    digits = value.as_tuple().digits
    trailing = len(digits) - len(''.join(map(str, digits)).rstrip('0'))
    if value and abs(value) >= Decimal(10) ** 20:
        return None, 'out_of_range_' + column
    if value and -(value.as_tuple().exponent + trailing) > 18:
        return None, 'too_many_decimals_' + column
    return value, None


def moment(text):
    """The reason why `text` is no moment, or None."""
    if text == '':
        return 'missing_timestamp'
    found = MOMENT.fullmatch(text)
    if not found:
        return 'invalid_timestamp'
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if not 1 <= month <= 12 or year < 1 or hour > 23 or minute > 59 or second > 59:
        return 'invalid_timestamp'
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= MONTH_DAYS[month - 1] + leap:
        return 'invalid_timestamp'
    if not text.endswith('Z') and not found[7]:
        return 'timestamp_without_offset'
    ahead = 0
    if found[7]:
        if int(found[8]) > 23 or int(found[9] or 0) > 59:
            return 'invalid_timestamp'
        ahead = (int(found[8]) * 60 + int(found[9] or 0)) * (1 if found[7] == '+' else -1)
    # Seconds since the first of March of year 0, enough to compare with the two ends of the range.
    def at(year, month, day):
        year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
        return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day
    minutes = at(year, month, day) * 1440 + hour * 60 + minute - ahead
    if not at(1900, 1, 1) * 1440 <= minutes < at(2100, 1, 1) * 1440:
        return 'timestamp_out_of_range'
    return None


def trade(symbol, price, volume, timestamp):
    """The reasons of a trade, in the order of its columns."""
    reasons = [] if symbol else ['missing_symbol']
    value, reason = number(price, 'price', True)
    reasons.append(reason or (value <= 0 and 'non_positive_price'))
    value, reason = number(volume, 'volume', True)
    reasons.append(reason or (value < 0 and 'negative_volume'))
    reasons.append(moment(timestamp))
    return [reason for reason in reasons if reason]


def transaction(identifier, amount, currency, timestamp, merchant, status):
    """The reasons of a transaction but for a repeated id."""
    reasons = [] if identifier else ['missing_transaction_id']
    reasons.append(number(amount, 'amount', False)[1])
    if currency == '':
        reasons.append('missing_currency')
    elif not re.fullmatch('[A-Z]{3}', currency):
        reasons.append('invalid_currency')
    elif currency in NOT_MONEY:
        reasons.append('unsupported_currency')
    elif currency not in MONEY:
        reasons.append('unknown_currency')
    reasons.append(moment(timestamp))
    if not merchant.strip():
        reasons.append('missing_merchant')
    if status == '':
        reasons.append('missing_status')
    elif status not in STATUSES:
        reasons.append('invalid_status')
    return [reason for reason in reasons if reason]


def named(line, reasons):
    """(line, reasons) of a row that a peer found bad; stops when the row is good after all."""
    if not reasons:
        raise SystemExit(f'line {line} was refused by the quick test but is good: the quick test is wrong')
    return line, reasons


def write_rejects(path, rejects):
    """Rows that were refused: physical line and reasons, in the order of the file."""
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['line', 'reasons'])
        for line, reasons in sorted(rejects):
            writer.writerow([line, ';'.join(reasons)])


class BreakLines:
    """Physical lines of data rows when some rows before have line breaks within quotes."""

    def __init__(self, breaks):
        """`breaks`: (row from 0, line breaks within it), in order."""
        self.rows = [row for row, _ in breaks]
        self.before = [0, *itertools.accumulate(count for _, count in breaks)]

    def of_row(self, row):
        """The header is line 1, so row 0 is on line 2."""
        return row + 2 + self.before[bisect.bisect_left(self.rows, row)]


def records_at(path, lines, chunk_bytes=1 << 16, record_bytes_max=4096):
    """The fields of the records that start on these physical lines, by line."""
    wanted = sorted(lines, reverse=True)
    records = {}
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        line, chunk = 1, file.read(chunk_bytes)
        while chunk and wanted:
            following = file.read(chunk_bytes)
            end, start = line + chunk.count(b'\n'), 0
            # A record may start right behind the last line break of a chunk, and reach into the next one.
            while wanted and wanted[-1] <= end:
                for _ in range(wanted[-1] - line):
                    start = chunk.index(b'\n', start) + 1
                line = wanted.pop()
                text = (chunk + following)[start:start + record_bytes_max].decode('utf-8', 'replace')
                records[line] = next(csv.reader(io.StringIO(text, newline='')))
            line, chunk = end, following
    return records
