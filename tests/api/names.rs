//! Which characters a name and a note may have, for people to see what they read.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use oracles::jsonschema;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use project_flows::flow::text::{check_characters, is_visible};
use serde_json::{Value, json};

use crate::support::{Api, PLACE, Request, page_request, page_request_with};

/// Names of characters that show nothing, with the character that the refusal names.
const INVISIBLE: &[(&str, &str, &str)] = &[
    (" ", "0020", "a space"),
    ("\u{a0}\u{3000}\u{2028}", "00A0", "white space of Unicode"),
    ("\u{200b}", "200B", "a zero width space"),
    ("  \u{ad} ", "0020", "a soft hyphen in white space"),
    ("\u{feff}", "FEFF", "a byte order mark"),
    ("\u{3164}\u{3164}", "3164", "fillers of Hangul"),
    ("\u{115f}\u{1160}\u{ffa0}", "115F", "the other fillers of Hangul"),
    ("\u{180e}", "180E", "a Mongolian vowel separator"),
    ("\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}", "2060", "invisible operators"),
    ("\u{200c}\u{200d}\u{200e}\u{200f}\u{61c}", "200C", "joiners and marks of direction"),
    ("\u{34f}", "034F", "a combining grapheme joiner"),
    ("\u{17b4}\u{17b5}", "17B4", "inherent vowels of Khmer"),
    ("\u{fe0f}", "FE0F", "a variation selector"),
    ("\u{e0100}", "E0100", "a variation selector of the supplement"),
    ("\u{e0041}\u{e007f}", "E0041", "tags"),
    ("\u{e0fff}", "E0FFF", "reserved for what is invisible"),
    ("\u{fff9}\u{fffb}", "FFF9", "interlinear annotation"),
    ("\u{1d173}", "1D173", "a format character of music"),
    ("\u{1d159}", "1D159", "a null notehead"),
    ("\u{13430}\u{13441}", "13430", "a format character and a blank of hieroglyphs"),
    ("\u{16fe4}", "16FE4", "a filler of Khitan"),
    ("\u{2800}", "2800", "Braille without dots"),
];

/// Names with at least one character that shows.
const VISIBLE: &[(&str, &str)] = &[
    ("\u{ad}a", "a letter after a soft hyphen"),
    ("\u{1f469}\u{200d}\u{1f4bb}", "two pictures joined"),
    ("\u{2764}\u{fe0f}", "a picture with a variation selector"),
    ("\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}", "a flag with tags"),
    ("\u{5db}\u{5e0}\u{5d9}\u{5e1}\u{5d4}\u{200f} 1", "a mark of direction, which turns nothing"),
    ("\u{1100}\u{1161}", "Hangul of conjoining letters"),
    ("\u{2801}", "Braille with a dot"),
    ("\u{301}", "an accent, which shows without a letter too"),
    ("\u{600}", "a sign of Arabic before a number"),
    ("\u{fffd}", "a replacement character"),
    ("\u{e000}", "a private character, which shows at least a box"),
    ("\u{10ffff}", "not a character, which shows at least a box"),
    ("-", "a hyphen"),
];

/// Of the format characters, these stand around a number and show.
const SIGNS: &str = "\u{600}\u{601}\u{602}\u{603}\u{604}\u{605}\u{6dd}\u{70f}\u{890}\u{891}\u{8e2}\u{110bd}\u{110cd}";
/// Marks and symbols that show nothing, although Unicode lists them among those that do.
const BLANKS: &str = "\u{2800}\u{13440}\u{13441}\u{13442}\u{16fe4}\u{1d159}";

#[test]
fn what_shows_is_as_unicode_says() {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let category = CodePointMapData::<GeneralCategory>::new();
    let blank =
        GeneralCategoryGroup::Separator.union(GeneralCategoryGroup::Control).union(GeneralCategoryGroup::Format);
    for character in '\0'..=char::MAX {
        let shows_nothing = ignorable.contains(character)
            || BLANKS.contains(character)
            || blank.contains(category.get(character)) && !SIGNS.contains(character);
        assert_eq!(is_visible(character), !shows_nothing, "U+{:04X}", u32::from(character));
    }
}

/// All other characters show at least a box.
#[test]
fn the_document_says_which_characters_a_name_and_a_note_may_have() {
    let document: Value = serde_norway::from_str(include_str!("../../openapi.yaml")).unwrap();
    let pattern = |name: &str| {
        let schema = json!({ "pattern": document["components"]["schemas"][name]["pattern"] });
        jsonschema::validator_for(&schema).unwrap()
    };
    let (name, note) = (pattern("Name"), pattern("Note"));
    for character in ('\0'..='\u{1ffff}').chain('\u{dfff0}'..='\u{e1010}') {
        let (text, code_point) = (character.to_string(), u32::from(character));
        let is_allowed = check_characters(&text).is_ok();
        assert_eq!(note.is_valid(&json!(text)), is_allowed, "U+{code_point:04X}");
        assert_eq!(name.is_valid(&json!(text)), is_allowed && is_visible(character), "U+{code_point:04X}");
    }
}

/// The characters that turn the direction of text (UAX #9, 2.1 to 2.5).
fn turning() -> impl Iterator<Item = char> {
    ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}')
}

#[tokio::test]
async fn a_name_has_a_character_that_shows() {
    let api = Api::start().await;
    let path = api.create().await;
    for (name, found, why) in INVISIBLE {
        for request in [
            Request::create(page_request_with("name", json!(name))),
            Request::put(&path, json!({ "name": name })),
            Request::patch(&path, json!({ "name": name })),
        ] {
            let answer = api.send(&request).await;
            assert_eq!(answer.status, 400, "{why}: {answer:?}");
            let error = format!("expected at least one visible character, found U+{found}");
            assert_eq!(answer.json()["details"], json!([{ "path": "/name", "code": "INVALID_NAME", "error": error }]));
        }
    }
    for (name, why) in VISIBLE {
        let answer = api.set(&path, "name", json!(name)).await;
        assert_eq!((answer.status, &answer.json()["data"]["name"]), (200, &json!(name)), "{why}");
    }
}

#[tokio::test]
async fn nothing_turns_the_direction_of_a_name_or_a_note() {
    let api = Api::start().await;
    let path = api.create_active().await;
    let before = api.engine.items();
    for turning in turning() {
        let name = format!("Log{turning}in");
        for request in [
            Request::create(page_request_with("name", json!(name))),
            Request::put(&path, json!({ "name": name })),
            Request::patch(&path, json!({ "name": name })),
        ] {
            let answer = api.send(&request).await;
            answer.expect(400, "INVALID_NAME");
            let expected =
                format!("expected no characters that turn the direction of text, found U+{:04X}", u32::from(turning));
            assert_eq!(answer.json()["details"][0]["error"], expected);
        }
        let query = utf8_percent_encode(&turning.to_string(), NON_ALPHANUMERIC).to_string();
        for request in [
            Request::create(page_request()),
            Request::put(&path, json!({ "name": "Another" })),
            Request::patch(&path, json!({ "name": "Another" })),
            Request::delete(&path),
            Request::restore(&path, 1),
            Request::release(&path, 2),
            Request::delete(PLACE),
        ] {
            let answer = api.send(&request.query(&format!("note=a{query}b"))).await;
            answer.expect(400, "INVALID_PARAMETERS");
            let expected = "expected 1 to 200 characters, none of them a control character or one that turns the direction of text, found another value";
            assert_eq!(
                answer.json()["details"],
                json!([{ "parameter": "note", "code": "INVALID_PARAMETERS", "error": expected }])
            );
        }
    }
    assert_eq!(api.engine.items(), before);
}
