//! What one person is shown beside a refusal, in her language.
//!
//! The languages are those of the page. Whatever clients compare stays as the wire has it (`words`).

use signalling_core::Hint;

/// In the language of the tag; in English where it has none of ours.
pub(crate) fn hint(hint: Hint, locale: &str) -> &'static str {
    let language = locale.split(['-', '_']).next().unwrap_or_default();
    let language = language.to_ascii_lowercase();
    match hint {
        Hint::GroupCallsOff => group_calls_off(&language),
    }
}

fn group_calls_off(language: &str) -> &'static str {
    match language {
        "ar" => {
            "المكالمات في هذا الخادم للرسائل المباشرة فقط. ابدأ مكالمة مباشرة مع شخص من هنا، أو اطلب من \
             المسؤول السماح بالمكالمات في القنوات والرسائل الجماعية."
        }
        "de" => {
            "Auf diesem Server gibt es Anrufe nur in Direktnachrichten. Rufen Sie jemanden von hier \
             direkt an, oder bitten Sie Ihren Administrator, Anrufe in Kanälen und Gruppennachrichten \
             zu erlauben."
        }
        "es" => {
            "En este servidor solo hay llamadas en los mensajes directos. Llame directamente a alguien \
             de aquí o pida a su administrador que permita las llamadas en los canales y en los mensajes \
             de grupo."
        }
        "fr" => {
            "Sur ce serveur, les appels ne sont possibles que dans les messages directs. Appelez \
             directement quelqu’un d’ici, ou demandez à votre administrateur d’autoriser les appels dans \
             les canaux et les messages de groupe."
        }
        "pt" => {
            "Neste servidor só há chamadas em mensagens diretas. Ligue diretamente para alguém daqui ou \
             peça ao seu administrador que permita chamadas em canais e mensagens de grupo."
        }
        _ => {
            "On this server calls are for direct messages only. Start one with somebody from here, or \
             ask your administrator to allow calls in channels and group messages."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whoever_reads_the_page_in_a_language_is_told_in_it() {
        let words = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/src/words");
        let files = std::fs::read_dir(words).unwrap();
        let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let tags = files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
        let tags: Vec<String> = tags.filter(|tag| !tag.ends_with("-later")).collect();
        assert!(tags.len() >= 6, "{tags:?}");
        let texts = tags.iter().map(|tag| hint(Hint::GroupCallsOff, tag));
        let texts: BTreeSet<&str> = texts.collect();
        assert_eq!(texts.len(), tags.len(), "each has its own: {tags:?}");
    }

    #[test]
    fn regions_share_their_language_and_others_read_english() {
        let told = |tag| hint(Hint::GroupCallsOff, tag);
        assert_eq!(told("de-AT"), told("de"));
        assert_eq!(told("PT-br"), told("pt-BR"));
        for unknown in ["", "nl", "-"] {
            assert_eq!(told(unknown), told("en"), "{unknown}");
        }
    }
}
