//! `#[derive(Read!)]`: a type is read field by field, by the names that serde writes.

/// Reads a struct with named fields, or an enum, whose variants are named without regard to case and underscores.
macro_rules! read {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident {
            $( $(#[$field_attribute:meta])* $field_visibility:vis $field:ident: $type:ty ),* $(,)?
        }
    ) => {
        impl $crate::wire::Read for $name {
            fn read<V: $crate::wire::Value>(value: &V, problems: &mut $crate::wire::Problems) -> Self {
                $name { $( $field: problems.field(value, stringify!($field)) ),* }
            }
        }
    };
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $(
                $(#[$variant_attribute:meta])*
                $variant:ident
                $( { $( $(#[$field_attribute:meta])* $field:ident: $type:ty ),* $(,)? } )?
                $( ( $( $part:ty ),* $(,)? ) )?
            ),* $(,)?
        }
    ) => {
        impl $crate::wire::Read for $name {
            fn read<V: $crate::wire::Value>(value: &V, problems: &mut $crate::wire::Problems) -> Self {
                let variant = $crate::wire::Variant::of(value);
                let mut is_unknown = false;
                loop {
                    $(
                        if is_unknown || variant.is(stringify!($variant)) {
                            $( let mut parts = $crate::wire::Parts::of(
                                variant.content, [$( stringify!($part) ),*].len()
                            ); )?
                            return $name::$variant
                                $( { $( $field: problems.field(&variant.content, stringify!($field)) ),* } )?
                                $( ( $( parts.next::<$part>(problems) ),* ) )?;
                        }
                    )*
                    // The first one stands in for it.
                    problems.note(concat!("a variant of ", stringify!($name)));
                    is_unknown = true;
                }
            }
        }
    };
}

pub(crate) use read as Read;
