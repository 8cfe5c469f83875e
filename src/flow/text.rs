//! Which characters a text for people may have, so that they see what they read.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

/// Whether a reader sees `character`. White space, fillers and format characters show nothing by themselves.
pub fn is_visible(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_graphic();
    }
    // Blanks of Braille, Khitan and music, format characters of annotations, and both of Egyptian hieroglyphs.
    let is_blank = matches!(
        character,
        '\u{2800}' | '\u{16fe4}' | '\u{1d159}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{13442}'
    );
    !is_blank
        && !character.is_control()
        && !character.is_whitespace()
        && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

/// Refuses control characters, and characters that turn the direction of text (UAX #9, 2.1 to 2.5), because they make one
/// text look like another.
pub fn check_characters(text: &str) -> Result<(), String> {
    let refuse = |kind, character| Err(format!("expected no {kind}, found {}", code_point(character)));
    text.chars().try_for_each(|character| match character {
        control if control.is_control() => refuse("control characters", control),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            refuse("characters that turn the direction of text", character)
        }
        _ => Ok(()),
    })
}

/// A character as the Unicode Standard writes it: `U+200B`.
pub fn code_point(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}
