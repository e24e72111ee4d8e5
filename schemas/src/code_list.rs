//! How a code list becomes a Rust type: one variant per code, text on every wire.
//!
//! Labels, definitions, sources and the other UN languages are data, in `code-lists/<name>.json`; a test in
//! [`crate::codes`] holds that data and type name the same codes in the same order.

macro_rules! code_lists {
    ($($(#[doc = $doc:literal])+ $name:ident = $list:literal { $($variant:ident = $code:literal,)+ })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name { $($variant,)+ }

            impl $name {
                pub const LIST: &'static str = $list;
                pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

                pub const fn code(self) -> &'static str {
                    match self { $(Self::$variant => $code,)+ }
                }

                /// What people read of it; in English where the language has no label.
                pub fn label(self, language: &str) -> String {
                    let list = $crate::codes::List::named(Self::LIST).expect("LISTS holds each list");
                    list.label(self.code(), language)
                }
            }

            impl $crate::codes::Code for $name {
                const LIST: &'static str = $list;

                fn code(self) -> &'static str {
                    Self::code(self)
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.pad(self.code())
                }
            }

            impl std::str::FromStr for $name {
                type Err = UnknownCode;
                fn from_str(text: &str) -> Result<Self, UnknownCode> {
                    match text {
                        $($code => Ok(Self::$variant),)+
                        _ => Err(UnknownCode { list: $list }),
                    }
                }
            }

            impl serde::Serialize for $name {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.code())
                }
            }

            impl<'de> serde::Deserialize<'de> for $name {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    struct Code;
                    impl serde::de::Visitor<'_> for Code {
                        type Value = $name;
                        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                            f.write_str(concat!("a code of the list ", $list))
                        }
                        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                            text.parse().map_err(E::custom)
                        }
                    }
                    deserializer.deserialize_str(Code)
                }
            }

            impl apache_avro::serde::AvroSchemaComponent for $name {
                fn get_schema_in_ctxt(
                    _: &mut std::collections::HashSet<apache_avro::schema::Name>,
                    _: apache_avro::schema::NamespaceRef,
                ) -> apache_avro::Schema {
                    apache_avro::Schema::String
                }

                fn get_record_fields_in_ctxt(
                    _: &mut std::collections::HashSet<apache_avro::schema::Name>,
                    _: apache_avro::schema::NamespaceRef,
                ) -> Option<Vec<apache_avro::schema::RecordField>> {
                    None
                }
            }

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                    utoipa::openapi::ObjectBuilder::new()
                        .schema_type(utoipa::openapi::Type::String)
                        .enum_values(Some([$($code,)+]))
                        .description(Some(concat!($($doc),+)))
                        .into()
                }
            }

            impl utoipa::ToSchema for $name {}
        )+

        /// The lists of this file: name, codes in order, and data.
        pub(super) const OWN_LISTS: &[List] = &[
            $(List {
                name: $list,
                codes: &[$($code,)+],
                data: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/code-lists/", $list, ".json")),
            },)+
        ];
    };
}
