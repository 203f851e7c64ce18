//! Numbers and times, for people.

/// A time: `90 s`, `12 minutes`, `3.5 hours`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("{:.0} s", seconds.max(1.0)),
        90.0..5400.0 => format!("{:.0} minutes", seconds / 60.0),
        _ => format!("{:.1} hours", seconds / 3600.0),
    }
}

/// `9,967,040`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_as_people_write_them() {
        assert_eq!([0, 999, 1000, 9_967_040].map(grouped), ["0", "999", "1,000", "9,967,040"]);
        assert_eq!([0.2, 89.0, 90.0, 12_600.0].map(duration), ["1 s", "89 s", "2 minutes", "3.5 hours"]);
    }
}
