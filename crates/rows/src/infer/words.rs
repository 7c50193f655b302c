//! What senders call their columns, in the languages and by the vendors that we have seen.

/// What a column may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Symbol,
    Price,
    Volume,
    Time,
    Clock,
    TradeId,
    Sequence,
    Open,
    High,
    Low,
    Close,
    Id,
    Amount,
    Credit,
    Debit,
    Quantity,
    UnitPrice,
    Currency,
    Merchant,
    Status,
}

/// Names of a role, the surest first, and words that speak against it; a bar between two.
struct Names {
    role: Role,
    names: &'static str,
    against: &'static str,
}

const NAMES: &[Names] = &[
    Names {
        role: Role::Symbol,
        names: "symbol|ticker|instrument|pair|product id|inst id|instid|market|sym|currency pair|\
            trading pair|isin|ric|security|contract|asset|product|code|stock|coin|s|銘柄|代码|交易对|\
            wertpapier|titre|valor",
        against: "stock code|name|type|class|maker|country|currency code|post|zip|bank",
    },
    Names {
        role: Role::Price,
        names: "price str|price|px|trade price|last price|exec price|fill price|last px|last|rate|preis|\
            kurs|prix|cours|precio|prezzo|cena|preco|prijs|pris|p|価格|約定価格|レート|价格|成交价|가격|цена",
        against: "unit|bid|ask|avg|average|stop|limit|mark|index|exchange|adj|tax",
    },
    Names {
        role: Role::Volume,
        names: "volume|vol|qty|quantity|size|amount str|base volume|last qty|exec qty|sz|amount|shares|\
            lots|menge|volumen|stucke|quantite|cantidad|quantidade|tick volume|tickvol|trade volume|\
            v|q|数量|出来高|成交量|거래량|объем|volumes",
        against: "quote|bid|ask|notional|taker|buy|sell|weighted|real",
    },
    Names {
        role: Role::Time,
        names: "microtimestamp|timestamp|datetime|date time|time|ts|date|created at|created|created utc|\
            created date|exec date|executed at|trade time|event time|open time|transact time|\
            transaction time|transaction date|payment datetime|refund datetime|booking date|\
            posting date|posted date|post date|buchungstag|buchungsdatum|datum|date operation|\
            date de l operation|date de comptabilisation|fecha operacion|fecha|data operazione|\
            data contabile|data operacji|data ksiegowania|data lancamento|data|boekdatum|\
            transactiedatum|bokforingsdag|invoice date|order date|purchase date|started date|\
            valutadatum|wertstellung|valuta|date de valeur|fecha valor|data valuta|value date|\
            gmt time|time utc|open timestamp|completed date|settled at|updated at|unix|epoch|t|日時|\
            日付|取引日|約定日時|年月日|时间|日期|交易时间|시간|дата|zeit|zeitpunkt|uhrzeit|heure|hora",
        against: "settlement|adjustment|expiry|zone|birth|due|close time|update|updated",
    },
    Names {
        role: Role::Clock,
        names: "time|transaction time|trade time|uhrzeit|zeit|heure|hora|ora|tijd|時刻|时间",
        against: "zone",
    },
    Names {
        role: Role::TradeId,
        names: "trade id|tradeid|tid|trd match id|match id|exec id|execution id|deal id|fill id|id|\
            ticket|trade number",
        against: "order|user|account|buy|sell|maker|taker|product|inst|client",
    },
    Names { role: Role::Sequence, names: "sequence|seq|sequence number|seq num|seqno|seqnum", against: "" },
    Names {
        role: Role::Open,
        names: "open|open price|o|first|ouverture|eroffnung|erster|apertura|abertura|始値|开盘|开盘价|시가",
        against: "time|interest|timestamp|adj",
    },
    Names {
        role: Role::High,
        names: "high|high price|h|max|hoch|hochst|plus haut|haut|maximo|massimo|maximum|高値|最高|最高价|고가",
        against: "time|adj|52",
    },
    Names {
        role: Role::Low,
        names: "low|low price|l|min|tief|tiefst|plus bas|bas|minimo|minimum|安値|最低|最低价|저가",
        against: "time|adj|52",
    },
    Names {
        role: Role::Close,
        names: "close|close price|c|last|schluss|schlusskurs|cloture|dernier|cierre|chiusura|fechamento|\
            終値|收盘|收盘价|종가",
        against: "time|adj|prev|previous|timestamp",
    },
    Names {
        role: Role::Id,
        names: "transaction id|txn id|txid|transactionid|trans id|payment id|refund id|charge id|\
            transfer id|transaction number|transaction no|n de transaction|numero de transaction|\
            transaction reference|id|uuid|entry id|operation id|reference number|reference id|\
            reference no|reference|ref|transaktions id|transaktionsnummer|buchungsreferenz|referenz|\
            belegnummer|id transaccion|referencia|riferimento|referentie|nr transakcji|\
            sepa reference|receipt no|invoice no|invoice id|order id|txn|取引id|取引番号|交易号|流水号|订单号|\
            номер",
        against: "customer|user|account|card|client|store|mandate|tax|gateway|terminal|parent|merchant|\
            product|category|device|source|batch|session|bank",
    },
    Names {
        role: Role::Amount,
        names: "amount|transaction amount|captured amount|refund amount|payment amount|amount paid|amt|\
            betrag|umsatz|montant|importe|importo|bedrag|belopp|belob|kwota|valor|suma|sum|gross|\
            gross amount|total|value|net|net amount|金額|金额|数量|取引金額|交易金额|금액|сумма",
        against: "refunded|converted|fee|fees|tax|balance|original|transfer|running|compensation|exchange|\
            adjustment|discount|tip|credit|debit|date|type|currency",
    },
    Names {
        role: Role::Credit,
        names: "credit|credit amount|credits|deposit|deposits|paid in|money in|haben|gutschrift|\
            einnahmen|einzahlung|entree|entrees|ingreso|ingresos|abono|abonos|avere|entrate|entrata|\
            bij|uznania|receipts|in|入金|お預り金額|収入|收入|存入|приход",
        against: "card|type|limit|line|debit|score",
    },
    Names {
        role: Role::Debit,
        names: "debit|debit amount|debits|withdrawal|withdrawals|paid out|money out|soll|belastung|\
            ausgaben|auszahlung|lastschrift|sortie|cargo|cargos|gasto|gastos|dare|uscite|uscita|af|\
            obciazenia|payments|spent|out|出金|お支払金額|支出|расход",
        against: "card|type|credit",
    },
    Names {
        role: Role::Quantity,
        names: "quantity|qty|units|menge|anzahl|quantite|cantidad|quantita|aantal|数量",
        against: "",
    },
    Names {
        role: Role::UnitPrice,
        names: "unit price|unitprice|price per unit|price each|price|einzelpreis|stuckpreis|\
            prix unitaire|precio unitario|prezzo unitario|単価|单价",
        against: "total|tax",
    },
    Names {
        role: Role::Currency,
        names: "currency|ccy|currency code|curr|cur|wahrung|devise|monnaie|monn|moneda|divisa|valuta|\
            waluta|moeda|munt|transaction currency|amount currency|通貨|コイン|货币|币种|通貨コード|валюта|coin",
        against: "converted|transfer|original|settlement|fee|pair|rate|amount|account",
    },
    Names {
        role: Role::Merchant,
        names: "merchant|merchant name|payee|vendor|counterparty|counterparty name|\
            auftraggeber empfanger|beguenstigter zahlungspflichtiger|empfanger|zahlungsempfanger|\
            name zahlungsbeteiligter|beneficiary|recipient|store name|name|description|\
            description 1|transaction description|details|narrative|libelle|libelle operation|\
            concepto|descripcion|descrizione|omschrijving|naam omschrijving|opis|opis operacji|\
            descricao|historico|text|verwendungszweck|auftraggeber|beschreibung|buchungstext|\
            communication|memo|statement descriptor|label|title|particulars|payment method|\
            refund reason|reason|category|country|type|ラベル|摘要|加盟店|利用店名|商户|对方户名|交易对方|備考|описание",
        against: "original|seller|additional|customer|account|file|bank|first|user|ultimate|id|code|\
            number|date|status|category|currency|amount",
    },
    Names {
        role: Role::Status,
        names: "status|state|transaction status|payment status|refund status|etat|statut|stato|estado|\
            stan|buchungsstatus|result|outcome|ステータス|状態|状态|交易状态|상태|статус",
        against: "date|code|country|address|city|united",
    },
];

