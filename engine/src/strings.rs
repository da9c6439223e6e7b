//! What stands in strings: where they end, their escapes, GUIDs.

use crate::scan::{Odd, Read};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Returns where the next quote or backslash stands; the end if none does.
pub fn quote_or_escape(body: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = body.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let found =
            (zero_bytes(word ^ (ONES * b'"' as u64)) | zero_bytes(word ^ (ONES * b'\\' as u64))) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < body.len() && body[at] != b'"' && body[at] != b'\\' {
        at += 1;
    }
    at
}

/// Marks bytes that are zero; the lowest mark is right, which is all that is asked for.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// Returns the number that four hexadecimal digits mean.
pub fn hex4(body: &[u8], at: usize) -> Read<u32> {
    let digits = body.get(at..at + 4).ok_or(Odd)?;
    let mut unit = 0;
    for digit in digits {
        unit = unit * 16 + (*digit as char).to_digit(16).ok_or(Odd)?;
    }
    Ok(unit)
}

/// Appends the text of a string that [`Cursor::string`] read.
pub fn unescaped(inner: &[u8], out: &mut Vec<u8>) {
    let mut rest = inner;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let mut taken = 2;
        match rest[at + 1] {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = hex4(rest, at + 2).unwrap_or(0);
                taken = 6;
                if (0xD800..0xDC00).contains(&code) {
                    let low = hex4(rest, at + 8).unwrap_or(0xDC00);
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    taken = 12;
                }
                let mut buffer = [0; 4];
                let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
                out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
            }
            other => out.push(other),
        }
        rest = &rest[at + taken..];
    }
    out.extend_from_slice(rest);
}

/// Tells whether a text is a GUID in lower case.
pub fn is_guid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_quote_or_escape_is_found() {
        for at in 0..40 {
            for byte in [b'"', b'\\'] {
                let mut text = vec![b'\xc3'; 40];
                text[at] = byte;
                text[39] = b'"';
                assert_eq!(quote_or_escape(&text, 0), at);
            }
        }
    }

    #[test]
    fn escapes_become_characters() {
        let mut out = Vec::new();
        unescaped("a\\/\\u00e9\\ud83d\\ude00\\n\\\"z".as_bytes(), &mut out);
        assert_eq!(out, "a/é😀\n\"z".as_bytes());
    }
}
