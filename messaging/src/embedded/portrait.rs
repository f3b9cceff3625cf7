//! Pictures of people: initials on a colour that depends on the id.

use crate::model::Person;

/// MIME type of a portrait.
pub(super) const MIME: &str = "image/svg+xml";

/// Dark enough for white letters (contrast of at least 4.5 to 1).
const COLOURS: [&str; 8] = [
    "#1f5f8b", "#7a3b69", "#2e6b3f", "#8a4b08", "#4a4e9e", "#8c2f39", "#0f6a6a", "#5b5f2a",
];

/// Draws the picture of a person as SVG.
pub(super) fn draw(person: &Person) -> String {
    let name = person.display_name();
    let initials: String = name
        .split_whitespace()
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()))
        .take(2)
        .flat_map(char::to_uppercase)
        .collect();
    let sum: usize = person.id.as_str().bytes().map(usize::from).sum();
    let colour = COLOURS
        .get(sum % COLOURS.len())
        .copied()
        .unwrap_or("#1f5f8b");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"128\" height=\"128\" \
         viewBox=\"0 0 128 128\"><rect width=\"128\" height=\"128\" fill=\"{colour}\"/>\
         <text x=\"64\" y=\"64\" dy=\".36em\" fill=\"#fff\" font-family=\"sans-serif\" \
         font-size=\"56\" text-anchor=\"middle\">{initials}</text></svg>"
    )
}

#[cfg(test)]
mod tests {
    use proto::id::UserId;

    use super::*;

    #[test]
    fn shows_initials_and_nothing_a_name_could_smuggle_in() {
        let mut person = Person {
            id: UserId::parse("a").unwrap(),
            username: "anna".to_owned(),
            first_name: "<script>".to_owned(),
            last_name: "ölund".to_owned(),
            nickname: String::new(),
            email: String::new(),
            locale: String::new(),
            is_bot: false,
            is_system_admin: false,
        };
        assert!(draw(&person).contains(">SÖ</text>"));
        assert!(!draw(&person).contains("script"));
        person.first_name = "&".to_owned();
        person.last_name = String::new();
        assert!(draw(&person).contains("></text>"));
    }
}