/// Words that only files of transactions have.
const OF_TRANSACTIONS: &str = "merchant|payee|payment|refund|invoice|customer|account|balance|saldo|solde|kontostand|\
    kontonummer|iban|description|verwendungszweck|libelle|category|card|bank|buchungstag|\
    wertstellung|gateway|txid|アドレス";
/// Words that only files of trades have.
const OF_TRADES: &str = "side|bid|ask|taker|maker|trade|trd|tick|exec|aggressor|buyer|seller|symbol|ticker|\
    exchange|liquidation";

/// The name of a column as words in lower case, without accents and marks: `InvoiceNo` is `invoice no`.
pub(super) fn plain(name: &str) -> String {
    let mut words = String::new();
    let characters: Vec<char> = name.chars().collect();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_alphanumeric() || character == 'º' {
            // A degree sign belongs to the letter before it.
            if !words.ends_with(' ') && !words.is_empty() {
                words.push(' ');
            }
            continue;
        }
        let before = index.checked_sub(1).map(|before| characters[before]);
        let after = characters.get(index + 1);
        let new_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if new_word && !words.ends_with(' ') {
            words.push(' ');
        }
        for lower in character.to_lowercase() {
            fold(lower, &mut words);
        }
    }
    words.trim().to_owned()
}

fn fold(character: char, into: &mut String) {
    let plain = match character {
        'à'..='å' | 'ā' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ę' | 'ě' => 'e',
        'ì'..='ï' => 'i',
        'ñ' | 'ń' => 'n',
        'ò'..='ö' | 'ø' | 'ő' => 'o',
        'ù'..='ü' | 'ů' | 'ű' => 'u',
        'ý' => 'y',
        'ł' => 'l',
        'ř' => 'r',
        'ś' | 'š' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ß' => {
            into.push_str("ss");
            return;
        }
        other => other,
    };
    into.push(plain);
}

