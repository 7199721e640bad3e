//! Reading JSON: one parser for all documents, and a small way from its tree to their types.
//!
//! Reading a type straight from text compiles the parser once more for each type. With the tree
//! between, what a type adds to the download is only how its fields are told apart.

use std::vec;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, map};

/// Why a document is not of the type that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The text is no JSON.
    Syntax,
    /// A field that must be there is not.
    Missing(&'static str),
    /// A value is of another kind, or a word is not known.
    Unexpected,
}

impl std::error::Error for Unreadable {}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Syntax => f.write_str("it is no JSON"),
            Self::Missing(field) => write!(f, "it has no field {field}"),
            Self::Unexpected => f.write_str("it has a value of another kind"),
        }
    }
}

impl serde::de::Error for Unreadable {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::Unexpected
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

/// Reads a text as a tree.
///
/// # Errors
/// When it is no JSON.
pub(crate) fn parse(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable::Syntax)
}

/// Reads a tree as a document.
///
/// # Errors
/// When it is another document.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Unreadable> {
    T::deserialize(Node(value))
}

/// A value that knows what is asked of it, so that each type compiles only what it may be.
struct Node(Value);

/// Methods for values of one kind only.
macro_rules! only {
    ($($method:ident: $kind:ident($value:ident) => $visit:ident($content:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            match self.0 {
                Value::$kind($value) => visitor.$visit($content),
                _ => Err(Unreadable::Unexpected),
            }
        }
    )*};
}

/// Methods for numbers of one kind.
macro_rules! numbers {
    ($($method:ident: $read:ident => $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            visitor.$visit(self.0.$read().ok_or(Unreadable::Unexpected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unreadable> {
        // Every type that is read here says what it is.
        Err(Unreadable::Unexpected)
    }

    only! {
        deserialize_bool: Bool(value) => visit_bool(value);
        deserialize_str: String(text) => visit_string(text);
        deserialize_string: String(text) => visit_string(text);
        deserialize_map: Object(object) => visit_map(Fields::of(object));
        deserialize_seq: Array(list) => visit_seq(Items(list.into_iter()));
    }

    numbers! {
        deserialize_i8: as_i64 => visit_i64;
        deserialize_i16: as_i64 => visit_i64;
        deserialize_i32: as_i64 => visit_i64;
        deserialize_i64: as_i64 => visit_i64;
        deserialize_u8: as_u64 => visit_u64;
        deserialize_u16: as_u64 => visit_u64;
        deserialize_u32: as_u64 => visit_u64;
        deserialize_u64: as_u64 => visit_u64;
        deserialize_f32: as_f64 => visit_f64;
        deserialize_f64: as_f64 => visit_f64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(Word(word)),
            _ => Err(Unreadable::Unexpected),
        }
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit_struct tuple_struct identifier }
}

/// The word of a variant; variants have no content.
struct Word(String);

impl<'de> EnumAccess<'de> for Word {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), Unreadable> {
        let variant = seed.deserialize(self.0.as_str().into_deserializer())?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Word {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, Unreadable> {
        Err(Unreadable::Unexpected)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Unreadable> {
        Err(Unreadable::Unexpected)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Unreadable> {
        Err(Unreadable::Unexpected)
    }
}

/// The values of a list in order.
struct Items(vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Unreadable;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        self.0.next().map(|value| seed.deserialize(Node(value))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The fields of an object.
struct Fields {
    rest: map::IntoIter,
    /// The value of the field whose name was read last.
    value: Value,
}

impl Fields {
    fn of(object: Map<String, Value>) -> Self {
        Self { rest: object.into_iter(), value: Value::Null }
    }
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Unreadable;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unreadable> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, Unreadable> {
        seed.deserialize(Node(self.value.take()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use api_types::{AlertState, Block, MonitorState};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Document {
        name: String,
        #[serde(default)]
        count: u32,
        at_ms: Option<i64>,
        share: f64,
        is_on: bool,
        states: Vec<AlertState>,
        by_name: BTreeMap<String, (f64, String)>,
    }

    fn document(text: &str) -> Result<Document, Unreadable> {
        parse(text).and_then(read)
    }

    const WHOLE: &str = r#"{"name":"a","count":7,"at_ms":-5,"share":1,"is_on":true,"newer":[{}],
        "states":["firing","resolved"],"by_name":{"x":[0.5,"y"]}}"#;

    #[test]
    fn a_document_is_read_with_fields_that_are_not_known_left_out() {
        let read = document(WHOLE).unwrap();
        assert_eq!(
            read,
            Document {
                name: "a".to_owned(),
                count: 7,
                at_ms: Some(-5),
                share: 1.0,
                is_on: true,
                states: vec![AlertState::Firing, AlertState::Resolved],
                by_name: BTreeMap::from([("x".to_owned(), (0.5, "y".to_owned()))]),
            }
        );
        let read = document(&WHOLE.replace("-5", "null").replace("\"count\":7,", "")).unwrap();
        assert_eq!((read.at_ms, read.count), (None, 0));
    }

    #[test]
    fn what_is_wrong_with_a_document_is_told() {
        for (name, from, to, expected) in [
            ("no JSON", "{", "", Unreadable::Syntax),
            ("a field that is missing", "\"name\"", "\"nome\"", Unreadable::Missing("name")),
            ("a list for an object", WHOLE, "[]", Unreadable::Unexpected),
            ("a number for a text", "\"a\"", "1", Unreadable::Unexpected),
            ("a number that does not fit", "7", "-7", Unreadable::Unexpected),
            ("a number that is too large", "7", "5000000000", Unreadable::Unexpected),
            ("a word that is not known", "firing", "burning", Unreadable::Unexpected),
            ("a list that is too short", "[0.5,\"y\"]", "[0.5]", Unreadable::Unexpected),
        ] {
            assert_eq!(document(&WHOLE.replacen(from, to, 1)), Err(expected), "{name}");
        }
    }

    #[test]
    fn every_type_with_a_tag_is_read() {
        let block = |text: &str| parse(text).and_then(read::<Block>);
        let html = Block::Html { html: "<p>".to_owned() };
        assert_eq!(block(r#"{"kind":"html","html":"<p>"}"#), Ok(html));
        assert_eq!(block(r#"{"kind":"other"}"#), Err(Unreadable::Unexpected));
        let state = parse(r#""down""#).and_then(read::<MonitorState>);
        assert_eq!(state, Ok(MonitorState::Down));
    }
}
