//! Invented people, places and texts: `fake.email()` and its like.
//!
//! None of it belongs to anybody: mail addresses and URLs stand on the domains that RFC 2606 keeps for
//! examples, addresses on the networks that RFC 5737 and RFC 3849 keep for documentation.

use crate::rng::UserRng;
use fake::Fake;
use fake::faker::{address, company, filesystem, internet, job, lorem, name, phone_number};
use rand::RngExt;

/// Largest size that a function takes.
pub(super) const MAX_SIZE: usize = 1000;

macro_rules! kinds {
    ($($kind:ident $name:literal)*) => {
        /// What is invented.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($kind),* }

        /// The functions' names in order.
        pub(super) const NAMES: &[&str] = &[$($name),*];

        impl Kind {
            pub(super) fn named(name: &str) -> Option<Kind> {
                match name {
                    $($name => Some(Kind::$kind),)*
                    _ => None,
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name),* }
            }
        }
    };
}

kinds! {
    City "city"
    Company "company"
    Country "country"
    Email "email"
    FileName "file_name"
    FirstName "first_name"
    Ipv4 "ipv4"
    Ipv6 "ipv6"
    Job "job"
    LastName "last_name"
    Name "name"
    Paragraph "paragraph"
    Password "password"
    Phone "phone"
    Postcode "postcode"
    Sentence "sentence"
    Street "street"
    Url "url"
    UserAgent "user_agent"
    Username "username"
    Word "word"
    Words "words"
}

impl Kind {
    /// Whether it takes a size: words, sentences or characters.
    pub(super) fn takes_size(self) -> bool {
        matches!(self, Kind::Paragraph | Kind::Password | Kind::Sentence | Kind::Words)
    }

    pub(super) fn draw(self, rng: &mut UserRng, size: Option<usize>) -> String {
        let exactly = |usual: std::ops::Range<usize>| size.map_or(usual, |n| n..n + 1);
        match self {
            Kind::City => address::en::CityName().fake_with_rng(rng),
            Kind::Company => company::en::CompanyName().fake_with_rng(rng),
            Kind::Country => address::en::CountryName().fake_with_rng(rng),
            Kind::Email => email(rng),
            Kind::FileName => filesystem::en::FileName().fake_with_rng(rng),
            Kind::FirstName => name::en::FirstName().fake_with_rng(rng),
            Kind::Ipv4 => ipv4(rng),
            Kind::Ipv6 => format!("2001:db8:{:x}:{:x}::{:x}", half(rng), half(rng), half(rng)),
            Kind::Job => job::en::Title().fake_with_rng(rng),
            Kind::LastName => name::en::LastName().fake_with_rng(rng),
            Kind::Name => name::en::Name().fake_with_rng(rng),
            Kind::Paragraph => lorem::en::Paragraph(exactly(3..6)).fake_with_rng(rng),
            Kind::Password => password(rng, size.unwrap_or(16)),
            Kind::Phone => phone_number::en::PhoneNumber().fake_with_rng(rng),
            Kind::Postcode => address::en::PostCode().fake_with_rng(rng),
            Kind::Sentence => lorem::en::Sentence(exactly(6..12)).fake_with_rng(rng),
            Kind::Street => address::en::StreetName().fake_with_rng(rng),
            Kind::Url => format!("https://www.example.{}/{}", top_domain(rng), word(rng)),
            Kind::UserAgent => internet::en::UserAgent().fake_with_rng(rng),
            Kind::Username => format!("{}{:09}", mailbox(rng), rng.random_range(0..1_000_000_000_u32)),
            Kind::Word => word(rng).to_owned(),
            Kind::Words => lorem::en::Words(exactly(2..5)).fake_with_rng::<Vec<String>, _>(rng).join(" "),
        }
    }
}

fn word(rng: &mut UserRng) -> &'static str {
    lorem::en::Word().fake_with_rng(rng)
}

fn half(rng: &mut UserRng) -> u16 {
    rng.random()
}

fn top_domain(rng: &mut UserRng) -> &'static str {
    ["com", "net", "org"][rng.random_range(0..3_u32) as usize]
}

/// `ada.lovelace`: lower-case letters, and dots between them.
fn mailbox(rng: &mut UserRng) -> String {
    let first: &str = name::en::FirstName().fake_with_rng(rng);
    let last: &str = name::en::LastName().fake_with_rng(rng);
    let letters = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
    };
    format!("{}.{}", letters(first), letters(last))
}

/// Twelve random digits: among a million addresses two are equal with a probability below 10^-6, the names
/// not even counted (10^12 / 2 pairs, 10^12 numbers, more than 10^6 names).
fn email(rng: &mut UserRng) -> String {
    let number = rng.random_range(0..1_000_000_000_000_u64);
    format!("{}{number:012}@example.{}", mailbox(rng), top_domain(rng))
}

fn ipv4(rng: &mut UserRng) -> String {
    let network = ["192.0.2", "198.51.100", "203.0.113"][rng.random_range(0..3_u32) as usize];
    format!("{network}.{}", rng.random_range(1..255_u32))
}

/// Letters and digits, and one of each kind that password rules ask for.
fn password(rng: &mut UserRng, len: usize) -> String {
    const KINDS: [&[u8]; 4] =
        [b"abcdefghijkmnpqrstuvwxyz", b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"23456789", b"!#*-_"];
    let shift = rng.random_range(0..4_u32) as usize;
    (0..len)
        .map(|i| {
            let kind = KINDS[(i + shift) % KINDS.len()];
            char::from(kind[rng.random_range(0..kind.len() as u64) as usize])
        })
        .collect()
}