/// How sure `name`, made plain, says that its column is for `role`: 0 not at all, 100 at most.
pub(super) fn weight(role: Role, name: &str) -> i32 {
    let Some(names) = NAMES.iter().find(|names| names.role == role) else { return 0 };
    if let Some(rank) = names.names.split('|').position(|known| known == name) {
        return 100 - (rank as i32 + 1) / 2;
    }
    let spaced = format!(" {name} ");
    let has = |known: &str| {
        let ideographs = known.chars().all(|character| character as u32 > 0x2e80);
        if ideographs { name.contains(known) } else { known.len() > 1 && spaced.contains(&format!(" {known} ")) }
    };
    let Some(rank) = names.names.split('|').position(has) else { return 0 };
    let words = name.split(' ').count() as i32;
    let against =
        names.against.split('|').filter(|word| !word.is_empty() && spaced.contains(&format!(" {word} "))).count()
            as i32;
    (62 - rank as i32 / 2 - 4 * words - 30 * against).max(0)
}

/// Whether `name`, made plain, is one that a header would have.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.iter().any(|names| is_in(names.names, name))
}

fn is_in(list: &str, word: &str) -> bool {
    list.split('|').any(|known| known == word)
}

/// How many of `names` speak for transactions, and for trades.
pub(super) fn leanings<'a>(names: impl Iterator<Item = &'a str>) -> (usize, usize) {
    let (mut transactions, mut trades) = (0, 0);
    for name in names {
        let has = |list: &str| name.split(' ').any(|word| is_in(list, word));
        transactions += usize::from(has(OF_TRANSACTIONS));
        trades += usize::from(has(OF_TRADES));
    }
    (transactions, trades)
}

