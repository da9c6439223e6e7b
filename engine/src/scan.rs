//! Reading JSON as DataContractJsonSerializer writes it: compact, every byte looked at.

use crate::strings::{hex4, quote_or_escape};

/// The text is not of the form that is read here; it may be valid all the same.
#[derive(Debug)]
pub struct Odd;

pub type Read<T> = Result<T, Odd>;

/// A piece of the body, by its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    pub from: u32,
    pub to: u32,
}

impl Span {
    pub fn of<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        &body[self.from as usize..self.to as usize]
    }
}

/// A few names of which none may stand twice.
#[derive(Default)]
pub struct Few {
    names: [Span; 16],
    count: usize,
}

impl Few {
    /// Adds a name; fails if it is there already, or if there are too many to compare.
    pub fn add(&mut self, body: &[u8], name: Span) -> Read<()> {
        let told = &self.names[..self.count];
        if self.count == self.names.len() || told.iter().any(|each| each.of(body) == name.of(body)) {
            return Err(Odd);
        }
        self.names[self.count] = name;
        self.count += 1;
        Ok(())
    }
}

/// Checks what holds for every byte: UTF-8 without control characters, which stand in no string and,
/// as blanks, between no values of the form that is read here.
pub fn check(body: &[u8]) -> Read<()> {
    // without an early end, so that the compiler takes many bytes at once
    let control = body.iter().fold(0, |found, byte| found | u8::from(*byte < b' '));
    if control == 0 && simdutf8::basic::from_utf8(body).is_ok() {
        Ok(())
    } else {
        Err(Odd)
    }
}

/// Levels of values within one another; deeper bodies are left to the thorough reader.
const DEEPEST: u32 = 48;

/// Reads a body that [`check`] has passed.
pub struct Cursor<'a> {
    pub body: &'a [u8],
    pub at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Cursor { body, at: 0 }
    }

    pub fn peek(&self) -> u8 {
        *self.body.get(self.at).unwrap_or(&0)
    }

    pub fn take_if(&mut self, text: &[u8]) -> bool {
        let found = self.body[self.at..].starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    pub fn expect(&mut self, text: &[u8]) -> Read<()> {
        if self.take_if(text) {
            Ok(())
        } else {
            Err(Odd)
        }
    }

    /// Reads what stands behind an element of a list or object: whether another one follows.
    pub fn goes_on(&mut self, end: u8) -> Read<bool> {
        let next = self.peek();
        if next != b',' && next != end {
            return Err(Odd);
        }
        self.at += 1;
        Ok(next == b',')
    }

    pub fn end(&self) -> Read<()> {
        if self.at == self.body.len() {
            Ok(())
        } else {
            Err(Odd)
        }
    }

    fn span(&self, from: usize) -> Span {
        Span { from: from as u32, to: self.at as u32 }
    }

    /// Reads a string; returns what stands between its quotes, escapes left as they are.
    pub fn string(&mut self) -> Read<Span> {
        self.text().map(|(inner, _)| inner)
    }

    /// Reads a string that holds no escapes.
    pub fn plain(&mut self) -> Read<Span> {
        match self.text()? {
            (inner, false) => Ok(inner),
            _ => Err(Odd),
        }
    }

    /// Reads a string without escapes, or null, which is `None`.
    pub fn plain_or_null(&mut self) -> Read<Option<Span>> {
        if self.take_if(b"null") {
            return Ok(None);
        }
        self.plain().map(Some)
    }

    fn text(&mut self) -> Read<(Span, bool)> {
        self.expect(b"\"")?;
        let from = self.at;
        let mut escaped = false;
        loop {
            self.at = quote_or_escape(self.body, self.at);
            match self.body.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return Err(Odd),
            }
        }
        let inner = self.span(from);
        self.at += 1;
        Ok((inner, escaped))
    }

    fn escape(&mut self) -> Read<()> {
        match self.body.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = hex4(self.body, self.at + 2)?;
                self.at += 6;
                match unit {
                    0xD800..=0xDBFF => {
                        if !self.body[self.at..].starts_with(b"\\u") {
                            return Err(Odd);
                        }
                        if !(0xDC00..=0xDFFF).contains(&hex4(self.body, self.at + 2)?) {
                            return Err(Odd);
                        }
                        self.at += 6;
                    }
                    0xDC00..=0xDFFF => return Err(Odd),
                    _ => {}
                }
            }
            _ => return Err(Odd),
        }
        Ok(())
    }

    /// Reads any value and checks that it is one.
    pub fn value(&mut self) -> Read<Span> {
        let from = self.at;
        self.skip(0)?;
        Ok(self.span(from))
    }

    fn skip(&mut self, depth: u32) -> Read<()> {
        if depth > DEEPEST {
            return Err(Odd);
        }
        match self.peek() {
            b'"' => self.text().map(|_| ()),
            b'{' => {
                self.at += 1;
                if self.take_if(b"}") {
                    return Ok(());
                }
                loop {
                    self.text()?;
                    self.expect(b":")?;
                    self.skip(depth + 1)?;
                    if !self.goes_on(b'}')? {
                        return Ok(());
                    }
                }
            }
            b'[' => {
                self.at += 1;
                if self.take_if(b"]") {
                    return Ok(());
                }
                loop {
                    self.skip(depth + 1)?;
                    if !self.goes_on(b']')? {
                        return Ok(());
                    }
                }
            }
            b't' => self.expect(b"true"),
            b'f' => self.expect(b"false"),
            b'n' => self.expect(b"null"),
            _ => self.number(),
        }
    }

    fn digits(&mut self) -> Read<usize> {
        let from = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == from {
            Err(Odd)
        } else {
            Ok(self.at - from)
        }
    }

    fn number(&mut self) -> Read<()> {
        self.take_if(b"-");
        let zero = self.peek() == b'0';
        if self.digits()? > 1 && zero {
            return Err(Odd);
        }
        if self.take_if(b".") {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a whole number.
    pub fn integer(&mut self) -> Read<i64> {
        let from = self.at;
        self.number()?;
        whole(&self.body[from..self.at])
    }
}

/// Returns a whole number written as JSON writes it, without point or exponent.
pub fn whole(text: &[u8]) -> Read<i64> {
    if text == b"-0" || !text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return Err(Odd);
    }
    std::str::from_utf8(text).map_err(|_| Odd)?.parse().map_err(|_| Odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole_value(text: &str) -> bool {
        let mut cursor = Cursor::new(text.as_bytes());
        check(cursor.body).is_ok() && cursor.value().is_ok() && cursor.end().is_ok()
    }

    #[test]
    fn values_are_checked() {
        for good in [
            "1",
            "-0.5e+7",
            "\"a\\/\\u00e9\\ud83d\\ude00\"",
            "[[],{}]",
            "{\"a\":[null,true]}",
            "\"0123456789abcdef\"",
        ] {
            assert!(whole_value(good), "{good}");
        }
        for bad in [
            "",
            "01",
            "1.",
            "-",
            "\"",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "[1,]",
            "{\"a\"}",
            "[ 1]",
            "\"a\nb\"",
            "\"01234567\t\"",
            "nul",
        ] {
            assert!(!whole_value(bad), "{bad}");
        }
        assert!(!whole_value(&"[".repeat(100_000)));
    }
}
