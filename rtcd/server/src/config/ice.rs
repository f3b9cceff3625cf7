//! The setting `rtc.ice_servers`: STUN and TURN servers, in the forms of the file and of the
//! environment.

use proto::redact::Secret;
use settings::{Value, Written};

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    pub kind: IceServerKind,
    pub urls: Vec<String>,
    pub username: String,
    pub credential: Secret,
}

/// What a server is for; its URLs never mix the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceServerKind {
    Stun,
    Turn,
}

/// The servers as written.
#[derive(Debug, Clone, Default)]
pub struct IceServers(pub(super) Vec<IceServer>);

impl Value for IceServers {
    type Fixed = ();
    const IS_SECRET: bool = true;

    fn of((): Self::Fixed) -> Self {
        Self::default()
    }

    fn read(written: &Written<'_>) -> Result<Self, String> {
        servers(written).map(Self)
    }

    fn show(&self) -> toml::Value {
        let tables = self.0.iter().map(|server| {
            let credential = Value::show(&server.credential);
            let fields = [
                ("urls", server.urls.clone().into()),
                ("username", server.username.clone().into()),
                ("credential", credential),
            ];
            let is_set = |(_, value): &(&str, toml::Value)| value.as_str() != Some("");
            let fields = fields.into_iter().filter(is_set);
            toml::Value::Table(
                fields
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        });
        tables.collect::<Vec<_>>().into()
    }
}

/// Reads `rtc.ice_servers`.
///
/// A TOML array has one server per string or table. A text is the form of the environment: a JSON
/// array, in which plain strings are all URLs of one server.
fn servers(written: &Written<'_>) -> Result<Vec<IceServer>, String> {
    let (list, strings_are_one_server) = match (written.text(), written) {
        (Some(""), _) => return Ok(Vec::new()),
        (Some(text), _) => (from_json(text)?, true),
        (None, Written::File(toml::Value::Array(list))) => (list.clone(), false),
        (None, _) => return Err("it must be a list".to_owned()),
    };
    let all_strings = list.iter().all(toml::Value::is_str);
    if strings_are_one_server && all_strings && !list.is_empty() {
        return Ok(vec![server(&toml::Table::from_iter([(
            "urls".to_owned(),
            toml::Value::Array(list),
        )]))?]);
    }
    list.into_iter()
        .map(|entry| match entry {
            toml::Value::String(url) => server(&toml::Table::from_iter([(
                "urls".to_owned(),
                toml::Value::Array(vec![toml::Value::String(url)]),
            )])),
            toml::Value::Table(table) => server(&table),
            other @ (toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)) => {
                Err(format!("`{other}` must be a string or a table with urls"))
            }
        })
        .collect()
}

fn from_json(text: &str) -> Result<Vec<toml::Value>, String> {
    // Where it goes wrong, but not what stands there: that may be a credential.
    let refused = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        format!("it must be a JSON list; it is none at line {line}, column {column}")
    };
    let mut list: Vec<serde_json::Value> = serde_json::from_str(text).map_err(refused)?;
    for server in list.iter_mut().filter_map(serde_json::Value::as_object_mut) {
        // `null` is absent; TOML has no word for it.
        server.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(serde_json::Value::Array(list))
        .map_err(|_| "it must be a JSON list of strings or objects".to_owned())
}

fn server(table: &toml::Table) -> Result<IceServer, String> {
    let field = |wanted: &str| {
        table
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value)
    };
    let text = |name| {
        field(name)
            .and_then(toml::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let urls: Vec<String> = match field("urls") {
        Some(toml::Value::String(url)) => vec![url.clone()],
        Some(toml::Value::Array(urls)) => urls
            .iter()
            .map(|url| url.as_str().unwrap_or_default().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    if urls.is_empty() {
        return Err("a server must have urls".to_owned());
    }
    let mut kinds = urls.iter().map(|url| kind_of(url));
    let kind = kinds.next().flatten();
    match kind {
        Some(kind) if kinds.all(|other| other == Some(kind)) => Ok(IceServer {
            kind,
            urls,
            username: text("username"),
            credential: Secret::new(text("credential")),
        }),
        _ => Err(format!(
            "the urls of a server must be all `stun:`/`stuns:` or all `turn:`/`turns:`, not `{}`",
            urls.join(" ")
        )),
    }
}

fn kind_of(url: &str) -> Option<IceServerKind> {
    let (scheme, host) = url.split_once(':')?;
    match scheme {
        _ if host.is_empty() => None,
        "stun" | "stuns" => Some(IceServerKind::Stun),
        "turn" | "turns" => Some(IceServerKind::Turn),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(toml: &str) -> toml::Value {
        let table: toml::Table = toml.parse().unwrap();
        table["s"].clone()
    }

    fn parse(toml: &str) -> Result<Vec<IceServer>, String> {
        servers(&Written::File(&list(toml)))
    }

    #[test]
    fn a_list_in_the_file_has_one_server_per_entry() {
        let servers = parse(
            r#"s = ["stun:a:3478", {urls = ["turn:b:3478"], username = "u", credential = "c"}]"#,
        )
        .unwrap();
        assert_eq!(servers.len(), 2);
        let turn = servers.get(1).unwrap();
        assert_eq!(turn.kind, IceServerKind::Turn);
        assert_eq!(
            (turn.username.as_str(), turn.credential.expose()),
            ("u", "c")
        );
    }

    #[test]
    fn a_json_list_of_strings_is_one_server() {
        let one = parse(r#"s = '["stun:a:3478", "stun:b:3478"]'"#).unwrap();
        assert_eq!(one.len(), 1);
        let two = parse(r#"s = '[{"urls":["stun:a:1"]},{"urls":["turn:b:1"]}]'"#).unwrap();
        assert_eq!(two.len(), 2);
        let null = r#"s = '[{"urls":"stun:a:1","username":null,"credential":null}]'"#;
        assert_eq!(parse(null).unwrap().len(), 1);
    }

    #[test]
    fn a_credential_in_a_list_of_no_use_is_not_told() {
        for wrong in [
            r#"s = [{urls = ["x"], credential = "hush"}]"#,
            r#"s = '[{"urls":[],"credential":"hush"}]'"#,
            r#"s = '"hush"'"#,
            r#"s = '["stun:a:1", null, "hush"'"#,
        ] {
            assert!(!parse(wrong).unwrap_err().contains("hush"), "{wrong}");
        }
    }

    #[test]
    fn urls_must_be_there_and_of_one_kind() {
        for wrong in [
            r#"s = [""]"#,
            r#"s = ["http://a"]"#,
            r#"s = [{urls = []}]"#,
            r#"s = [{urls = ["stun:a:1", "turn:b:1"]}]"#,
            "s = 1",
            "s = 'x'",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