/// Our word for a sender's status, if it is plain what it means.
pub(super) fn status(word: &str) -> Option<&'static str> {
    const COMPLETED: &str = "completed|complete|paid|captured|success|succeeded|successful|settled|done|ok|posted|\
        booked|cleared|approved|processed|executed|confirmed|accepted|finished|delivered|\
        available|gebucht|erledigt|ausgefuhrt|bezahlt|abgeschlossen|termine|comptabilise|\
        effectue|paye|completado|completada|pagado|eseguito|contabilizzato|zrealizowana|完了|済|成功|\
        已完成";
    const PENDING: &str = "pending|initiated|processing|authorized|authorised|open|in progress|created|new|\
        submitted|on hold|hold|waiting|scheduled|queued|incomplete|unsettled|vorgemerkt|offen|\
        ausstehend|en attente|en cours|pendiente|in attesa|保留|処理中|待处理";
    const FAILED: &str = "failed|fail|failure|declined|cancelled|canceled|rejected|error|refused|expired|voided|\
        void|denied|abgelehnt|fehlgeschlagen|storniert|echoue|refuse|annule|fallido|rechazado|\
        cancelado|annullato|失敗|キャンセル|失败";
    let word = plain(word);
    let is = |list: &str| is_in(list, &word);
    match () {
        () if is(COMPLETED) => Some("completed"),
        () if is(PENDING) => Some("pending"),
        () if is(FAILED) => Some("failed"),
        () => None,
    }
}

/// Whether `word` says that money goes out, or that it comes in; none when it says neither.
pub(super) fn goes_out(word: &str) -> Option<bool> {
    const OUT: &str = "debit|dr|d|dbit|soll|s|out|af|withdrawal|withdraw|expense|sent";
    const IN: &str = "credit|cr|c|crdt|haben|h|in|bij|deposit|income|received";
    let word = plain(word);
    match word.as_str() {
        word if is_in(OUT, word) => Some(true),
        word if is_in(IN, word) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain() {
        let check = |name: &str, expected: &str| assert_eq!(plain(name), expected);
        check("InvoiceNo", "invoice no");
        check("CustomerID", "customer id");
        check("trdMatchID", "trd match id");
        check("N° de transaction", "n de transaction");
        check("Auftraggeber/Empfänger", "auftraggeber empfanger");
        check("<TICKVOL>", "tickvol");
        check("  Date   ", "date");
        check("Débit", "debit");
        check("日時", "日時");
    }

    #[test]
    fn the_surest_name_wins() {
        let best = |role: Role, names: &[&str]| {
            names.iter().max_by_key(|name| weight(role, &plain(name))).copied().unwrap().to_owned()
        };
        assert_eq!(best(Role::Amount, &["amount_refunded", "converted_amount", "amount", "fee"]), "amount");
        assert_eq!(best(Role::Id, &["customer_id", "Transaction ID", "Reference ID"]), "Transaction ID");
        assert_eq!(best(Role::Currency, &["converted_currency", "Currency"]), "Currency");
        assert_eq!(best(Role::Time, &["settlement_date", "payment_datetime"]), "payment_datetime");
        assert_eq!(weight(Role::Price, "bid price"), 24);
        assert_eq!(weight(Role::Amount, "description"), 0);
    }

    #[test]
    fn status_words_have_a_meaning_or_none() {
        assert_eq!(status("Captured"), Some("completed"));
        assert_eq!(status("Initiated"), Some("pending"));
        assert_eq!(status("FAILED"), Some("failed"));
        assert_eq!(status("refunded"), None);
        assert_eq!((goes_out("Debit"), goes_out("CR"), goes_out("x")), (Some(true), Some(false), None));
    }
}
