//! Numbers as people write them. The standard library's own reading brings a table of ten kilobytes along, which each
//! program of the site would have to fetch.

/// The powers of ten that float64 has exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Further digits change nothing that float64 can tell.
const MOST_DIGITS: u32 = 19;
/// What is smaller is 0, and what is larger is no number.
const MOST_EXPONENT: i32 = 400;

/// `-12`, `0.8`, `.5`, `1e-5`. Up to 15 digits and the 22nd power of ten it is the float64 that is nearest; beyond, one that
/// differs in the last bits at most.
pub fn parse(text: &str) -> Option<f64> {
    let (is_negative, text) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(place) => (&text[..place], std::str::from_utf8(&text[place + 1..]).ok()?.parse().ok()?),
        None => (text, 0),
    };
    let (mantissa, point) = digits(mantissa)?;
    let exponent = i32::saturating_add(exponent, point).clamp(-MOST_EXPONENT, MOST_EXPONENT);
    let number = scaled(mantissa as f64, exponent);
    number.is_finite().then_some(if is_negative { -number } else { number })
}

/// The digits as one number, and the power of ten that it has to be multiplied by.
fn digits(text: &[u8]) -> Option<(u64, i32)> {
    let (mut number, mut kept, mut exponent, mut point) = (0u64, 0, 0i32, None);
    for (place, byte) in text.iter().enumerate() {
        match byte {
            b'.' if point.is_none() => point = Some(place),
            b'0'..=b'9' if kept < MOST_DIGITS => {
                number = number * 10 + u64::from(byte - b'0');
                kept += u32::from(number > 0);
                exponent -= i32::from(point.is_some());
            }
            b'0'..=b'9' => exponent += i32::from(point.is_none()),
            _ => return None,
        }
    }
    let has_digits = text.len() > usize::from(point.is_some());
    has_digits.then_some((number, exponent))
}

fn scaled(mut number: f64, exponent: i32) -> f64 {
    let mut left = exponent.unsigned_abs() as usize;
    while left > 0 {
        let power = left.min(POWERS.len() - 1);
        number = if exponent < 0 { number / POWERS[power] } else { number * POWERS[power] };
        left -= power;
    }
    number
}

/// The number of the fewest decimals that float32 has for it: 0.1, as it was written, and not 0.10000000149.
pub fn shortest(number: f32) -> f64 {
    parse(&number.to_string()).unwrap_or(f64::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_as_the_standard_library_reads_it() {
        let texts = [
            "0",
            "-0",
            "+1",
            "12",
            "0.8",
            ".5",
            "5.",
            "0.95",
            "1e-5",
            "1E+3",
            "00012.500",
            "3.14159265358979",
            "1e22",
            "1e-22",
            "9007199254740991",
            "123456.789e-3",
            "0e999",
            "1e-400",
        ];
        for text in texts {
            assert_eq!(parse(text).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", ".", "-", "+-1", "1.2.3", "1e", "e5", "1e5.", "0x10", "1_000", "nan", "inf", "1,5", " 1", "1e309", "é"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_float32_comes_back_from_its_decimals() {
        let mut bits = 1u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(0x9E37_79B1).wrapping_add(0x7F4A_7C15);
            let number = f32::from_bits(bits);
            if number.is_finite() {
                assert_eq!(shortest(number) as f32, number);
            }
        }
        assert_eq!(["0.1", "0.00001"].map(|text| shortest(text.parse().unwrap())), [0.1, 1e-5]);
    }

    #[test]
    fn many_digits_are_near() {
        for text in
            ["12345678901234567890123", "0.1234567890123456789012345", "3.0000000000000000000001e-30", "2.5e300"]
        {
            let (found, expected) = (parse(text).unwrap(), text.parse::<f64>().unwrap());
            assert!((found / expected - 1.0).abs() < 1e-14, "{text}: {found}, expected {expected}");
        }
    }
}
