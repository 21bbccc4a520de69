//! What a call says: short sentences, the most important first.

use super::{clock, korea, phrases, place, reading, shortened};
use crate::core::message::Message;

/// The longest part, in characters: nobody listens to more.
const PART: usize = 160;

/// The message as sentences in the reader's language. A page ends with what the digits do.
pub fn speech(message: &Message) -> String {
    let (incident, words) = (&message.incident, phrases(message.recipient.language));
    let part = |text: &str| shortened(&text.replace(['\n', '\r', '\t'], " "), PART);
    let mut sentences = vec![
        words.voice_greeting.to_owned(),
        format!("{} {}", incident.priority, words.purpose(message.purpose)),
    ];
    if message.possible_repeat {
        sentences.push(words.possible_repeat.to_owned());
    }
    sentences.push(part(message.title()));
    sentences.push(part(&format!("{}, {}", words.place, place(incident))));
    if let Some(reading) = reading(incident, words) {
        sentences.push(part(&format!("{}, {reading}", words.value)));
    }
    let since = clock(incident.started_at, &korea());
    sentences.push(format!("{}, {since}", words.since));
    if let Some(note) = message.remark() {
        sentences.push(part(note));
    }
    if message.purpose.is_page() {
        sentences.push(words.voice_digits.to_owned());
    }
    let mut text = String::new();
    for sentence in sentences {
        text.push_str(sentence.trim_end_matches('.'));
        text.push_str(". ");
    }
    text.trim_end().to_owned()
}
