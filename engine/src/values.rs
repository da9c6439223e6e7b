//! Values of each form, from JSON text, exactly or not at all.
//!
//! The forms and what fits them are those of `transforms/forms.py` and `transforms/parsing.py`; what
//! is doubtful is [`Odd`], and then the whole message is read by the thorough reader.

use crate::context::{read_reference, REFERENCE};
use crate::scan::{whole, Odd, Read, Span};
use crate::strings::unescaped;

const OPTION: &[u8] =
    br#"{"__type":"OptionSetValue:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Value":"#;
const MONEY: &[u8] = br#"{"__type":"Money:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Value":"#;
const DATE: &[u8] = br#""\/Date("#;

/// How values of one column are written; the numbers are those of the Python enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    Nothing = 0,
    Odd = 1,
    Text = 2,
    Instant = 3,
    Date = 4,
    Integer = 5,
    Decimal = 6,
    Double = 7,
    Money = 8,
    Boolean = 9,
    Option = 10,
    Options = 11,
    Reference = 12,
}

impl Form {
    pub fn of_number(number: u8) -> Form {
        use Form::*;
        let all = [
            Nothing, Odd, Text, Instant, Date, Integer, Decimal, Double, Money, Boolean, Option, Options,
            Reference,
        ];
        all.get(number as usize).copied().unwrap_or(Odd)
    }

    /// Returns the form of a value by how it begins.
    pub fn of_value(text: &[u8]) -> Form {
        let first = text.first().copied().unwrap_or(0);
        match first {
            b'n' => Form::Nothing,
            b'"' if text.starts_with(DATE) => Form::Instant,
            b'"' => Form::Text,
            b't' | b'f' => Form::Boolean,
            b'-' | b'0'..=b'9' => Form::Decimal,
            b'[' if text == b"[]" => Form::Nothing,
            b'[' if text[1..].starts_with(OPTION) => Form::Options,
            b'{' if text.starts_with(REFERENCE) => Form::Reference,
            b'{' if text.starts_with(OPTION) => Form::Option,
            b'{' if text.starts_with(MONEY) => Form::Money,
            _ => Form::Odd,
        }
    }

    /// Whether the label of a value has a column of its own.
    pub fn labelled(self) -> bool {
        matches!(self, Form::Boolean | Form::Option | Form::Options | Form::Reference)
    }
}

/// A value read; texts are spans of a scratch buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(Span),
    Whole(i64),
    Decimal(i128),
    Double(f64),
    Days(i32),
    Flag(bool),
    Reference { id: Span, table: Span, name: Option<Span> },
}

/// Reads the value of a column of a form; texts are appended to `scratch`.
pub fn read(form: Form, body: &[u8], span: Span, scratch: &mut Vec<u8>) -> Read<Value> {
    let text = span.of(body);
    if text == b"null" {
        return Ok(Value::Null);
    }
    Ok(match form {
        Form::Text => {
            let found = decoded(text, scratch)?;
            // a text that reads as a date may be one: metadata tells, and the thorough reader asks it
            if found.of(scratch).starts_with(b"/Date(") {
                return Err(Odd);
            }
            Value::Text(found)
        }
        Form::Instant => Value::Whole(milliseconds(text)? * 1000),
        Form::Date => Value::Days(days(milliseconds(text)?)?),
        Form::Integer => Value::Whole(whole(text)?),
        Form::Decimal => Value::Decimal(decimal(text, 10)?),
        Form::Double => Value::Double(double(text)?),
        Form::Money => Value::Decimal(decimal(wrapped(text, MONEY)?, 4)?),
        Form::Boolean => Value::Flag(flag(text)?),
        Form::Option => Value::Whole(whole(wrapped(text, OPTION)?)?),
        Form::Options => options(text, scratch)?,
        Form::Reference => reference(body, span, scratch)?,
        Form::Nothing | Form::Odd => return Err(Odd),
    })
}

fn appended(text: &[u8], scratch: &mut Vec<u8>) -> Span {
    let from = scratch.len() as u32;
    scratch.extend_from_slice(text);
    Span { from, to: scratch.len() as u32 }
}

/// Appends the text of a JSON string.
pub fn decoded(text: &[u8], scratch: &mut Vec<u8>) -> Read<Span> {
    let inner = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Odd)?;
    Ok(label(inner, scratch))
}

/// Appends the text of what stands between the quotes of a JSON string.
pub fn label(inner: &[u8], scratch: &mut Vec<u8>) -> Span {
    let from = scratch.len() as u32;
    unescaped(inner, scratch);
    Span { from, to: scratch.len() as u32 }
}

/// Appends labels of several choices, parted as the codes are but for a blank.
pub fn tidy_labels(inner: &[u8], scratch: &mut Vec<u8>) -> Read<Span> {
    let found = label(inner, scratch);
    let text = String::from_utf8(scratch[found.from as usize..].to_vec()).map_err(|_| Odd)?;
    // Python strips separators among the control characters too
    if text.bytes().any(|byte| byte < b' ') {
        return Err(Odd);
    }
    scratch.truncate(found.from as usize);
    let parts: Vec<&str> = text.split(';').map(str::trim).collect();
    Ok(appended(parts.join("; ").as_bytes(), scratch))
}

