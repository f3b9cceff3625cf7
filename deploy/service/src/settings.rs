//! Settings as typed: every key that cannot be read, at once.
//!
//! In: a TOML table, and a type that reads it. Out: what is wrong, key by key; the table without it,
//! so that the rest can be read and checked as well.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::names;

/// Takes out of `table` every key that `T` does not read, and says why for each. `known` are the
/// paths of all keys, for hints.
pub fn sift<T: DeserializeOwned>(table: &mut Table, known: &[&str]) -> Vec<String> {
    let mut leaves = Vec::new();
    collect(table, &mut Vec::new(), &mut leaves);
    let mut problems = Vec::new();
    for (path, value) in leaves {
        let Err(error) = alone(&path, value.clone()).try_into::<T>() else {
            continue;
        };
        problems.push(problem(&path.join("."), &value, error.message(), known));
        remove(table, &path);
    }
    problems
}

fn problem(key: &str, value: &Value, message: &str, known: &[&str]) -> String {
    if message.starts_with("unknown field") {
        let hint = names::hint(key, known.iter().copied());
        return format!("`{key}`: there is no such key{hint}");
    }
    let is_secret = ["key", "secret", "password", "token"]
        .iter()
        .any(|word| key.ends_with(word));
    if is_secret {
        return format!(
            "`{key}` (not shown) is a {}: another kind is expected",
            value.type_str()
        );
    }
    format!("`{key}` is `{}`: {message}", value.to_string().trim())
}

/// Lists every value that is no table, with its path.
fn collect(table: &Table, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    for (name, value) in table {
        path.push(name.clone());
        match value {
            Value::Table(inner) if !inner.is_empty() => collect(inner, path, leaves),
            Value::Table(_)
            | Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => leaves.push((path.clone(), value.clone())),
        }
        path.pop();
    }
}

/// A table with nothing but one value.
fn alone(path: &[String], value: Value) -> Table {
    let inward = path.iter().rev();
    let value = inward.fold(value, |value, name| {
        Value::Table(Table::from_iter([(name.clone(), value)]))
    });
    match value {
        Value::Table(table) => table,
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_) => Table::new(),
    }
}

/// Removes a value, and the tables that are empty without it: even an empty one is refused when
/// nobody knows it.
fn remove(table: &mut Table, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let is_left = match table.get_mut(first) {
        Some(Value::Table(inner)) => {
            remove(inner, rest);
            !inner.is_empty()
        }
        _ => false,
    };
    if !is_left {
        table.remove(first);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct House {
        kitchen: Kitchen,
        name: String,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Kitchen {
        oven: bool,
        plates: u8,
        door_key: String,
    }

    const KNOWN: &[&str] = &["name", "kitchen.oven", "kitchen.plates", "kitchen.door_key"];

    #[test]
    fn everything_that_is_wrong_is_told_and_the_rest_is_read() {
        let text = "name = \"Mill\"\n[kitchen]\noven = \"hot\"\nplates = 300\nplattes = 3\n\
            door_key = 1234\n[celar]\nwine = 1\n[garden]\n";
        let mut table: Table = text.parse().unwrap();
        let problems = sift::<House>(&mut table, KNOWN);
        let [wine, garden, key, oven, plates, plattes] = &problems[..] else {
            panic!("{problems:?}");
        };
        assert!(oven.starts_with("`kitchen.oven` is `\"hot\"`: "), "{oven}");
        assert!(
            plates.starts_with("`kitchen.plates` is `300`: "),
            "{plates}"
        );
        assert_eq!(
            plattes,
            "`kitchen.plattes`: there is no such key; did you mean `kitchen.plates`?"
        );
        assert!(key.starts_with("`kitchen.door_key` (not shown)"), "{key}");
        assert!(!key.contains("1234"));
        assert_eq!(wine, "`celar.wine`: there is no such key");
        assert_eq!(garden, "`garden`: there is no such key");
        let rest: House = table.try_into().unwrap();
        assert_eq!(rest.name, "Mill");
    }
}
