//! Who may be sent what people say, out of the table `text`.
//!
//! Invariant: an address that is not among the allowed ones is a problem at the start, never a request.

use std::path::Path;

use proto::redact::Secret;
use settings::Check;

use super::raw::Raw;
use crate::sites;
use crate::text::{EndpointOrder, TextOrder};

pub(super) fn resolve(raw: &Raw, check: &mut Check<'_, Raw>) -> TextOrder {
    let text = &raw.text;
    let endpoint = (!text.endpoint.is_empty()).then(|| endpoint(raw, check));
    if text.summaries && endpoint.is_none() {
        let rule = "name the server that writes them (text.endpoint)";
        check.refuse("text.summaries", rule);
    }
    TextOrder {
        endpoint,
        apertium: text.apertium.clone(),
        transcript_languages: text.transcript_languages.0.clone(),
        summaries: text.summaries,
    }
}

fn endpoint(raw: &Raw, check: &mut Check<'_, Raw>) -> EndpointOrder {
    let text = &raw.text;
    let url = text.endpoint.trim_end_matches('/');
    let allowed = text.allowed_endpoints.0.iter();
    let mut allowed = allowed.filter_map(|site| sites::origin(site));
    match origin_of(url) {
        None => check.refuse("text.endpoint", "it must be http(s)://host[:port]/path"),
        Some(origin) if !allowed.any(|one| one == origin) => {
            let rule = "its scheme://host[:port] must stand in text.allowed_endpoints as well: it is sent \
                        what people say";
            check.refuse("text.endpoint", rule);
        }
        Some(_) => {}
    }
    let model = &text.endpoint_model;
    check.need("text.endpoint_model", model, "name the model to ask for");
    EndpointOrder {
        url: url.to_owned(),
        model: model.clone(),
        key: key(&text.endpoint_key_file, check),
    }
}

fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = !path.contains(['?', '#']);
    sites::origin(&format!("{scheme}://{host}")).filter(|_| plain)
}

fn key(file: &Path, check: &mut Check<'_, Raw>) -> Secret {
    if file.as_os_str().is_empty() {
        return Secret::default();
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Secret::new(text.lines().next().unwrap_or_default().trim()),
        Err(error) => {
            check.refuse(
                "text.endpoint_key_file",
                format!("it must be a readable file: {error}"),
            );
            Secret::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use settings::Read;

    use super::super::Config;

    fn resolve(text: &str) -> Result<Config, Vec<String>> {
        let environment: [(&str, &str); 0] = [];
        let keys =
            |problems: settings::Problems| problems.keys().into_iter().map(str::to_owned).collect();
        let read = Read::text(text, &environment.into_iter().collect())
            .map_err(|problem| vec![problem.to_string()])?;
        Config::resolve(&read).map_err(keys)
    }

    #[test]
    fn an_endpoint_is_asked_only_when_it_is_allowed_too() {
        let table = "[text]\nendpoint = \"http://10.0.0.5:8000/v1/\"\nendpoint_model = \"m\"\n";
        assert_eq!(resolve(table).unwrap_err(), ["text.endpoint"]);
        for other in [
            "http://10.0.0.5:8001",
            "https://10.0.0.5:8000",
            "http://10.0.0.6:8000",
        ] {
            let other = format!("{table}allowed_endpoints = [\"{other}\"]\n");
            assert_eq!(resolve(&other).unwrap_err(), ["text.endpoint"], "{other}");
        }
        let allowed = format!("{table}allowed_endpoints = [\"http://10.0.0.5:8000\"]\n");
        let endpoint = resolve(&allowed).unwrap().text.endpoint.unwrap();
        assert_eq!(endpoint.url, "http://10.0.0.5:8000/v1");
        assert_eq!(resolve("").unwrap().text.endpoint, None);
    }

    #[test]
    fn summaries_need_somebody_who_writes_them_and_languages_are_codes() {
        let table = "[text]\nsummaries = true\ntranscript_languages = [\"english\"]\n";
        let mut keys = resolve(table).unwrap_err();
        keys.sort_unstable();
        assert_eq!(keys, ["text.summaries", "text.transcript_languages"]);
    }
}
