//! Personal data: a field of this type is sealed with the key of the person it is about before it reaches the wire.
//! The sealing itself is done in one place, the codec in `nats`; here is only the shape it looks for.

use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::marker::PhantomData;
use uuid::Uuid;

/// Something about a person. Its `Debug` never shows it; a reader has to say what happens when it is erased.
///
/// In JSON: `{"$personal": value}` while in the clear inside a process, `{"$sealed": "<person>.<base64>"}` on the wire,
/// `{"$erased": "<person>"}` once the person's key is gone. A bare value is read as in the clear, so that a client of
/// `POST /api/commands` writes plain JSON.
#[derive(Clone, PartialEq)]
pub enum Personal<T> {
    /// Readable.
    Open {
        /// The value.
        value: T,
        /// The person it is about; `None` means the message's subject.
        about: Option<Uuid>,
    },
    /// Still encrypted: whoever reads this had no keys.
    Sealed(String),
    /// The person's key was destroyed; nobody can read it again.
    Erased,
}

impl<T> Personal<T> {
    /// Personal data about the subject of the message.
    pub fn new(value: T) -> Self {
        Personal::Open { value, about: None }
    }

    /// Personal data about someone else than the subject of the message.
    pub fn about(person: Uuid, value: T) -> Self {
        Personal::Open { value, about: Some(person) }
    }

    /// The value, if it can still be read.
    pub fn open(&self) -> Option<&T> {
        match self {
            Personal::Open { value, .. } => Some(value),
            Personal::Sealed(_) | Personal::Erased => None,
        }
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Personal::new(value)
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Personal::Open { .. } => "Personal(..)",
            Personal::Sealed(_) => "Personal(sealed)",
            Personal::Erased => "Personal(erased)",
        })
    }
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Personal::Open { value, about } => {
                map.serialize_entry("$personal", value)?;
                if let Some(person) = about {
                    map.serialize_entry("about", person)?;
                }
            }
            Personal::Sealed(text) => map.serialize_entry("$sealed", text)?,
            Personal::Erased => map.serialize_entry("$erased", &true)?,
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Shape(PhantomData))
    }
}

/// One of the three objects, or a bare value.
struct Shape<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Shape<T> {
    type Value = Personal<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, or an object with $personal, $sealed or $erased")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        T::deserialize(de::value::StrDeserializer::new(text)).map(Personal::new)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        T::deserialize(de::value::BoolDeserializer::new(value)).map(Personal::new)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        T::deserialize(de::value::U64Deserializer::new(value)).map(Personal::new)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        T::deserialize(de::value::I64Deserializer::new(value)).map(Personal::new)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        struct Fields<T> {
            #[serde(rename = "$personal")]
            open: Option<T>,
            about: Option<Uuid>,
            #[serde(rename = "$sealed")]
            sealed: Option<String>,
            #[serde(rename = "$erased")]
            erased: Option<de::IgnoredAny>,
        }
        match Fields::deserialize(MapAccessDeserializer::new(map))? {
            Fields { open: Some(value), about, .. } => Ok(Personal::Open { value, about }),
            Fields { sealed: Some(text), .. } => Ok(Personal::Sealed(text)),
            Fields { erased: Some(_), .. } => Ok(Personal::Erased),
            _ => Err(de::Error::custom("an object here needs $personal, $sealed or $erased")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(of: &Personal<String>) -> String {
        serde_json::to_string(of).expect("a map with text keys")
    }

    #[test]
    fn every_shape_survives_a_round_trip() {
        let person = Uuid::from_u128(7);
        for shape in [
            Personal::new("Ada".to_owned()),
            Personal::about(person, "Ada".to_owned()),
            Personal::Sealed("x.y".into()),
            Personal::Erased,
        ] {
            assert_eq!(serde_json::from_str::<Personal<String>>(&json(&shape)).expect("own output"), shape);
        }
    }

    #[test]
    fn a_bare_value_is_in_the_clear() {
        assert_eq!(serde_json::from_str::<Personal<String>>("\"Ada\"").expect("text"), Personal::new("Ada".to_owned()));
    }

    #[test]
    fn a_wrong_type_says_what_was_expected() {
        let error = serde_json::from_str::<Personal<String>>("7").expect_err("a number is not a text").to_string();
        assert!(error.contains("expected a string"), "{error}");
    }

    #[test]
    fn debug_never_shows_the_value() {
        assert_eq!(format!("{:?}", Personal::new("Ada")), "Personal(..)");
    }
}
