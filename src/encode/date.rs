//! Times as HTTP and people write them, in UTC, from the seconds since the beginning of 1970.

use super::decimal;

/// An IMF-fixdate, the form of every date in HTTP (RFC 9110, section 5.6.7).
pub fn imf_fixdate(seconds: u64) -> [u8; 29] {
    let civil = Civil::from_unix(seconds);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = (seconds / 86400 + 3) as usize % 7 * 3;
    text[0..3].copy_from_slice(&b"MonTueWedThuFriSatSun"[weekday..weekday + 3]);
    let month = (civil.month as usize - 1) * 3;
    text[8..11].copy_from_slice(&b"JanFebMarAprMayJunJulAugSepOctNovDec"[month..month + 3]);
    decimal::put(&mut text[5..7], civil.day);
    decimal::put(&mut text[12..16], civil.year);
    put_time_of_day(&mut text[17..25], seconds);
    text
}

/// A timestamp to the millisecond (RFC 3339, section 5.6).
pub fn rfc3339(milliseconds: u64) -> [u8; 24] {
    let seconds = milliseconds / 1000;
    let Civil { year, month, day } = Civil::from_unix(seconds);
    let mut text = *b"1970-01-01T00:00:00.000Z";
    decimal::put(&mut text[0..4], year);
    decimal::put(&mut text[5..7], month);
    decimal::put(&mut text[8..10], day);
    put_time_of_day(&mut text[11..19], seconds);
    decimal::put(&mut text[20..23], milliseconds % 1000);
    text
}

/// The days from 1970-01-01 to a day that is written as `2027-06-30`; `None` if there is no such
/// day, or it is before 1970.
pub fn day(text: &str) -> Option<u64> {
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    if text.len() != 10 || ![0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit) {
        return None;
    }
    let year: u64 = text[..4].parse().ok()?;
    // Counts from a few days before its year, so that no second calendar is needed.
    let first = (year.checked_sub(1970)? * 3_652_425 / 10_000).saturating_sub(3);
    (first..first + 375).find(|day| rfc3339(day * 86_400_000).starts_with(text.as_bytes()))
}

/// The same to the second.
pub fn to_the_second(seconds: u64) -> String {
    let text = rfc3339(seconds.saturating_mul(1000));
    let whole: String = text[..19].iter().map(|&byte| char::from(byte)).collect();
    whole + "Z"
}

/// Writes the digits of `hh:mm:ss` around its colons.
fn put_time_of_day(text: &mut [u8], seconds: u64) {
    decimal::put(&mut text[0..2], seconds / 3600 % 24);
    decimal::put(&mut text[3..5], seconds / 60 % 60);
    decimal::put(&mut text[6..8], seconds % 60);
}

/// A day of the Gregorian calendar.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
}

impl Civil {
    /// The day of this second.
    ///
    /// Years are counted from March, so that the leap day is the last one of its year, and in
    /// cycles of 400 years, which are all alike.
    fn from_unix(seconds: u64) -> Civil {
        let days = seconds / 86400 + 719_468; // since 0000-03-01
        let cycle = days / 146_097;
        let day_of_cycle = days % 146_097;
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Civil {
            year: cycle * 400 + year_of_cycle + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_exists_is_read() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(11_016)),
            ("2027-06-30", Some(20_999)),
            ("9999-12-31", Some(2_932_896)),
            ("2027-02-29", None),
            ("2027-06-31", None),
            ("2027-13-01", None),
            ("1969-12-31", None),
            ("2027-6-30", None),
            ("27-06-30xx", None),
            ("2027/06/30", None),
            ("", None),
        ] {
            assert_eq!(day(text), expected, "{text}");
        }
        for day_of_year in 0..366 * 500 {
            let text = String::from_utf8(rfc3339(day_of_year * 86_400_000)[..10].to_vec()).unwrap();
            assert_eq!(day(&text), Some(day_of_year));
        }
    }

    #[test]
    fn dates_over_leap_days_and_centuries() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(std::str::from_utf8(&imf_fixdate(seconds)).unwrap(), expected);
        }
    }

    #[test]
    fn timestamps_to_the_millisecond() {
        for (milliseconds, expected) in [
            (784_111_777_042, "1994-11-06T08:49:37.042Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        ] {
            assert_eq!(std::str::from_utf8(&rfc3339(milliseconds)).unwrap(), expected);
        }
    }
}
