//! Tags: DogStatsD's section after `#`, and the four dialects that put them into the name.

use memchr::{memchr, memchr2};

/// A tag as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The key; never empty.
    pub key: &'a [u8],
    /// The value; `None` for a bare tag, which has no separator.
    pub value: Option<&'a [u8]>,
}

/// The tags of a section, split at a separator; keys end at the first `:` or `=`, as the dialect
/// says. Empty members and members with an empty key are left out.
#[derive(Debug, Clone)]
pub struct Tags<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
    assignment: u8,
}

impl<'a> Tags<'a> {
    /// `k:v,flag`, as after `|#`.
    pub fn dogstatsd(section: &'a [u8]) -> Self {
        Self { rest: Some(section), separator: b',', assignment: b':' }
    }

    fn named(section: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(section), separator, assignment: b'=' }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let rest = self.rest?;
            let end = memchr(self.separator, rest);
            let member = &rest[..end.unwrap_or(rest.len())];
            self.rest = end.map(|end| &rest[end + 1..]);
            let tag = match memchr(self.assignment, member) {
                Some(end) => Tag { key: &member[..end], value: Some(&member[end + 1..]) },
                None => Tag { key: member, value: None },
            };
            if !tag.key.is_empty() {
                return Some(tag);
            }
        }
    }
}

/// A head taken apart: the name and the tags that were written into it.
#[derive(Debug, Clone)]
pub struct NameTags<'a> {
    /// The name before the tags.
    pub name: &'a [u8],
    /// What follows the closing bracket of SignalFX's tags and belongs to the name; else empty.
    pub suffix: &'a [u8],
    /// The tags; none for a plain name.
    pub tags: Tags<'a>,
}

impl<'a> NameTags<'a> {
    /// Takes a head apart by the first separator in it: `,` Influx, `;` Graphite, `[` SignalFX, `#`
    /// Librato. A head without any `=` is a plain name.
    pub fn split(head: &'a [u8]) -> Self {
        let plain = Self { name: head, suffix: &head[..0], tags: Tags::named(&head[..0], b',') };
        if memchr(b'=', head).is_none() {
            return plain;
        }
        let (bracket_or_semicolon, comma_or_hash) =
            (memchr2(b'[', b';', head), memchr2(b',', b'#', head));
        let Some(start) = bracket_or_semicolon.into_iter().chain(comma_or_hash).min() else {
            return plain;
        };
        let (name, section) = (&head[..start], &head[start + 1..]);
        match head[start] {
            b'[' => match memchr(b']', section) {
                Some(end) => Self {
                    name,
                    suffix: &section[end + 1..],
                    tags: Tags::named(&section[..end], b','),
                },
                None => plain,
            },
            b';' => Self { name, tags: Tags::named(section, b';'), ..plain },
            _ => Self { name, tags: Tags::named(section, b','), ..plain },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(tags: Tags<'_>) -> Vec<(String, Option<String>)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        tags.map(|tag| (text(tag.key), tag.value.map(text))).collect()
    }

    #[test]
    fn a_tag_ends_its_key_at_the_first_colon() {
        let tags = pairs(Tags::dogstatsd(b"url:http://x:80/,,beta,:lost,empty:"));
        let expected = [("url", Some("http://x:80/")), ("beta", None), ("empty", Some(""))];
        let expected: Vec<_> =
            expected.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect();
        assert_eq!(tags, expected);
    }

    #[test]
    fn name_tags_of_every_dialect_are_taken_apart() {
        for (head, name, suffix, tags) in [
            ("users,service=pay,region=us", "users", "", "service=pay region=us"),
            ("disk;host=a;path=/b,c", "disk", "", "host=a path=/b,c"),
            ("cpu[core=1,host=a].user", "cpu", ".user", "core=1 host=a"),
            ("hits#page=/a;b,x=1", "hits", "", "page=/a;b x=1"),
            ("query,where=a=b", "query", "", "where=a=b"),
            ("plain.name", "plain.name", "", ""),
            ("odd,name;here", "odd,name;here", "", ""),
            ("open[a=1", "open[a=1", "", ""),
        ] {
            let split = NameTags::split(head.as_bytes());
            assert_eq!(split.name, name.as_bytes(), "{head}");
            assert_eq!(split.suffix, suffix.as_bytes(), "{head}");
            let found: Vec<String> = pairs(split.tags)
                .into_iter()
                .map(|(key, value)| format!("{key}={}", value.unwrap_or_default()))
                .collect();
            assert_eq!(found.join(" "), tags, "{head}");
        }
    }
}