fn wrapped<'a>(text: &'a [u8], beginning: &[u8]) -> Read<&'a [u8]> {
    text.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(b"}")).ok_or(Odd)
}

fn flag(text: &[u8]) -> Read<bool> {
    match text {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(Odd),
    }
}

fn double(text: &[u8]) -> Read<f64> {
    if !matches!(text.first(), Some(b'-' | b'0'..=b'9')) {
        return Err(Odd);
    }
    let number: f64 = std::str::from_utf8(text).map_err(|_| Odd)?.parse().map_err(|_| Odd)?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(Odd)
    }
}

/// Returns a number times ten to the power of `scale`, without exponent, of 38 digits at most.
fn decimal(text: &[u8], scale: usize) -> Read<i128> {
    if text.len() > 38 - scale {
        return Err(Odd);
    }
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mut number, mut after, mut in_fraction) = (0_i128, 0, false);
    for byte in digits {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + i128::from(byte - b'0');
                after += usize::from(in_fraction);
            }
            b'.' if !in_fraction => in_fraction = true,
            _ => return Err(Odd),
        }
    }
    if after > scale || digits.is_empty() {
        return Err(Odd);
    }
    for _ in after..scale {
        number *= 10;
    }
    Ok(if negative { -number } else { number })
}

const MIN_MS: i64 = -62_135_596_800_000;
const MAX_MS: i64 = 253_402_300_799_999;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Returns the milliseconds since 1970 of a date, by the rule of `transforms/numbers.py`.
pub fn milliseconds(text: &[u8]) -> Read<i64> {
    let inner = text.strip_prefix(DATE).and_then(|rest| rest.strip_suffix(br#")\/""#)).ok_or(Odd)?;
    let (number, offset) = match inner.iter().skip(1).position(|byte| matches!(byte, b'+' | b'-')) {
        Some(at) => inner.split_at(at + 1),
        None => (inner, &b""[..]),
    };
    let mut found = date_number(number)?;
    if let Some(sign) = offset.first() {
        let clock = &offset[1..];
        if clock.len() != 4 || !clock.iter().all(u8::is_ascii_digit) {
            return Err(Odd);
        }
        let two = |at: usize| i64::from(clock[at] - b'0') * 10 + i64::from(clock[at + 1] - b'0');
        let shift = (two(0) * 60 + two(2)) * 60_000;
        found += if *sign == b'+' { shift } else { -shift };
    }
    if (MIN_MS..=MAX_MS).contains(&found) {
        Ok(found)
    } else {
        Err(Odd)
    }
}

fn date_number(text: &[u8]) -> Read<i64> {
    if text.len() > 16 {
        return Err(Odd);
    }
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Odd);
    }
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Ok(if negative { -number } else { number })
}

/// Returns the days since 1970; midnight may be an hour off, next to a change of daylight saving time.
fn days(milliseconds: i64) -> Read<i32> {
    let shifted = milliseconds + HOUR_MS - MIN_MS;
    let day = shifted / DAY_MS + MIN_MS / DAY_MS;
    if shifted % DAY_MS > 2 * HOUR_MS || day > MAX_MS / DAY_MS {
        return Err(Odd);
    }
    Ok(day as i32)
}

fn options(text: &[u8], scratch: &mut Vec<u8>) -> Read<Value> {
    if text == b"[]" {
        return Ok(Value::Null);
    }
    let mut rest = text.strip_prefix(b"[").ok_or(Odd)?;
    let from = scratch.len() as u32;
    loop {
        rest = rest.strip_prefix(OPTION).ok_or(Odd)?;
        let end = rest.iter().position(|byte| *byte == b'}').ok_or(Odd)?;
        whole(&rest[..end])?;
        scratch.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        match rest {
            b"]" => return Ok(Value::Text(Span { from, to: scratch.len() as u32 })),
            _ => rest = rest.strip_prefix(b",").ok_or(Odd)?,
        }
        scratch.push(b';');
    }
}

fn reference(body: &[u8], span: Span, scratch: &mut Vec<u8>) -> Read<Value> {
    let found = read_reference(body, span)?;
    Ok(Value::Reference {
        id: appended(found.id.of(body), scratch),
        table: appended(found.table.of(body), scratch),
        name: found.name.map(|name| label(name.of(body), scratch)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let read = |text: &str| milliseconds(format!("\"\\/Date({text})\\/\"").as_bytes()).ok();
        assert_eq!(read("1506409448000-0700"), Some(1_506_384_248_000));
        assert_eq!(read("-57600000-0800"), Some(-86_400_000));
        assert_eq!(read("0"), Some(0));
        assert_eq!(read("253402300799999"), Some(MAX_MS));
        for bad in ["", "-", "1-07", "1+07000", "253402300800000", "1x", "99999999999999999999"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(days(-HOUR_MS).ok(), Some(0));
        assert_eq!(days(HOUR_MS).ok(), Some(0));
        assert!(days(HOUR_MS + 1).is_err());
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal(b"-1.5", 4).ok(), Some(-15_000));
        assert_eq!(decimal(b"12", 10).ok(), Some(120_000_000_000));
        for bad in ["1.23456", "1e5", "", "12345678901234567890123456789012345"] {
            assert!(decimal(bad.as_bytes(), 4).is_err(), "{bad}");
        }
    }
}
