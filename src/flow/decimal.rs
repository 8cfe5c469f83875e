//! Numbers of JSON as decimals, compared exactly: as doubles, 1.00000000000000000001 would be 1 and 1e-400 would be 0.

use std::cmp::Ordering;

/// The number 0.DIGITS × 10^`exponent`, which is not negative. Neither the first nor the last digit is 0. Zero has no digits,
/// and the lowest exponent.
#[derive(Debug, Clone, Copy)]
pub struct Decimal<'text> {
    exponent: isize,
    /// The digits before the point of the text, and those behind it.
    digits: (&'text str, &'text str),
}

impl<'text> Decimal<'text> {
    /// Reads a number in the grammar of JSON (RFC 8259, 6); `None` if it is negative.
    pub fn of(number: &'text str) -> Option<Self> {
        let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.is_empty() && fraction.is_empty() {
            return Some(Self { exponent: isize::MIN, digits: ("", "") });
        }
        // An exponent that is too large for the type outweighs all digits that a body has room for.
        let extreme = if exponent.starts_with('-') { isize::MIN } else { isize::MAX };
        let exponent: isize = exponent.parse().unwrap_or(extreme);
        let (exponent, digits) = if whole.is_empty() {
            let digits = fraction.trim_start_matches('0');
            (exponent.saturating_sub_unsigned(fraction.len() - digits.len()), ("", digits))
        } else {
            let digits = if fraction.is_empty() { whole.trim_end_matches('0') } else { whole };
            (exponent.saturating_add_unsigned(whole.len()), (digits, fraction))
        };
        (!is_negative).then_some(Self { exponent, digits })
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'text> {
        self.digits.0.bytes().chain(self.digits.1.bytes())
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.exponent.cmp(&other.exponent).then_with(|| self.digits().cmp(other.digits()))
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}
