//! Which of several columns of numbers are open, high, low and close when nothing names them.

/// Rows that are compared.
const ROWS_MAX: usize = 300;
/// Columns that are tried.
const COLUMNS_MAX: usize = 8;
/// Prices of one bar are seldom further apart than this.
const RATIO_MAX: f64 = 1.5;
/// Fewer bars than this share that hold together are a coincidence.
const SHARE_MIN: f64 = 0.5;

/// How well an assignment does.
struct Rank {
    share: f64,
    /// In the order people write them.
    usual: bool,
    /// How far opens are from the closes before them.
    jump: f64,
}

impl Rank {
    fn beats(&self, other: &Rank) -> bool {
        if (self.share - other.share).abs() > 0.01 {
            return self.share > other.share;
        }
        if self.jump < other.jump * 0.5 || other.jump < self.jump * 0.5 {
            return self.jump < other.jump;
        }
        self.usual && !other.usual
    }
}

/// The places of open, high, low and close among `columns`; `falling` when the latest bar comes first.
pub(super) fn find(columns: &[Vec<Option<f64>>], falling: bool) -> Option<[usize; 4]> {
    let count = columns.len().min(COLUMNS_MAX);
    let length = columns.iter().map(Vec::len).min()?.min(ROWS_MAX);
    let whole = |row: &usize| columns[..count].iter().all(|column| column[*row].is_some_and(|number| number > 0.0));
    let rows: Vec<Vec<f64>> = (0..length)
        .filter(whole)
        .map(|row| columns[..count].iter().filter_map(|column| column[row]).collect())
        .collect();
    // One bar or two hold together whatever the columns are.
    if rows.len() < 3 || rows.len() * 2 < length {
        return None;
    }
    let near: Vec<Vec<bool>> =
        (0..count).map(|left| (0..count).map(|right| are_near(&rows, left, right)).collect()).collect();
    let mut best: Option<([usize; 4], Rank)> = None;
    for places in orders(count) {
        let [open, high, low, close] = places;
        if !(near[open][high] && near[open][low] && near[open][close] && near[high][low]) {
            continue;
        }
        let rank = rank(&rows, places, falling);
        if rank.share >= SHARE_MIN && best.as_ref().is_none_or(|(_, before)| rank.beats(before)) {
            best = Some((places, rank));
        }
    }
    best.map(|(places, _)| places)
}

/// Every way to choose four of `count` columns, the usual order first.
fn orders(count: usize) -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for code in 0..count.pow(4) {
        let places = [code / count.pow(3), code / count.pow(2) % count, code / count % count, code % count];
        let distinct = (0..4).all(|left| (left + 1..4).all(|right| places[left] != places[right]));
        if distinct {
            orders.push(places);
        }
    }
    orders.sort_by_key(|places| !places.is_sorted());
    orders
}

fn are_near(rows: &[Vec<f64>], left: usize, right: usize) -> bool {
    let mut ratios: Vec<f64> = rows.iter().map(|row| (row[left] / row[right]).max(row[right] / row[left])).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2] <= RATIO_MAX
}

fn rank(rows: &[Vec<f64>], places: [usize; 4], falling: bool) -> Rank {
    let [open, high, low, close] = places;
    let holds = |row: &&Vec<f64>| {
        let (most, least) = (row[high], row[low]);
        least <= row[open].min(row[close]) && most >= row[open].max(row[close]) && least <= most
    };
    let share = rows.iter().filter(holds).count() as f64 / rows.len() as f64;
    let jump = |pair: &[Vec<f64>]| {
        let (before, after) = if falling { (&pair[1], &pair[0]) } else { (&pair[0], &pair[1]) };
        (after[open] - before[close]).abs()
    };
    let jump = rows.windows(2).map(jump).sum();
    Rank { share, usual: places.is_sorted(), jump }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: &[&[f64]]) -> Vec<Vec<Option<f64>>> {
        (0..rows[0].len()).map(|column| rows.iter().map(|row| Some(row[column])).collect()).collect()
    }

    #[test]
    fn the_usual_order_is_found_with_the_volume_anywhere() {
        let after: &[&[f64]] =
            &[&[10.0, 12.0, 9.0, 11.0, 500.0], &[11.0, 13.0, 10.5, 12.5, 20.0], &[12.5, 12.6, 11.0, 11.5, 90.0]];
        assert_eq!(find(&columns(after), false), Some([0, 1, 2, 3]));
        let before: &[&[f64]] =
            &[&[500.0, 10.0, 12.0, 9.0, 11.0], &[20.0, 11.0, 13.0, 10.5, 12.5], &[90.0, 12.5, 12.6, 11.0, 11.5]];
        assert_eq!(find(&columns(before), false), Some([1, 2, 3, 4]));
    }

    #[test]
    fn another_order_is_told_by_the_least_the_greatest_and_the_jumps() {
        // close, high, low, open
        let rows: &[&[f64]] =
            &[&[11.0, 12.0, 9.0, 10.0], &[12.5, 13.0, 10.5, 11.0], &[11.5, 12.6, 11.0, 12.5], &[10.0, 12.0, 9.5, 11.5]];
        assert_eq!(find(&columns(rows), false), Some([3, 1, 2, 0]));
    }

    #[test]
    fn numbers_that_have_nothing_to_do_with_each_other_are_no_bars() {
        let rows: &[&[f64]] = &[&[1.0, 900.0, 3.0, 4.0], &[2.0, 50.0, 70.0, 1.0], &[9.0, 3.0, 2.0, 80.0]];
        assert_eq!(find(&columns(rows), false), None);
        assert_eq!(find(&columns(&[&[1.0, 2.0, 0.5, 1.5]]), false), None);
        assert_eq!(find(&[], false), None);
    }
}
